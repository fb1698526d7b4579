"""What makes a tape runnable, and what to say when it is not."""

from collections import deque
from operator import mul
from typing import Protocol

import numpy as np

from sos_gym.resource import NONE, Op
from sos_gym.workload.tables import (
    BARE_OPS,
    CHANNEL_OPS,
    LOCK_OPS,
    LONGEST_NS,
    MOST_TOKENS,
    PAGE_OPS,
    TIME_OPS,
    TOUCH_OPS,
    TapeError,
    op_in,
)

INT32_MAX = (1 << 31) - 1
PIECE = 1 << 22  # ops that are checked at once: 48 MB
DEADLINES = "give ns from the start of a burst, -1 for no deadline"


class Checked(Protocol):
    """What is read of a tape."""

    @property
    def ops(self) -> np.ndarray: ...  # OPS

    @property
    def threads(self) -> np.ndarray: ...  # THREADS

    @property
    def pages(self) -> np.ndarray: ...  # PAGES

    @property
    def owners(self) -> np.ndarray: ...  # OWNERS

    @property
    def channels(self) -> np.ndarray: ...  # int64, initial counts

    def op_owner(self, first: int = 0, last: int | None = None) -> np.ndarray: ...

    def thread_name(self, thread: int) -> str: ...


def integers(name: str, values, low: int | None, high: int | None, remedy: str) -> np.ndarray:
    """`values` as an integer array; refuses NaN, fractions and what lies outside low..high."""
    array = np.asarray(values)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind == "f":
        array = _whole(name, array, remedy)
    if array.dtype.kind not in "iu":
        raise TapeError(f"{name} holds {array.dtype} values; allowed: integers; {remedy}")
    within(name, array, low, high, remedy)
    return array


def _whole(name: str, array: np.ndarray, remedy: str) -> np.ndarray:
    bad = ~(np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) <= 2.0**53))
    if bad.any():
        raise TapeError(f"{_place(name, bad)} is {array[bad].flat[0]}; allowed: whole numbers up to 2^53; {remedy}")
    return array.astype(np.int64)


def within(name: str, array: np.ndarray, low: int | None, high: int | None, remedy: str) -> None:
    """Refuse the first value of `array` outside low..high."""
    for bad, beyond in ((low, np.less), (high, np.greater)):
        if bad is not None and array.size and (wrong := beyond(array, bad)).any():
            allowed = f"{'-∞' if low is None else low} to {'∞' if high is None else high}"
            raise TapeError(f"{_place(name, wrong)} is {array[wrong].flat[0]}; allowed: {allowed}; {remedy}")


def _place(name: str, wrong: np.ndarray) -> str:
    """`name[i]` of the first wrong element, plain `name` for a scalar."""
    return f"{name}[{int(np.argmax(wrong))}]" if wrong.ndim else name


def check(tape: Checked) -> None:
    """Refuse a tape that the engine could not run; every error names value, range and remedy."""
    _check_slices(tape)
    _check_numbers(tape)
    _check_ops(tape)
    _check_pages(tape)
    _check_exits(tape)
    _check_locks(tape)
    refuse_stuck(tape)


def _check_slices(tape: Checked) -> None:
    threads, total = tape.threads, len(tape.ops)
    if not len(threads) or not total:
        raise TapeError(
            f"the tape is empty: {len(threads)} threads with {total} ops; allowed: at least 1 of each; "
            "give it work to do"
        )
    edges = np.append(threads["first"], total)
    broken = (edges[1:] != threads["last"]) | (threads["last"] < threads["first"])
    if broken.any() or edges[0] != 0:
        i = int(np.argmax(broken)) if broken.any() else 0
        raise TapeError(
            f"threads[{i}] spans ops {threads['first'][i]} to {threads['last'][i]}; allowed: slices that follow "
            f"each other from 0 to {total}; lay out the ops thread by thread"
        )


def _check_numbers(tape: Checked) -> None:
    threads, pages, owners = tape.threads, tape.pages, tape.owners
    weigh = "use 1024 for nice 0"
    within("threads.arrival_ns", threads["arrival_ns"], 0, LONGEST_NS, "shift the times so that the first is 0")
    within("threads.think_ns", threads["think_ns"], 0, LONGEST_NS, "give service in ns")
    within("threads.deadline_ns", threads["deadline_ns"], NONE, LONGEST_NS, DEADLINES)
    within("threads.weight", threads["weight"], 1, None, weigh)
    within("owners.weight", owners["weight"], 1, None, weigh)
    within("threads.owner", threads["owner"], 0, len(owners) - 1, "number the owners from 0")
    within("pages.owner", pages["owner"], 0, len(owners) - 1, "number the owners from 0")
    within("channels", tape.channels, 0, MOST_TOKENS, "start a channel with the tokens it holds, 0 if none")
    for flag in ("file", "pinned", "private"):
        within(f"pages.{flag}", pages[flag], 0, 1, "it is a flag")
    for name, records in (("threads", threads), ("pages", pages)):
        nowhere = records["affinity"] == 0
        if nowhere.any():
            raise TapeError(
                f"{_place(name + '.affinity', nowhere)} is 0; allowed: a bit mask with at least one node; "
                "use -1 for all nodes"
            )


