"""CLOCK-Pro: one clock of hot pages, cold pages and pages just gone.

The queue is the clock, seen from the hot hand: it points at the front, and to move it on is to send the front to the
back, which is the paper's list head. All hands turn in verbs: the cold one in `want` of a fault without a free slot.
`pick` only reads where it stopped.
"""

from sos_gym.policy.words import NONE, Parameter, Policy, Sides, State, Why, kernel, legal_holder, look, order, queue

CLOCK = 1
# bits of a mark: used since a hand came by; hot, else cold; in its test period; resident
USED, HOT, TEST, HERE = 1, 2, 4, 8


@kernel
def want(my, e):
    """No slot is free: the cold hand turns until it finds one who may go."""
    while _residents(my) >= my.capacity and not _turn_cold(my) and my.own.hots > 0:
        _turn_hot(my)


@kernel
def hold(my, e):
    """Back within its test period, or while there is room for hot ones: hot. Else cold, and its test begins."""
    if my.links[e].queue:
        my.own.ghosts -= 1
        _promote(my, e)
        return
    hot = _residents(my) < my.capacity - _cold_room(my)
    queue.push_back(my, CLOCK, e)
    if queue.length(my, CLOCK) == 1:
        my.own.cold_hand = my.own.test_hand = e
    my.links[e].mark = HERE | HOT if hot else HERE | TEST
    my.own.hots += hot


@kernel
def use(my, e):
    my.links[e].mark |= USED


@kernel
def cool(my, e):
    """It is the next that the cold hand meets."""
    my.own.hots -= (my.links[e].mark & HOT) > 0
    my.links[e].mark = HERE
    my.own.cold_hand = e


@kernel
def release(my, e):
    """Hot or in its test it keeps its place for a while, unless its identity ends."""
    link = my.links[e]
    my.own.hots -= (link.mark & HOT) > 0
    if not link.mark & (HOT | TEST) or my.why == Why.DONTNEED or my.why == Why.EXIT:
        _leave(my, e)
        return
    link.mark = TEST
    my.own.ghosts += 1
    _turn_test(my)


@kernel
def _residents(my):
    return queue.length(my, CLOCK) - my.own.ghosts


@kernel
def _cold_room(my):
    """How many slots are for cold pages; it grows with every test passed, and shrinks with every test failed."""
    return max(my.own.cold_room, 1, int(my.parameters.cold * my.capacity))


@kernel
def _change_cold_room(my, by):
    my.own.cold_room = min(_cold_room(my) + by, my.capacity)


@kernel
def _next(my, e):
    after = queue.behind(my, e)
    return after if after != NONE else queue.front(my, CLOCK)


@kernel
def _leave(my, e):
    """Hands that point at `e` move on, for it goes elsewhere."""
    if my.own.cold_hand == e:
        my.own.cold_hand = _next(my, e)
    if my.own.test_hand == e:
        my.own.test_hand = _next(my, e)
    queue.remove(my, e)


@kernel
def _to_head(my, e):
    _leave(my, e)
    queue.push_back(my, CLOCK, e)


@kernel
def _promote(my, e):
    """A cold page was used within its test: it becomes hot, and of too many hot ones some cool."""
    _change_cold_room(my, 1)
    my.own.hots += 1
    my.links[e].mark = HERE | HOT
    _to_head(my, e)
    while my.own.hots > my.capacity - _cold_room(my):
        _turn_hot(my)


@kernel
def _end_test(my, e):
    """Who was used within its test makes room for cold pages, as if promoted; who was not takes it."""
    link = my.links[e]
    if link.mark & TEST:
        _change_cold_room(my, 1 if link.mark & USED else -1)
    link.mark &= ~TEST
    if not link.mark & HERE:
        my.own.ghosts -= 1
        _leave(my, e)


@kernel
def _turn_hot(my):
    """Cool the first hot page that was not used, end the tests that it passes, stop at a hot one."""
    cooled = False
    while my.own.hots > 0:
        e = queue.front(my, CLOCK)
        if not my.links[e].mark & HOT:
            _end_test(my, e)
        elif cooled:
            return
        elif look(my, e) or (my.links[e].mark & USED) > 0:
            my.links[e].mark &= ~USED
        else:
            my.own.hots -= 1
            my.links[e].mark = HERE
            cooled = True
        if my.links[e].queue:
            queue.to_back(my, CLOCK, e)


@kernel
def _turn_test(my):
    """End tests until no more who are gone are remembered than there are slots."""
    while my.own.ghosts > my.capacity:
        e = my.own.test_hand
        my.own.test_hand = _next(my, e)
        if not my.links[e].mark & HOT:
            _end_test(my, e)


@kernel
def _turn_cold(my):
    """Stop at the first cold page that was not used and may go; False when a whole turn finds none."""
    passed = 0
    while passed < queue.length(my, CLOCK):
        e = my.own.cold_hand
        mark = my.links[e].mark
        if mark & (HERE | HOT) != HERE or my.entities[e].state != State.HOLDING or my.entities[e].pinned:
            my.own.cold_hand = _next(my, e)
            passed += 1
        elif not (look(my, e) or (mark & USED) > 0):
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
def claim(my, entity):
    """Hot, then who is in its test, resident or not, then the others; among equals it is turns."""
    mark = my.links[entity.id].mark
    return 2.0 if mark & HOT else 1.0 if mark & TEST else 0.0, order(my, entity)


@kernel
def victim(my, decision):
    """From the cold hand on: the first cold page that was not used; failing that cold, then hot ones."""
    best, best_grade, e = NONE, HOT | USED, my.own.cold_hand
    for _ in range(queue.length(my, CLOCK)):
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
    on_frames="CLOCK-Pro, adaptive; hot until their room is full at the start.",
    reads="order of holds, one bit per use, of residents and of as many that left",
    sight="made for bits: its hands read them as they pass, harvests add nothing to a bit that is set",
    ties="none: the clock orders",
    source="Jiang, Chen, Zhang, USENIX ATC 2005; open there, here as in Caffeine: `cold`, the start, that a test "
    "passed counts at any hand, a new test for a cold page used after its test. libCacheSim 0.3.5 fills its cold room, "
    "then admits nobody: an oracle in tests/policy/test_adaptive_lists.py",
    want=want,
    hold=hold,
    use=use,
    cool=Sides(frames=cool),
    release=release,
    victim=victim,
    fast_only=True,
    claim=claim,
    # ghosts: gone, but on the clock; cold_room: m_c of the paper, slots
    own={"hots": 0, "ghosts": 0, "cold_room": 0, "cold_hand": NONE, "test_hand": NONE},
    queues=1,
    parameters={"cold": Parameter(0.01, "slots", 0.0, 1.0, "more room for newcomers at the least, one slot anyway")},
)
