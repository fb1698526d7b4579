"""A workload: a list of ops per thread, in flat arrays."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sos_gym.resource import DEFAULT_WEIGHT, NONE, Op
from sos_gym.workload import archive, validity
from sos_gym.workload.tables import (
    CHANNEL_OPS,
    CHANNELS,
    DEFAULT_LINES,
    LOCK_OPS,
    LONGEST_NS,
    OPS,
    OWNERS,
    PAGE_OPS,
    PAGES,
    TABLES,
    THREADS,
    TOUCH_OPS,
    TapeError,
    as_bytes,
    field_names,
    op_in,
)
from sos_gym.workload.validity import INT32_MAX, integers

__all__ = ["OPS", "OWNERS", "PAGES", "THREADS", "Tape", "TapeError", "op_array"]

Program = np.ndarray | Sequence[tuple]  # OPS records, or tuples (op,), (op, arg), (op, arg, lines)


@dataclass(frozen=True, eq=False, repr=False)
class Tape:
    """What the threads of an episode do, op by op.

    Ops of thread i are ops[threads["first"][i]:threads["last"][i]]. All arrays are read-only. A tape is
    validated when it is made; one that exists can be run. Equal tapes say the same to the engine: card and
    names do not count.
    """

    ops: np.ndarray  # OPS (ops,)
    threads: np.ndarray  # THREADS (threads,)
    pages: np.ndarray  # PAGES (pages,)
    owners: np.ndarray  # OWNERS (owners,)
    channels: np.ndarray  # int64 (channels,), initial counts
    card: dict[str, Any] = field(default_factory=dict)  # name, family, parameters, source, ...; JSON
    thread_names: tuple[str, ...] = ()  # or none at all

    def __post_init__(self) -> None:
        for name, kind in {**TABLES, "channels": CHANNELS}.items():
            object.__setattr__(self, name, _read_only(name, getattr(self, name), kind))
        object.__setattr__(self, "card", _plain(self.card))
        object.__setattr__(self, "thread_names", tuple(self.thread_names))
        self.validate()

    # -- constructors

    @classmethod
    def from_references(
        cls, pages, writes=None, ns_per_reference: int = 100, lines=DEFAULT_LINES, card: dict | None = None
    ) -> "Tape":
        """A memory trace: one thread that touches `pages` (any integers) in order."""
        pages = _flat(integers("pages", pages, None, None, "give page numbers, such as address >> 12"))
        written = np.zeros(len(pages), bool) if writes is None else _flags("writes", writes, len(pages))
        touches = op_array(np.where(written, Op.WRITE, Op.READ), pages, lines)
        return cls.build([touches], think_ns=ns_per_reference, card=card or {"name": "references"})

    @classmethod
    def from_jobs(cls, arrival_ns, burst_ns, weight=None, sleep_ns=None, card: dict | None = None) -> "Tape":
        """A CPU trace: one thread, and one owner, per job.

        `burst_ns` is one integer per job, or a list of bursts per job; `sleep_ns` lies between the bursts: one
        integer, one per job, or a list per job that is one shorter than its bursts.
        """
        arrival = _flat(integers("arrival_ns", arrival_ns, 0, LONGEST_NS, "shift the times so that the first is 0"))
        programs = _job_programs(burst_ns, sleep_ns, len(arrival))
        weights = DEFAULT_WEIGHT if weight is None else weight
        return cls.build(programs, arrival_ns=arrival, weight=weights, card=card or {"name": "jobs"})

    @classmethod
    def build(
        cls,
        programs: Iterable[Program],
        *,
        arrival_ns=0,
        think_ns=0,
        deadline_ns=NONE,
        owner=None,
        weight=DEFAULT_WEIGHT,
        affinity=-1,
        pages: Mapping[int, Mapping[str, int]] | None = None,
        owner_weight=None,
        channels: Sequence[int] | None = None,
        card: dict | None = None,
        thread_names: Sequence[str] = (),
    ) -> "Tape":
        """A tape from one program per thread.

        A program is a list of (op, arg[, lines]) or an array of `op_array`. Thread settings are one number, or
        one per thread. `deadline_ns`: of each burst, from its start; -1 for none. `owner`: by default each thread
        is its own. `owner_weight`: by default that of the owner's first thread. `pages`: page -> {file, pinned,
        affinity, owner, private}, pages as the programs call them; by default a page is its first user's, and
        private if only one owner uses it. `channels`: initial counts, 0 by default.
        """
        ops, ends = _joined(programs)
        threads = _threads(ends, arrival_ns, think_ns, deadline_ns, owner, weight, affinity)
        owners = _owners(threads, owner_weight)
        ops, names = _renumber(ops)
        table = _pages(ops, threads, names, pages or {})
        counts = _channels(ops, channels)
        return cls(ops, threads, table, owners, counts, card or {"name": "built"}, tuple(thread_names))

    # -- files

    def save(self, path: str | os.PathLike, compressed: bool = True) -> Path:
        """Write one .npz; the file appears whole or not at all.

        What is not compressed (12 bytes per op) is mapped by `load`: the system brings in what a run uses, and drops
        it again when memory is short. For traces of 10^8 references.
        """
        tables = {name: getattr(self, name) for name in (*TABLES, "channels")}
        return archive.write(path, tables, self.card, self.thread_names, compressed)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Tape":
        """Read what `save` wrote; refuses anything else."""
        return cls(**archive.read(path))

    # -- questions

    def validate(self) -> None:
        """Refuse what the engine could not run."""
        if self.thread_names and len(self.thread_names) != len(self.threads):
            raise TapeError(
                f"thread_names has {len(self.thread_names)} names; allowed: {len(self.threads)}, one per thread, "
                "or none; leave it out"
            )
        validity.check(self)

    def described(self, card: dict) -> "Tape":
        """The same tape with another card."""
        return _like(type(self), {**self.__dict__, "card": _plain(card)})  # what is validated stays so

    # -- copies

    def __copy__(self) -> "Tape":
        return self  # nothing of it can change

    def __deepcopy__(self, memo: dict) -> "Tape":
        return self

    def __reduce__(self) -> tuple:
        return _like, (type(self), self.__dict__)

    def refuse_stuck(self) -> None:
        """Refuse a tape whose threads wait for ever."""
        validity.refuse_stuck(self)

    def thread_name(self, thread: int) -> str:
        """Its name, or `thread i`."""
        return self.thread_names[thread] if self.thread_names else f"thread {thread}"

    def op_thread(self) -> np.ndarray:  # int64 (ops,)
        """The thread of each op."""
        return np.repeat(np.arange(len(self.threads)), self.threads["last"] - self.threads["first"])

    def op_owner(self, first: int = 0, last: int | None = None) -> np.ndarray:  # int32 (last - first,)
        """The owner of each op's thread, of all ops or of ops[first:last]."""
        return _op_owner(self.threads, first, len(self.ops) if last is None else last)

    @cached_property
    def op_counts(self) -> np.ndarray:  # int64 (Op,)
        """How many ops there are of each kind."""
        counts = np.zeros(len(Op), np.int64)
        for at in range(0, len(self.ops), validity.PIECE):
            counts += np.bincount(self.ops["op"][at : at + validity.PIECE], minlength=len(Op))
        return counts

    @cached_property
    def locks(self) -> int:
        """How many locks there are: they are numbered from 0, and start without a holder."""
        if not self.op_counts[list(LOCK_OPS)].any():
            return 0
        return int(self.ops["arg"][op_in(self.ops, LOCK_OPS)].max()) + 1

    def hash(self) -> str:
        """What the engine sees of it, as 16 hex digits; the same on every machine."""
        return self._hash

    @cached_property
    def _hash(self) -> str:
        digest = hashlib.sha256()
        for name in TABLES:
            table = getattr(self, name)
            digest.update(f"{name} {len(table)} ".encode())
            for column in field_names(table.dtype):
                for at in range(0, len(table), validity.PIECE):
                    digest.update(np.ascontiguousarray(table[column][at : at + validity.PIECE]).data)
        digest.update(np.ascontiguousarray(self.channels).data)
        return digest.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.ops)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tape) and self.hash() == other.hash()

    def __hash__(self) -> int:
        return int(self.hash(), 16)

    def __repr__(self) -> str:
        return (
            f"Tape({self.card.get('name', 'unnamed')!r}, {len(self.ops)} ops, {len(self.threads)} threads, "
            f"{len(self.pages)} pages, {len(self.owners)} owners, {len(self.channels)} channels, {self.hash()})"
        )