def _pieces(tape: Checked) -> range:
    """Where pieces of the ops begin: a tape that is mapped must not come into memory as a whole."""
    return range(0, len(tape.ops), PIECE)


def _check_ops(tape: Checked) -> None:
    lasting, touches = 0.0, 0
    latest = int(tape.threads["arrival_ns"].max())
    for at in _pieces(tape):
        ops = tape.ops[at : at + PIECE]
        counts = np.bincount(ops["op"], minlength=256)
        _check_arguments(tape, at, counts)
        lasting += _column_of(ops, counts, (Op.COMPUTE, Op.SLEEP)).sum(dtype=np.float64)
        latest = max(latest, int(_column_of(ops, counts, (Op.SLEEP_UNTIL,)).max(initial=0)))
        touches += int(counts[list(TOUCH_OPS)].sum())
    lasting += latest  # clock times do not add up
    if lasting + float(tape.threads["think_ns"].max()) * touches <= LONGEST_NS:  # nearly always, and at no cost
        return
    if lasting + sum(map(mul, tape.threads["think_ns"].tolist(), _touches(tape))) > LONGEST_NS:
        raise TapeError(f"the tape's times add up to over {LONGEST_NS} ns, allowed: up to that; cut the tape")


def _touches(tape: Checked) -> list[int]:  # (threads,)
    """How often each thread reads or writes."""
    ends = np.cumsum(np.append(0, op_in(tape.ops, TOUCH_OPS)), dtype=np.int64)
    return (ends[tape.threads["last"]] - ends[tape.threads["first"]]).tolist()


def _column_of(ops: np.ndarray, counts: np.ndarray, members: tuple[Op, ...], field: str = "arg") -> np.ndarray:
    """A field of the ops that are among `members`; mostly none or all are, which `counts` (256,) tells."""
    found = counts[list(members)].sum()
    return ops[field][: len(ops) if found else 0] if found in (0, len(ops)) else ops[field][op_in(ops, members)]


def _check_arguments(tape: Checked, at: int, counts: np.ndarray) -> None:
    ops = tape.ops[at : at + PIECE]
    piece = f"ops[{at}:]" if at else "ops"
    within(f"{piece}.op", ops["op"], 0, max(Op), "use a member of sos_gym.resource.Op")
    for members, what, highest, remedy in (
        (TIME_OPS, " (ns)", LONGEST_NS, "times never run backwards"),
        (PAGE_OPS, " (page)", len(tape.pages) - 1, "number the pages from 0"),
        (CHANNEL_OPS, " (channel)", len(tape.channels) - 1, "number the channels from 0"),
        (LOCK_OPS, " (lock)", INT32_MAX, "number the locks from 0"),
        (BARE_OPS, "", 0, "they take no argument"),
    ):
        within(f"{piece}.arg of {_names(members)}{what}", _column_of(ops, counts, members), 0, highest, remedy)
    lines = _column_of(ops, counts, TOUCH_OPS, "lines")
    within(f"{piece}.lines of {_names(TOUCH_OPS)}", lines, 1, None, "a touch accesses at least one line")


def _names(members: tuple[Op, ...]) -> str:
    return ", ".join(op.name for op in members)


def _check_pages(tape: Checked) -> None:
    never = len(tape.ops)
    first = np.full(len(tape.pages), never)
    for at in reversed(_pieces(tape)):
        ops = tape.ops[at : at + PIECE]
        mention = np.flatnonzero(op_in(ops, PAGE_OPS))[::-1]
        first[ops["arg"][mention]] = at + mention  # the last assignment stays
    if (first == never).any():
        absent = int(np.argmax(first == never))
        raise TapeError(f"page {absent} of {len(tape.pages)} is in no op; allowed: pages that are used; leave it out")
    if (np.diff(first) < 0).any():
        late = int(np.argmax(np.diff(first) < 0)) + 1
        raise TapeError(
            f"page {late} is mentioned before page {late - 1}; allowed: ids dense in order of first mention; "
            "build the tape with Tape.build, which renumbers"
        )
    if len(tape.owners) > 1:
        _check_private(tape)


def _check_private(tape: Checked) -> None:
    for at in _pieces(tape):
        ops = tape.ops[at : at + PIECE]
        mention = op_in(ops, PAGE_OPS)
        page = ops["arg"][mention]
        foreign = tape.op_owner(at, at + len(ops))[mention] != tape.pages["owner"][page]
        broken = foreign & (tape.pages["private"][page] == 1)
        if broken.any():
            raise TapeError(
                f"page {page[np.argmax(broken)]} is private, but a thread of another owner uses it; "
                "allowed: private = 1 only for pages of one owner's threads; set private = 0"
            )


