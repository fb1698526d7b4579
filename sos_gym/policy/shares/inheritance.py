"""Priority inheritance: who holds a lock counts as much as the weightiest thread that waits for it."""

from sos_gym.engine.blocked import blocked_behind
from sos_gym.policy.words import NONE, Policy, kernel


@kernel
def claim(my, entity):
    thread = entity.last_user if my.use_is_credit > 0 else entity.id
    weight = entity.weight if thread == NONE else max(entity.weight, blocked_behind(my, thread)[0])
    return float(weight), float(entity.use_seq)


INHERITANCE = Policy(
    name="inheritance",
    aliases=("priority_inheritance",),
    summary="static priority, but who holds a lock has the priority of the weightiest that waits for it",
    on_cores="the priority inheritance protocol: a holder runs as if it were the weightiest of those that wait for its "
    "locks, for holders among them, and so on, until it gives the lock back",
    on_frames="priority paging in which the pages that such a holder used last count as much: it should not fault "
    "while others wait for it. Every page is looked at, since weights change without a word",
    reads="weight, use_seq; who holds and who waits for which lock; last_user on frames",
    sight="ties go by the recency of sightings, last user is that of the last one",
    not_to_be_confused="`priority`, which is this without locks, and lets lighter threads pass a holder that a heavy "
    "one waits for; the priority ceiling protocol, which looks at who might lock",
    source="Sha, Rajkumar, Lehoczky, IEEE ToC 39(9), 1990; kernel/locking/rtmutex.c",
    claim=claim,
)