def _like(kind: type[Tape], attributes: Mapping[str, Any]) -> Tape:
    """A tape of what another one holds, which is valid; arrays that come from another process can be written."""
    tape = object.__new__(kind)
    tape.__dict__.update(attributes)
    for name in (*TABLES, "channels"):
        getattr(tape, name).flags.writeable = False
    return tape


def op_array(op, arg=0, lines=DEFAULT_LINES) -> np.ndarray:  # OPS (ops,)
    """A program from columns: `op`, `arg`, `lines` are numbers or arrays of one length."""
    columns = (
        integers("op", op, 0, max(Op), "use a member of sos_gym.resource.Op"),
        integers("arg", arg, None, None, "give ns, page, channel or lock"),
        integers("lines", lines, 1, 65535, "64 lines are a whole page"),
    )
    try:
        kind, argument, line = np.broadcast_arrays(*columns)
    except ValueError as error:
        lengths = [column.shape for column in columns]
        raise TapeError(f"op, arg and lines have shapes {lengths}; allowed: one length, or scalars") from error
    ops = np.zeros(kind.size, OPS)
    ops["op"] = kind.reshape(-1)
    ops["arg"] = _int64(argument).reshape(-1)
    ops["lines"] = np.where(op_in(ops, TOUCH_OPS), line.reshape(-1), 0)
    return ops