def first_mention(ids: np.ndarray, count: int) -> np.ndarray:
    """Index in `ids` at which each of 0..count-1 comes first; len(ids) if never."""
    first = np.full(count, len(ids), np.int64)
    first[ids[::-1]] = np.arange(len(ids) - 1, -1, -1)  # the last assignment stays
    return first


def _check_exits(tape: Checked) -> None:
    exits = np.flatnonzero(tape.ops["op"] == Op.EXIT)
    last = tape.threads["last"]
    thread = np.searchsorted(last, exits, side="right")
    early = exits != last[thread] - 1
    if early.any():
        op, i = int(exits[np.argmax(early)]), int(thread[np.argmax(early)])
        raise TapeError(
            f"ops[{op}] of {tape.thread_name(i)} is an EXIT with {last[i] - 1 - op} ops after it; "
            "allowed: EXIT as a thread's last op; drop what follows"
        )


def _check_locks(tape: Checked) -> None:
    """Each thread takes a lock and gives it back, in turn: then whoever gives one back holds it."""
    at = np.flatnonzero(op_in(tape.ops, LOCK_OPS))
    if not len(at):
        return
    lock, thread = tape.ops["arg"][at], np.searchsorted(tape.threads["last"], at, side="right")
    used = np.unique(lock)
    if used[-1] >= len(used):
        missing = int(np.argmax(used != np.arange(len(used))))
        raise TapeError(f"lock {missing} is in no op; allowed: locks that are used; number them from 0 without gaps")
    order = np.lexsort((lock, thread))  # stable: of a thread and a lock in the order of ops
    at, lock, thread = at[order], lock[order], thread[order]
    first = np.append(True, (np.diff(lock) != 0) | (np.diff(thread) != 0))
    takes = tape.ops["op"][at] == Op.LOCK
    wrong = takes != (first | ~np.append(True, takes[:-1]))
    kept = takes & np.append(first[1:], True)
    if wrong.any() or kept.any():
        i = int(np.argmax(wrong if wrong.any() else kept))
        raise TapeError(
            f"ops[{at[i]}] of {tape.thread_name(int(thread[i]))} {_mistake(takes[i], wrong[i], int(lock[i]))}; "
            "allowed: LOCK and UNLOCK of a lock in turn, by each thread for itself; add or drop one"
        )


def _mistake(takes: bool, wrong: bool, lock: int) -> str:
    if wrong:
        return f"takes lock {lock}, which it holds" if takes else f"gives back lock {lock}, which it does not hold"
    return f"takes lock {lock} and never gives it back"


def refuse_stuck(tape: Checked) -> None:
    """Run waits, signals and locks untimed and greedily; refuse a tape that leaves threads waiting.

    Where each channel has one waiting thread the outcome is the same under every schedule; with several, and with
    locks, this tries one order of theirs only.
    """
    waiting, channels = _left_waiting(tape), len(tape.channels)
    if waiting:
        places = [(i, f"channel {c}" if c < channels else f"lock {c - channels}") for i, c in waiting[:5]]
        names = ", ".join(f"{tape.thread_name(i)} on {place}" for i, place in places)
        more = f" and {len(waiting) - 5} more" if len(waiting) > 5 else ""
        raise TapeError(
            f"the tape gets stuck: {names}{more} wait for a SIGNAL or an UNLOCK that never comes; "
            "allowed: a SIGNAL or an initial count for each WAIT, which needs no lock that is held; add it, or drop "
            "the WAIT"
        )


def _left_waiting(tape: Checked) -> list[tuple[int, int]]:  # (thread, channel, or channels + lock)
    """The threads that still wait when nobody can go on; to them a lock is a channel with one token."""
    at = np.flatnonzero(op_in(tape.ops, (*CHANNEL_OPS, *LOCK_OPS)))
    if not len(at):
        return []
    bounds = np.searchsorted(at, np.append(0, tape.threads["last"])).tolist()
    waits = op_in(tape.ops[at], (Op.WAIT, Op.LOCK)).tolist()
    locks, channels = op_in(tape.ops[at], LOCK_OPS), tape.ops["arg"][at]
    channel = np.where(locks, len(tape.channels) + channels, channels).tolist()
    count = [*tape.channels.tolist(), *[1] * (int(channels[locks].max(initial=-1)) + 1)]
    queue: dict[int, deque[int]] = {}
    position = bounds[:-1]
    ready = deque(range(len(tape.threads)))
    while ready:
        thread = ready.popleft()
        while position[thread] < bounds[thread + 1]:
            i = position[thread]
            position[thread] += 1
            c = channel[i]
            if not waits[i]:
                if queue.get(c):
                    ready.append(queue[c].popleft())
                else:
                    count[c] += 1
            elif count[c]:
                count[c] -= 1
            else:
                queue.setdefault(c, deque()).append(thread)
                break
    return sorted((thread, c) for c, threads in queue.items() for thread in threads)
