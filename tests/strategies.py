"""Random small tapes of every op, and random settings, for property tests."""

from hypothesis import strategies as st

from sos_gym.resource import Op
from sos_gym.workload import Tape, TapeError

NS = st.integers(0, 40)
COSTS = (
    "switch_ns",
    "page_move_ns",
    "minor_fault_ns",
    "first_touch_ns",
    "hint_fault_ns",
    "swap_in_ns",
    "write_back_ns",
    "shootdown_ns",
    "shootdown_core_ns",
    "local_line_ns",
)
MASKS = st.sampled_from([-1, -1, 1, 2])
traces = st.lists(st.integers(0, 7), min_size=1, max_size=60)  # pages, in the order in which one thread reads them
PAGE_OPS = (Op.READ, Op.WRITE, Op.COLD, Op.PAGEOUT, Op.DONTNEED)


def ops_of(pages: int, channels: int):
    """One op, most of them references."""
    plain = st.tuples(st.sampled_from([Op.COMPUTE, Op.COMPUTE, Op.SLEEP]), NS)
    arrivals = st.tuples(st.just(Op.SLEEP_UNTIL), st.integers(0, 300))
    signals = st.tuples(st.sampled_from([Op.WAIT, Op.SIGNAL, Op.SIGNAL]), st.integers(0, channels - 1))
    lines = st.integers(1, 3)
    touches = st.tuples(st.sampled_from([Op.READ, Op.READ, Op.WRITE]), st.integers(0, pages - 1), lines)
    advice = st.tuples(st.sampled_from(PAGE_OPS[2:]), st.integers(0, pages - 1))
    bare = st.tuples(st.just(Op.YIELD), st.just(0))
    return st.one_of(touches, touches, touches, plain, arrivals, signals, advice, bare)


@st.composite
def with_locks(draw, ops, locks=2):
    """The same ops, with pairs of LOCK and UNLOCK at random places, up to two of each lock; they may cross."""
    ops = list(ops)
    for lock in range(locks):
        count = draw(st.sampled_from([0, 0, 2, 2, 4]))
        places = sorted(draw(st.lists(st.integers(0, len(ops)), min_size=count, max_size=count)))
        for i, place in reversed(list(enumerate(places))):
            ops.insert(place, (Op.UNLOCK if i % 2 else Op.LOCK, lock))
    return ops


@st.composite
def tapes(draw):
    """A tape of up to five threads that a greedy run can finish."""
    channels, pages = 2, draw(st.integers(1, 6))
    programs = draw(st.lists(st.lists(ops_of(pages, channels), min_size=1, max_size=12), min_size=1, max_size=5))
    if draw(st.booleans()):  # with lock 0 used, if lock 1 is
        programs = [[(Op.LOCK, 0), (Op.UNLOCK, 0), *draw(with_locks(program))] for program in programs]
    each = len(programs)
    owners = draw(st.lists(st.integers(0, 1), min_size=each, max_size=each))
    flags = {
        page: {
            "file": draw(st.integers(0, 1)),
            "pinned": int(page == 0 and draw(st.booleans())),
            "affinity": draw(MASKS),
        }
        for page in {op[1] for program in programs for op in program if op[0] in PAGE_OPS}
    }
    try:
        return Tape.build(
            programs,
            arrival_ns=draw(st.lists(NS, min_size=each, max_size=each)),
            think_ns=draw(st.lists(st.integers(0, 9), min_size=each, max_size=each)),
            owner=[owner if 0 in owners else 0 for owner in owners],
            weight=draw(st.lists(st.sampled_from([1, 512, 1024]), min_size=each, max_size=each)),
            affinity=draw(st.lists(MASKS, min_size=each, max_size=each)),
            pages=flags,
            channels=draw(st.lists(st.integers(0, 3), min_size=channels, max_size=channels)),
        )
    except TapeError:
        return None  # it could not finish


@st.composite
def settings_of(draw, cores=None, frames=None):
    """Keywords for `build_settings`; small numbers, so that instants coincide."""
    per_node = st.none() | st.tuples(st.integers(1, 2), st.integers(1, 3))
    given = {name: draw(st.integers(0, 6)) for name in COSTS}
    given["shootdown_core_ns"] //= 6  # a scan must be longer than what 64 cores make of it
    given["remote_line_ns"] = given["local_line_ns"] + draw(st.integers(0, 6))
    given["move_ns"] = (draw(st.integers(0, 3)), draw(st.integers(0, 6)))
    given["warm_ns"] = (draw(st.sampled_from([0, 5, 20])), draw(st.sampled_from([0, 1, 7, 40])))
    given["lanes"] = draw(st.integers(1, 2))
    given["decision_ns"] = draw(st.sampled_from([0, 0, 1, 4, 9]))
    given["sight"] = draw(st.sampled_from(["exact", "exact", "sampled", "scanned", "scanned"]))
    given["sample_faults"] = draw(st.none() | st.integers(1, 4))
    given["look_ns"] = draw(st.sampled_from([0, 0, 1, 3]))
    far = given["switch_ns"] + max(given["move_ns"]) + given["decision_ns"]
    given["tick_ns"] = draw(st.none() | st.integers(far + 1, far + 40))
    moves = 2 * given["page_move_ns"] + given["shootdown_ns"] + 64 * given["shootdown_core_ns"]
    busy = 2 * (moves + given["decision_ns"] + 16 * given["look_ns"])
    given["scan_ns"] = draw(st.none() | st.integers(busy + 1, busy + 40))
    free = 1.0 - busy / given["scan_ns"] if given["scan_ns"] else 1.0
    walk = int(6 * given["look_ns"] / free) + 1
    given["harvest_ns"] = draw(st.none() | st.integers(walk + 1, walk + 40))
    given["tiers"], given["hint_ns"] = draw(st.booleans()), draw(st.none() | st.integers(1, 30))
    given["reclaim"], given["may_idle"] = draw(st.sampled_from(["global", "local"])), draw(st.booleans())
    given["cores"] = draw(cores if cores is not None else per_node)
    given["frames"] = draw(frames if frames is not None else per_node)
    return given