def _int64(values: np.ndarray) -> np.ndarray:
    """Addresses above 2^63 keep their bits: pages are renumbered anyway."""
    return values.view(np.int64) if values.dtype == np.uint64 else values.astype(np.int64)


def _read_only(name: str, values, kind: np.dtype) -> np.ndarray:
    array = np.asarray(values)
    if kind.names is None:
        array = _int64(integers(name, array, None, None, "give integers"))
    if array.dtype != kind or array.ndim != 1:
        raise TapeError(f"{name} is {array.dtype} {array.shape}; allowed: {kind}, one dimension; use Tape.build")
    array = np.ascontiguousarray(array).view()
    array.flags.writeable = False
    return array


def _plain(card: dict) -> dict:
    """A deep copy in JSON's types."""
    try:
        return json.loads(json.dumps(dict(card), default=lambda x: x.tolist()))
    except (TypeError, ValueError, AttributeError) as error:
        raise TapeError(f"card cannot be written as JSON ({error}); allowed: text, numbers, lists, dicts") from error


def _flat(array: np.ndarray) -> np.ndarray:
    if array.ndim != 1:
        raise TapeError(f"an array of shape {array.shape} was given; allowed: one dimension; use .ravel()")
    return array


def _flags(name: str, values, length: int) -> np.ndarray:  # bool (length,)
    array = np.asarray(values)
    if array.dtype != bool:
        array = integers(name, array, 0, 1, "give one flag per reference") == 1
    if array.shape != (length,):
        raise TapeError(f"{name} has shape {array.shape}; allowed: ({length},), one flag per reference")
    return array


# -- parts of build


def _joined(programs: Iterable[Program]) -> tuple[np.ndarray, np.ndarray]:  # OPS (ops,), int64 (threads,)
    """All ops, and where each thread's end."""
    if isinstance(programs, np.ndarray) and programs.dtype == OPS and programs.ndim == 2:  # one length: no loop
        return programs.reshape(-1), np.arange(1, len(programs) + 1) * programs.shape[1]
    parts = [_program(i, program) for i, program in enumerate(programs)]
    ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
    return np.concatenate([np.zeros((0, OPS.itemsize), np.uint8), *map(as_bytes, parts)]).view(OPS).reshape(-1), ends


