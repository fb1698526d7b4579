"""LeCaR: LRU or LFU by chance, trusted the less the sooner their victims return."""

from sos_gym.kernel import kernel
from sos_gym.policy.books import experts, heap
from sos_gym.policy.books.queue import first_legal, push_back, push_front, remove, to_back
from sos_gym.policy.contract import Policy
from sos_gym.resource import NONE, Why
from sos_gym.settings.ranges import Parameter

COLD, MOVE = int(Why.COLD), int(Why.MOVE)
RESIDENT = 3  # in order of last use
RATE, DISCOUNT, HISTORY, KEEP, FLOOR = range(5)  # parameters


@kernel
def want(my, entity, home, why, now):
    if my.links[entity].queue:
        _blame(my, entity)


@kernel
def hold(my, entity, slot, why, now):
    if why != MOVE:
        experts.count(my, entity)
        push_back(my, RESIDENT, entity)
        heap.hold(my, entity, slot, why, now)


@kernel
def use(my, entity, amount, why, now):
    if why == COLD:
        my.ints[experts.count_at(my, entity)] = 0
        remove(my, entity)
        push_front(my, RESIDENT, entity)
        heap.use(my, entity, amount, why, now)
    else:
        experts.count(my, entity)
        to_back(my, RESIDENT, entity)


@kernel
def release(my, entity, slot, why, now):
    heap.release(my, entity, slot, why, now)
    remove(my, entity)
    history = experts.history_for(my, entity, why)
    if history:
        experts.enter_history(my, history, entity, int(my.parameters[HISTORY] * my.slots_count))
    elif why in experts.LEAVES:
        my.ints[experts.count_at(my, entity)] = 0


@kernel
def _blame(my, e):
    """Who stands in a history leaves it and blames its expert; the regret fades with time."""
    history = my.links[e].queue
    away = my.ints[experts.at(my, experts.CLOCK)] - my.ints[experts.went_at(my, e)]
    regret = my.parameters[DISCOUNT] ** (away / my.slots_count)
    experts.shift(my, history, my.parameters[RATE] * regret, my.parameters[FLOOR])
    remove(my, e)
    if not my.parameters[KEEP]:
        my.ints[experts.count_at(my, e)] = 0


@kernel
def claim(my, entity, now, number):
    """As the expert who is asked sees it; the heap (number NONE) orders by frequency."""
    count = float(my.ints[experts.count_at(my, entity.id)])
    if number == NONE:
        return count, 0.0
    if experts.asked(my, number) == experts.BY_RECENCY:
        return float(my.use_is_credit * entity.use_seq), 0.0
    return my.use_is_credit * count, float(my.use_is_credit * entity.use_seq)


@kernel
def victim(my, decision):
    """Of the expert who is asked."""
    return experts.choose(my, decision, first_legal(my, decision, RESIDENT), heap.victim(my, decision))


LECAR = Policy(
    name="lecar",
    aliases=(),
    summary="LRU or LFU by chance, trusted the less the sooner what it sent away returns",
    on_cores="a coin for each choice: whoever ran longest ago, or least, comes first; nobody is blamed, nothing learnt",
    on_frames="LeCaR; each victim is the LRU or the LFU page",
    reads="order of uses, own counts, two histories; u = hash(seed, decision)",
    ties="LFU's: the least recently used",
    not_to_be_confused="cacheus, which learns its learning rate and has other experts",
    source="Vietri et al., HotStorage 2018, and the authors' code (sylab/LeCaR): history, keep, floor, no blame where "
    "both agree. libCacheSim 0.3.5 has one history of N: compared in the mean, tests/test_learning_policies.py",
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
    release=release,
    claim=claim,
    victim=victim,
    ints=experts.INTS,
    floats=(heap.FLOATS[0] + 1, heap.FLOATS[1], heap.FLOATS[2]),
    queues=3,
)
