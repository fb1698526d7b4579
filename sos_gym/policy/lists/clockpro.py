"""CLOCK-Pro: one clock of hot pages, cold pages and pages just gone.

The queue is the clock, seen from the hot hand: it points at the front, and to move it on is to send the front to the
back, which is the paper's list head. All hands turn in verbs: the cold one in `want` of a fault without a free slot.
`pick` only reads where it stopped.
"""

from sos_gym.engine.legality import legal_holder
from sos_gym.kernel import kernel
from sos_gym.policy.books.queue import behind, front, length, push_back, remove, to_back
from sos_gym.policy.contract import Policy
from sos_gym.policy.lists.turns import order
from sos_gym.resource import NONE, Kind, State, Why
from sos_gym.settings.ranges import Parameter

ADMIT, HOLDING = int(Kind.ADMIT), int(State.HOLDING)
MOVE, COLD, DONTNEED, EXIT = int(Why.MOVE), int(Why.COLD), int(Why.DONTNEED), int(Why.EXIT)
CLOCK = 1
# bits of a mark: used since a hand came by; hot, else cold; in its test period; resident
USED, HOT, TEST, HERE = 1, 2, 4, 8
# ints: how many are hot, cold and resident, gone; slots for the cold (m_c); where two hands point
HOTS, COLDS, GHOSTS, COLD_ROOM, COLD_HAND, TEST_HAND = range(6)
PARAMETERS = {"cold": Parameter(0.01, "slots", 0.0, 1.0, "more room for newcomers at the least, one slot anyway")}


@kernel
def want(my, entity, home, why, now):
    """No slot is free: the cold hand turns until it finds one who may go."""
    while my.ints[HOTS] + my.ints[COLDS] >= my.slots_count and not _turn_cold(my) and my.ints[HOTS] > 0:
        _turn_hot(my)


@kernel
def hold(my, entity, slot, why, now):
    """Back within its test period, or while there is room for hot ones: hot. Else cold, and its test begins."""
    if why == MOVE:
        return
    if my.links[entity].queue:
        my.ints[GHOSTS] -= 1
        my.ints[COLDS] += 1
        _promote(my, entity)
        return
    push_back(my, CLOCK, entity)
    if length(my, CLOCK) == 1:
        my.ints[COLD_HAND] = my.ints[TEST_HAND] = entity
    hot = my.ints[HOTS] + my.ints[COLDS] < my.slots_count - _cold_room(my)
    my.links[entity].mark = HERE | HOT if hot else HERE | TEST
    my.ints[HOTS if hot else COLDS] += 1


@kernel
def use(my, entity, amount, why, now):
    if why != COLD:
        my.links[entity].mark |= USED
        return
    if my.links[entity].mark & HOT:
        _cool(my, entity)
    my.links[entity].mark = HERE
    my.ints[COLD_HAND] = entity


@kernel
def release(my, entity, slot, why, now):
    """Hot or in its test it keeps its place for a while, unless its identity ends."""
    link = my.links[entity]
    my.ints[HOTS if link.mark & HOT else COLDS] -= 1
    if not link.mark & (HOT | TEST) or why == DONTNEED or why == EXIT:
        _leave(my, entity)
        return
    link.mark = TEST
    my.ints[GHOSTS] += 1
    while my.ints[GHOSTS] > my.slots_count:
        _turn_test(my)


@kernel
def _cold_room(my):
    """How many slots are for cold pages; it grows with every test passed, and shrinks with every test failed."""
    return max(my.ints[COLD_ROOM], 1, int(my.parameters[0] * my.slots_count))


@kernel
def _next(my, e):
    after = behind(my, e)
    return after if after != NONE else front(my, CLOCK)


@kernel
def _step_off(my, e):
    """Hands that point at `e` move on, for it goes elsewhere."""
    for hand in (COLD_HAND, TEST_HAND):
        if my.ints[hand] == e:
            my.ints[hand] = _next(my, e)


@kernel
def _leave(my, e):
    _step_off(my, e)
    remove(my, e)


@kernel
def _to_head(my, e):
    _step_off(my, e)
    to_back(my, CLOCK, e)