def _program(thread: int, program: Program) -> np.ndarray:  # OPS (ops,)
    if isinstance(program, np.ndarray) and program.dtype == OPS:
        return program
    rows = [(*entry, 0, DEFAULT_LINES)[:3] if len(entry) == 1 else (*entry, DEFAULT_LINES)[:3] for entry in program]
    if not rows:
        return np.zeros(0, OPS)
    op, arg, lines = zip(*rows, strict=True)
    try:
        return op_array(op, arg, lines)
    except TapeError as error:
        raise TapeError(f"program of thread {thread}: {error}") from error


def _per_thread(name: str, values, count: int, low: int, high: int, remedy: str) -> np.ndarray:
    array = integers(name, values, low, high, remedy)
    if array.shape not in ((), (count,)):
        raise TapeError(f"{name} has shape {array.shape}; allowed: one number or {count}, one per thread")
    return np.broadcast_to(array, (count,))


def _threads(
    ends: np.ndarray, arrival_ns, think_ns, deadline_ns, owner, weight, affinity
) -> np.ndarray:  # THREADS (threads,)
    n = len(ends)
    threads = np.zeros(n, THREADS)
    threads["first"] = np.append(0, ends[:-1])[:n]
    threads["last"] = ends
    threads["arrival_ns"] = _per_thread("arrival_ns", arrival_ns, n, 0, LONGEST_NS, "shift the first to 0")
    threads["think_ns"] = _per_thread("think_ns", think_ns, n, 0, LONGEST_NS, "give service in ns")
    threads["deadline_ns"] = _per_thread("deadline_ns", deadline_ns, n, NONE, LONGEST_NS, validity.DEADLINES)
    owners = np.arange(n) if owner is None else owner
    threads["owner"] = _per_thread("owner", owners, n, 0, max(n - 1, 0), "number the owners 0, 1, …")
    threads["weight"] = _per_thread("weight", weight, n, 1, INT32_MAX, "use 1024 for nice 0")
    threads["affinity"] = _per_thread("affinity", affinity, n, -1, INT32_MAX, "use -1 for all nodes")
    return threads


def _owners(threads: np.ndarray, weight) -> np.ndarray:  # OWNERS (owners,)
    count = int(threads["owner"].max(initial=-1)) + 1
    owners = np.full(count, DEFAULT_WEIGHT, np.int32).view(OWNERS)
    if weight is None:
        owners["weight"][threads["owner"][::-1]] = threads["weight"][::-1]  # the first thread's stays
        return owners
    given = integers("owner_weight", weight, 1, INT32_MAX, "use 1024 for nice 0")
    if given.shape not in ((), (count,)):
        raise TapeError(f"owner_weight has shape {given.shape}; allowed: one number or {count}, one per owner")
    owners["weight"] = given
    return owners


