"""Shortest estimated rest first: the past predicts how long a burst, or a gap, goes on."""

from sos_gym.policy.words import COLD_OFFSET, Parameter, Policy, Sides, Why, age, kernel, order

UNKNOWN, ENDED = 0.0, -1.0  # no gap seen yet; its contents are gone, and the gap across does not count


@kernel
def want(my, e):
    if my.why == Why.WAKE:
        learn(my, e)


@kernel
def hold(my, e):
    if my.why == Why.FAULT:
        learn(my, e)


@kernel
def learn(my, e):
    """Its last gap is complete: average it in."""
    mine, gap, alpha = my.each[e], float(my.entities[e].last_gap), my.parameters.alpha
    if mine.estimate == ENDED:
        mine.estimate = UNKNOWN
    else:
        mine.estimate = gap if mine.estimate == UNKNOWN else alpha * gap + (1 - alpha) * mine.estimate


@kernel
def release(my, e):
    if my.why == Why.DONTNEED or my.why == Why.EXIT:
        my.each[e].estimate = ENDED


@kernel
def claim(my, entity):
    """What outlives its estimate is expected to last half as long again: hyper-exponential bursts grow old."""
    cold = my.use_is_credit > 0 and entity.use_seq < 0
    so_far = float(age(my, entity))
    rest = float(COLD_OFFSET) if cold else max(my.each[entity.id].estimate - so_far, so_far / 2)
    return -rest, order(my, entity)


SHORTEST = Policy(
    name="shortest",
    aliases=("estimated", "srtf"),
    summary="the shortest estimated rest first; the estimate is a running mean of the past",
    on_cores="SRTF by an exponential average of the thread's bursts; a thread without a past comes first",
    on_frames="the page with the least estimated time to its next use stays, by the same average of its gaps",
    reads="last_gap; age: ns since last use (pages), ns of service in this burst (threads)",
    sight="its estimates are gaps between sightings, multiples of harvests rather than gaps between uses",
    ties="cores: turns; frames: least recently used goes",
    not_to_be_confused="`clairvoyant`, which knows the rest; `gap`, which judges by the last gap alone",
    source="Silberschatz, Galvin, Gagne, Operating System Concepts, 10th ed., 5.3.2 (mean); "
    "docs/environments.md, payoff (overrun)",
    parameters={"alpha": Parameter(0.5, "", 0.01, 1.0, "the last burst or gap counts more than those before it")},
    want=want,
    hold=hold,
    use=Sides(frames=learn),
    release=release,
    claim=claim,
    each={"estimate": UNKNOWN},  # ns, of its gaps
)
