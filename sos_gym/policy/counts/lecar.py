"""LeCaR: LRU or LFU by chance, trusted the less the sooner their victims return."""

from sos_gym.policy.books import experts
from sos_gym.policy.words import Parameter, Policy, Sides, heap, kernel, queue

RESIDENT = 3  # in order of last use


@kernel
def want(my, e):
    """Who stands in a history blames its expert; the regret fades with time."""
    if my.links[e].queue:
        away = my.own.experts.clock - my.each[e].experts.left
        experts.blame(my, e, my.parameters.rate * my.parameters.discount ** (away / my.capacity))
        if not my.parameters.keep:
            my.each[e].experts.count = 0


@kernel
def hold(my, e):
    experts.count(my, e)
    queue.push_back(my, RESIDENT, e)
    heap.hold(my, e)


@kernel
def use(my, e):
    experts.count(my, e)
    queue.to_back(my, RESIDENT, e)


@kernel
def cool(my, e):
    queue.to_front(my, RESIDENT, e)
    experts.cool(my, e)


@kernel
def release(my, e):
    experts.leave(my, e, my.why)


@kernel
def claim(my, entity):
    """As the expert who is asked sees it."""
    recent = float(my.use_is_credit * entity.use_seq)
    if experts.asked(my) == experts.BY_RECENCY:
        return recent, 0.0
    return my.use_is_credit * rank(my, entity)[0], recent


@kernel
def rank(my, entity):
    """As the frequency expert sees it."""
    return float(my.each[entity.id].experts.count), 0.0


@kernel
def victim(my, decision):
    """Of the expert who is asked."""
    return experts.choose(my, queue.first_legal(my, decision, RESIDENT), heap.victim(my, decision))


LECAR = Policy(
    name="lecar",
    summary="LRU or LFU by chance, trusted the less the sooner what it sent away returns",
    on_cores="a coin for each choice: whoever ran longest ago, or least, comes first; nobody is blamed, nothing learnt",
    on_frames="LeCaR; each victim is the LRU or the LFU page",
    reads="order of uses, own counts, two histories; u = hash(seed, decision)",
    sight="orders and counts sightings: both its experts see one use per harvest or look",
    ties="LFU's: the least recently used",
    not_to_be_confused="cacheus, which learns its learning rate and has other experts",
    source="Vietri et al., HotStorage 2018, and the authors' code (sylab/LeCaR): history, keep, floor, no blame where "
    "both agree. libCacheSim 0.3.5 has one history of N: compared in the mean, tests/policy/test_learning_policies.py",
    parameters={
        "rate": Parameter(0.45, "", 0.0, 10.0, "trust moves faster, and errs more by chance"),
        "discount": Parameter(
            0.005, "", 0.0, 1.0, "late returns count more; regret = discount ** (references / slots)"
        ),
        "history": Parameter(1.0, "", 0.0, 4.0, "longer memory of whom each expert sent away; share of the slots"),
        "keep": Parameter(1, "", 0, 1, "1: counts go on in the history; 0: they start anew (libCacheSim)"),
        "floor": Parameter(0.01, "", 0.0, 0.5, "an expert keeps more trust; libCacheSim: 1e-10"),
    },
    want=want,
    hold=hold,
    use=use,
    cool=Sides(frames=cool),
    release=release,
    claim=claim,
    rank=rank,
    victim=victim,
    fast_only=True,
    books=(heap.HEAP, experts.EXPERTS),
    queues=3,
)