def _renumber(ops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # OPS (ops,), int64 (pages,): old name of each page
    """Pages densely in order of first mention."""
    mention = op_in(ops, PAGE_OPS)
    page = ops["arg"][mention]
    names, sorted_id = _sorted_ids(page)
    order = np.argsort(validity.first_mention(sorted_id, len(names)))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    ops = as_bytes(ops).copy().view(OPS).reshape(-1)
    ops["arg"][mention] = rank[sorted_id]
    return ops, names[order]


def _sorted_ids(page: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # int64 (pages,), int64 (references,)
    """np.unique with its inverse; a table instead of a sort where the range is narrow."""
    low, high = (int(page.min()), int(page.max())) if len(page) else (0, -1)
    if high - low > 4 * len(page) + 1024:
        return np.unique(page, return_inverse=True)
    seen = np.zeros(high - low + 1, bool)
    seen[page - low] = True
    return np.flatnonzero(seen) + low, (np.cumsum(seen) - 1)[page - low]


def _op_owner(threads: np.ndarray, first: int, last: int) -> np.ndarray:
    return np.repeat(threads["owner"], np.clip(threads["last"], first, last) - np.clip(threads["first"], first, last))


def _pages(ops: np.ndarray, threads: np.ndarray, names: np.ndarray, given: Mapping) -> np.ndarray:  # PAGES (pages,)
    pages = np.zeros(len(names), PAGES)
    pages["affinity"] = -1
    mention = op_in(ops, PAGE_OPS)
    page, user = ops["arg"][mention], _op_owner(threads, 0, len(ops))[mention]
    pages["owner"] = user[validity.first_mention(page, len(names))]
    _set_attributes(pages, names, given, [name for name in field_names(PAGES) if name != "private"])
    pages["private"] = 1
    pages["private"][page[user != pages["owner"][page]]] = 0
    _set_attributes(pages, names, given, ["private"])
    return pages


def _set_attributes(pages: np.ndarray, names: np.ndarray, given: Mapping, fields: list[str]) -> None:
    row = {int(name): i for i, name in enumerate(names) if name in given} if given else {}
    for name, attributes in given.items():
        if name not in row:
            raise TapeError(f"pages names page {name}, which is in no op; allowed: pages that are used; leave it out")
        for key, value in attributes.items():
            if key not in field_names(PAGES):
                raise TapeError(f"pages[{name}] has {key!r}; allowed: {', '.join(field_names(PAGES))}")
            if key in fields:
                pages[key][row[name]] = integers(f"pages[{name}].{key}", value, -1, INT32_MAX, "give an integer")


def _channels(ops: np.ndarray, given: Sequence[int] | None) -> np.ndarray:  # int64 (channels,)
    used = ops["arg"][op_in(ops, CHANNEL_OPS)]
    if given is not None:
        return _flat(integers("channels", given, 0, None, "give the tokens that each channel starts with"))
    return np.zeros(int(used.max(initial=-1)) + 1, np.int64)


# -- parts of from_jobs


def _job_programs(burst_ns, sleep_ns, jobs: int) -> np.ndarray | list[np.ndarray]:
    if len(burst_ns) != jobs:
        raise TapeError(f"burst_ns has {len(burst_ns)} jobs; allowed: {jobs}, as arrival_ns; give one per job")
    remedy = "give the work of each job in ns"
    if _one_each(burst_ns):
        bursts = integers("burst_ns", burst_ns, 0, LONGEST_NS, remedy)
        return op_array(Op.COMPUTE, bursts).reshape(jobs, 1)
    return list(map(_bursts, range(jobs), burst_ns, _sleeps(sleep_ns, jobs)))


def _one_each(values) -> bool:
    """Whether there is a number per job, rather than a list."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values.ndim == 1
    return not any(np.ndim(value) for value in values)


def _sleeps(sleep_ns, jobs: int) -> list:
    if sleep_ns is None or isinstance(sleep_ns, (int, float, np.number)):
        return [sleep_ns] * jobs
    if len(sleep_ns) != jobs:
        raise TapeError(f"sleep_ns has {len(sleep_ns)} jobs; allowed: {jobs}, as arrival_ns; give one per job")
    return list(sleep_ns)


def _bursts(job: int, burst_ns, sleep_ns) -> np.ndarray:  # OPS (2 * bursts - 1,)
    bursts = np.atleast_1d(integers(f"burst_ns[{job}]", burst_ns, 0, LONGEST_NS, "give the work in ns"))
    gaps = max(len(bursts) - 1, 0)
    if sleep_ns is None and gaps:
        raise TapeError(f"sleep_ns is None, but job {job} has {len(bursts)} bursts; give the sleeps between them")
    sleeps = integers(f"sleep_ns[{job}]", 0 if sleep_ns is None else sleep_ns, 0, LONGEST_NS, "give ns")
    if sleeps.shape not in ((), (gaps,)):
        raise TapeError(f"sleep_ns[{job}] has shape {sleeps.shape}; allowed: one number or {gaps}, one per gap")
    ops = op_array(np.where(np.arange(len(bursts) + gaps) % 2, Op.SLEEP, Op.COMPUTE))
    ops["arg"][0::2] = bursts
    ops["arg"][1::2] = sleeps
    return ops
