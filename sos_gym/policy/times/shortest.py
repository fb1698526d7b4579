"""Shortest estimated rest first: the past predicts how long a burst, or a gap, goes on."""

from sos_gym.kernel import kernel
from sos_gym.policy.contract import Policy
from sos_gym.policy.lists.turns import order
from sos_gym.policy.times.claims import age
from sos_gym.resource import COLD_OFFSET, Why
from sos_gym.settings.ranges import Parameter

WAKE, FAULT, COLD, DONTNEED, EXIT = int(Why.WAKE), int(Why.FAULT), int(Why.COLD), int(Why.DONTNEED), int(Why.EXIT)
ALPHA = 0
UNKNOWN, ENDED = 0.0, -1.0  # no gap seen yet; its contents are gone, and the gap across does not count


@kernel
def want(my, entity, home, why, now):
    if why == WAKE:
        _learn(my, entity)


@kernel
def hold(my, entity, slot, why, now):
    if why == FAULT:
        _learn(my, entity)


@kernel
def use(my, entity, amount, why, now):
    if my.use_is_credit > 0 and why != COLD:
        _learn(my, entity)


@kernel
def release(my, entity, slot, why, now):
    if why == DONTNEED or why == EXIT:
        my.floats[entity] = ENDED


@kernel
def _learn(my, e):
    """Its last gap is complete: average it in."""
    gap, old, alpha = float(my.entities[e].last_gap), my.floats[e], my.parameters[ALPHA]
    if old == ENDED:
        my.floats[e] = UNKNOWN
    else:
        my.floats[e] = gap if old == UNKNOWN else alpha * gap + (1 - alpha) * old


@kernel
def claim(my, entity, now, number):
    """What outlives its estimate is expected to last half as long again: hyper-exponential bursts grow old."""
    cold = my.use_is_credit > 0 and entity.use_seq < 0
    so_far = float(age(my, entity, now))
    rest = float(COLD_OFFSET) if cold else max(my.floats[entity.id] - so_far, so_far / 2)
    return -rest, order(my, entity, now)


SHORTEST = Policy(
    name="shortest",
    aliases=("estimated", "srtf"),
    summary="the shortest estimated rest first; the estimate is a running mean of the past",
    on_cores="SRTF by an exponential average of the thread's bursts; a thread without a past comes first",
    on_frames="the page with the least estimated time to its next use stays, by the same average of its gaps",
    reads="last_gap; age: ns since last use (pages), ns of service in this burst (threads)",
    ties="cores: turns; frames: least recently used goes",
    not_to_be_confused="`clairvoyant`, which knows the rest; `gap`, which judges by the last gap alone",
    source="Silberschatz, Galvin, Gagne, Operating System Concepts, 10th ed., 5.3.2 (mean); DESIGN 3, payoff (overrun)",
    parameters={"alpha": Parameter(0.5, "", 0.01, 1.0, "the last burst or gap counts more than those before it")},
    want=want,
    hold=hold,
    use=use,
    release=release,
    claim=claim,
    floats=(0, 1, 0),
)