@kernel
def _promote(my, e):
    """A cold page was used within its test: it becomes hot, and of too many hot ones some cool."""
    my.ints[COLD_ROOM] = min(_cold_room(my) + 1, my.slots_count)
    my.ints[COLDS] -= 1
    my.ints[HOTS] += 1
    my.links[e].mark = HERE | HOT
    _to_head(my, e)
    while my.ints[HOTS] > my.slots_count - _cold_room(my):
        _turn_hot(my)


@kernel
def _cool(my, e):
    my.ints[HOTS] -= 1
    my.ints[COLDS] += 1
    my.links[e].mark = HERE


@kernel
def _end_test(my, e):
    """Who was used within its test makes room for cold pages, as if promoted; who was not takes it."""
    link = my.links[e]
    if link.mark & TEST:
        my.ints[COLD_ROOM] = min(_cold_room(my) + 1, my.slots_count) if link.mark & USED else _cold_room(my) - 1
    link.mark &= ~TEST
    if not link.mark & HERE:
        my.ints[GHOSTS] -= 1
        _leave(my, e)


@kernel
def _turn_hot(my):
    """Cool the first hot page that was not used, end the tests that it passes, stop at a hot one."""
    cooled = False
    while my.ints[HOTS] > 0:
        e = front(my, CLOCK)
        if my.links[e].mark & HOT:
            if cooled:
                return
            if my.links[e].mark & USED:
                my.links[e].mark &= ~USED
            else:
                _cool(my, e)
                cooled = True
        else:
            _end_test(my, e)
        if my.links[e].queue:
            to_back(my, CLOCK, e)


@kernel
def _turn_test(my):
    """End tests until one who is gone is forgotten."""
    before = my.ints[GHOSTS]
    while my.ints[GHOSTS] == before:
        e = my.ints[TEST_HAND]
        my.ints[TEST_HAND] = _next(my, e)
        if not my.links[e].mark & HOT:
            _end_test(my, e)


@kernel
def _turn_cold(my):
    """Stop at the first cold page that was not used and may go; False when a whole turn finds none."""
    passed = 0
    while passed < length(my, CLOCK):
        e = my.ints[COLD_HAND]
        mark = my.links[e].mark
        if mark & (HERE | HOT) != HERE or my.entities[e].state != HOLDING or my.entities[e].pinned:
            my.ints[COLD_HAND] = _next(my, e)
            passed += 1
        elif not mark & USED:
            return True
        elif mark & TEST:
            _promote(my, e)
            passed = 0
        else:
            my.links[e].mark = HERE | TEST
            _to_head(my, e)
            passed = 0
    return False


@kernel
def claim(my, entity, now, number):
    """Hot, then who is in its test, resident or not, then the others; among equals it is turns."""
    mark = my.links[entity.id].mark
    return 2.0 if mark & HOT else 1.0 if mark & TEST else 0.0, order(my, entity, now)


@kernel
def victim(my, decision):
    """From the cold hand on: the first cold page that was not used; failing that cold, then hot ones."""
    best, best_grade = NONE, HOT | USED
    e = my.ints[COLD_HAND]
    for _ in range(length(my, CLOCK)):
        grade = my.links[e].mark & (HOT | USED)
        if (best == NONE or grade < best_grade) and legal_holder(my, decision, e):
            best, best_grade = e, grade
            if grade == 0:
                return e
        e = _next(my, e)
    return best


CLOCKPRO = Policy(
    name="clockpro",
    aliases=("clock_pro",),
    summary="LIRS by reference bits: who is used again within its test period becomes hot and stays",
    on_cores="levels: who came back soon (hot), who is on trial, the others; turns within a level",
    on_frames="CLOCK-Pro, adaptive; hot until their room is full at the start. Who may wait (tier hints): by level",
    reads="order of holds, one bit per use, of residents and of as many that left",
    ties="none: the clock orders",
    source="Jiang, Chen, Zhang, USENIX ATC 2005; open there, here as in Caffeine: `cold`, the start, that a test "
    "passed counts at any hand, a new test for a cold page used after its test. libCacheSim 0.3.5 fills its cold room, "
    "then admits nobody: an oracle in tests/test_adaptive_lists.py",
    want=want,
    hold=hold,
    use=use,
    release=release,
    victim=victim,
    claim=claim,
    ints=(6, 0, 0),
    queues=1,
    parameters=PARAMETERS,
)
