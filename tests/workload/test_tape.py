"""Tapes: constructors, validation, files."""

import contextlib
import dataclasses
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sos_gym.resource import Op
from sos_gym.workload import OPS, OWNERS, PAGES, THREADS, Tape, TapeError, op_array, validity
from sos_gym.workload.tables import BARE_OPS, CHANNEL_OPS, LOCK_OPS, PAGE_OPS, TABLES, TIME_OPS, TOUCH_OPS, op_in

JOINT = [
    [(Op.SLEEP, 5), (Op.READ, 70), (Op.WRITE, 3, 9), (Op.SIGNAL, 0), (Op.COLD, 70), (Op.YIELD,), (Op.EXIT,)],
    [(Op.WAIT, 0), (Op.READ, 3), (Op.COMPUTE, 100), (Op.PAGEOUT, 3), (Op.DONTNEED, 11), (Op.SLEEP_UNTIL, 900)],
]


def joint(**settings) -> Tape:
    return Tape.build(JOINT, weight=[512, 2048], card={"name": "joint", "alpha": 0.5}, **settings)


# -- records


def test_layout_is_as_promised():
    assert (OPS.itemsize, THREADS.itemsize, PAGES.itemsize, OWNERS.itemsize) == (12, 56, 12, 4)


def test_every_op_has_one_kind_of_argument():
    """An op that is added to `resource.Op` must be put into one of these, or no tape with it is checked."""
    assert Counter((*TIME_OPS, *PAGE_OPS, *CHANNEL_OPS, *LOCK_OPS, *BARE_OPS)) == Counter(Op)
    assert set(TOUCH_OPS) < set(PAGE_OPS)


def test_every_array_of_a_tape_is_a_table_or_the_channels():
    arrays = [field.name for field in dataclasses.fields(Tape) if field.type is np.ndarray]
    assert arrays == [*TABLES, "channels"]


@pytest.mark.parametrize("members", [TIME_OPS, TOUCH_OPS, PAGE_OPS, CHANNEL_OPS, LOCK_OPS, BARE_OPS, ()])
def test_ops_are_found_as_numpy_finds_them(members):
    ops = op_array(list(Op))
    assert op_in(ops, members).tolist() == np.isin(ops["op"], members).tolist()


def test_importing_workload_needs_no_numba():
    code = "import sys, sos_gym.workload; sys.exit(any(m.startswith(('numba', 'scipy')) for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- from_references


def plain_renumbering(pages) -> list[int]:
    seen: dict[int, int] = {}
    return [seen.setdefault(int(page), len(seen)) for page in pages]


@pytest.mark.parametrize("spread", [1, 1 << 40])  # the table and the sort
def test_pages_are_renumbered_in_order_of_first_touch(spread):
    pages = np.random.default_rng(1).integers(-50, 50, 3000) * spread
    tape = Tape.from_references(pages)
    assert tape.ops["arg"].tolist() == plain_renumbering(pages)
    assert len(tape.pages) == len(set(pages.tolist()))


def test_addresses_above_2_to_63_are_pages():
    pages = np.array([2**64 - 1, 5, 2**63, 2**64 - 1], np.uint64)
    assert Tape.from_references(pages).ops["arg"].tolist() == [0, 1, 2, 0]


def test_references_carry_writes_think_time_and_lines():
    tape = Tape.from_references([4, 4, 9], writes=[0, 1, 0], ns_per_reference=250, lines=[1, 2, 65535])
    assert tape.ops["op"].tolist() == [Op.READ, Op.WRITE, Op.READ]
    assert tape.ops["lines"].tolist() == [1, 2, 65535]
    assert tape.threads[0].tolist()[:8] == (0, 3, 0, 250, -1, 0, 1024, -1)
    assert tape.pages["private"].tolist() == [1, 1]
    assert len(tape) == 3


def test_five_million_references_take_seconds():
    pages = np.random.default_rng(0).integers(0, 100_000, 5_000_000)
    tape = Tape.from_references(pages)
    assert len(tape) == 5_000_000
    assert tape.ops["arg"][:1000].tolist() == plain_renumbering(pages[:1000])


# -- from_jobs


def test_one_burst_per_job():
    tape = Tape.from_jobs([0, 5, 9], [10, 20, 30], weight=[1, 2, 3])
    assert [program(tape, i) for i in range(3)] == [[(Op.COMPUTE, 10)], [(Op.COMPUTE, 20)], [(Op.COMPUTE, 30)]]
    assert tape.threads["arrival_ns"].tolist() == [0, 5, 9]
    assert tape.threads["owner"].tolist() == [0, 1, 2]
    assert tape.threads["weight"].tolist() == tape.owners["weight"].tolist() == [1, 2, 3]


def test_bursts_with_sleeps_between():
    tape = Tape.from_jobs([0, 5], [[10, 20], [30]], sleep_ns=[[7], []])
    assert program(tape, 0) == [(Op.COMPUTE, 10), (Op.SLEEP, 7), (Op.COMPUTE, 20)]
    assert program(tape, 1) == [(Op.COMPUTE, 30)]
    assert tape.owners["weight"].tolist() == [1024, 1024]


def test_a_table_of_bursts_and_one_sleep():
    tape = Tape.from_jobs([0, 0], np.array([[1, 2, 3], [4, 5, 6]]), sleep_ns=9)
    assert program(tape, 1) == [(Op.COMPUTE, 4), (Op.SLEEP, 9), (Op.COMPUTE, 5), (Op.SLEEP, 9), (Op.COMPUTE, 6)]


def program(tape: Tape, thread: int) -> list[tuple[int, int]]:
    """What thread does, as (op, arg)."""
    ops = tape.ops[tape.threads["first"][thread] : tape.threads["last"][thread]]
    return list(zip(ops["op"].tolist(), ops["arg"].tolist(), strict=True))


# -- build


def test_build_lays_out_threads_and_pages():
    tape = joint(pages={70: {"file": 1, "affinity": 2}, 3: {"pinned": 1}})
    assert program(tape, 0)[1:3] == [(Op.READ, 0), (Op.WRITE, 1)]
    assert program(tape, 1)[4] == (Op.DONTNEED, 2)
    assert tape.ops["lines"].tolist() == [0, 64, 9] + [0] * 5 + [64] + [0] * 4
    assert tape.pages["owner"].tolist() == [0, 0, 1]
    assert tape.pages["private"].tolist() == [1, 0, 1]
    assert tape.pages["file"].tolist() == [1, 0, 0]
    assert tape.pages["affinity"].tolist() == [2, -1, -1]
    assert tape.pages["pinned"].tolist() == [0, 1, 0]
    assert tape.owners["weight"].tolist() == [512, 2048]
    assert tape.channels.tolist() == [0]


def test_one_owner_makes_its_pages_private():
    tape = joint(owner=0)
    assert tape.pages["private"].tolist() == [1, 1, 1]
    assert tape.owners["weight"].tolist() == [512]  # of its first thread


def test_an_owner_given_to_a_page_decides_who_is_foreign():
    tape = Tape.build([[(Op.READ, 0)], [(Op.READ, 0)]], owner=[0, 1], pages={0: {"owner": 1}})
    assert tape.pages["owner"].tolist() == [1]
    assert tape.pages["private"].tolist() == [0]


def test_arrays_are_read_only_and_names_follow():
    tape = joint(thread_names=["reader", "waiter"])
    for array in (tape.ops, tape.threads, tape.pages, tape.owners, tape.channels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]
    assert (tape.thread_name(1), joint().thread_name(1)) == ("waiter", "thread 1")
    assert repr(tape).startswith("Tape('joint', 13 ops, 2 threads, 3 pages, 2 owners, 1 channels, ")


def test_a_frozen_tape_does_not_freeze_its_callers_array():
    ops = op_array([Op.COMPUTE], [1])
    Tape.build([ops])
    ops["arg"] = 2


# -- hash


def test_hash_is_golden():
    assert joint().hash() == "452788a6b34a9bad"


def test_hash_sees_everything_the_engine_sees_and_no_more():
    variants = [
        joint(),
        joint(arrival_ns=1),
        joint(think_ns=1),
        joint(owner=0),
        joint(affinity=1),
        joint(owner_weight=7),
        joint(channels=[1]),
        joint(pages={3: {"pinned": 1}}),
        joint(pages={3: {"file": 1}}),
        Tape.build([[*JOINT[0][:2], (Op.WRITE, 3, 8), *JOINT[0][3:]], JOINT[1]], weight=[512, 2048]),
    ]
    assert len({tape.hash() for tape in variants}) == len(variants)
    other_card = Tape.build(JOINT, weight=[512, 2048], card={"name": "other"}, thread_names=["a", "b"])
    assert other_card == joint() and hash(other_card) == hash(joint())
    assert joint() != variants[1]


# -- validation


def test_clock_times_do_not_add_up():
    assert len(Tape.build([[(Op.SLEEP_UNTIL, 1 << 59), (Op.SLEEP_UNTIL, 1 << 60)]])) == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Tape.build([]), ["empty", "0 threads"]),
        (lambda: Tape.build([[], []]), ["empty", "0 ops"]),
        (lambda: Tape.from_references([]), ["empty"]),
        (lambda: Tape.from_references([1.5]), [r"pages\[0\]", "1.5", "whole"]),
        (lambda: Tape.from_references([1.0, float("nan")]), [r"pages\[1\]", "nan"]),
        (lambda: Tape.from_references(["a"]), ["pages", "integers"]),
        (lambda: Tape.from_references([[1]]), ["one dimension"]),
        (lambda: Tape.from_references([1], writes=[1, 0]), ["writes", r"\(1,\)"]),
        (lambda: Tape.from_references([1], ns_per_reference=-1), ["think_ns", "-1", "0 to"]),
        (lambda: Tape.from_references([1], lines=0), ["lines", "1 to 65535"]),
        (lambda: Tape.from_references([1], lines=65536), ["lines", "65536"]),
        (lambda: Tape.from_references([1, 2], lines=[1, 2, 3]), ["lines", "one length"]),
        (lambda: Tape.from_jobs([-1], [5]), [r"arrival_ns\[0\]", "-1", "shift"]),
        (lambda: Tape.from_jobs([0], [-5]), [r"burst_ns\[0\]", "-5"]),
        (lambda: Tape.from_jobs([0, 1], [5]), ["burst_ns", "2"]),
        (lambda: Tape.from_jobs([0], [[5, 6]]), ["sleep_ns", "between"]),
        (lambda: Tape.from_jobs([0], [[5, 6]], sleep_ns=[[1, 2]]), [r"sleep_ns\[0\]", "per gap"]),
        (lambda: Tape.from_jobs([0], [5], weight=0), ["weight", "0", "1 to"]),
        (lambda: Tape.from_jobs([0], [5], weight=[1, 2]), ["weight", "per thread"]),
        (lambda: Tape.build([[(Op.COMPUTE, -1)]]), ["COMPUTE", "-1"]),
        (lambda: Tape.build([[(Op.SLEEP, -1)]]), ["SLEEP", "-1"]),
        (lambda: Tape.build([[(Op.COMPUTE, 1 << 60)] * 2]), ["add up"]),
        (lambda: Tape.build([[(Op.COMPUTE, 1 << 60), (Op.SLEEP_UNTIL, 1 << 59)]]), ["add up"]),
        (lambda: Tape.build([[(14, 0)]]), ["thread 0", "op", "0 to 13"]),
        (lambda: Tape.build([[(Op.LOCK, -1)]]), ["lock", "-1"]),
        (lambda: Tape.build([[(Op.LOCK, 0), (Op.UNLOCK, 0), (Op.LOCK, 2), (Op.UNLOCK, 2)]]), ["lock 1 is in no op"]),
        (lambda: Tape.build([[(Op.LOCK, 0), (Op.EXIT,)]]), [r"ops\[0\] of thread 0 takes lock 0 and never"]),
        (
            lambda: Tape.build([[(Op.LOCK, 0), (Op.UNLOCK, 0)], [(Op.COMPUTE, 1), (Op.UNLOCK, 0)]]),
            [r"ops\[3\] of thread 1 gives back lock 0, which it does not hold"],
        ),
        (
            lambda: Tape.build([[(Op.LOCK, 0), (Op.LOCK, 1), (Op.LOCK, 0), (Op.UNLOCK, 0), (Op.UNLOCK, 1)]]),
            [r"ops\[2\] of thread 0 takes lock 0, which it holds"],
        ),
        (lambda: Tape.build([[(Op.YIELD, 3)]]), ["YIELD", "3", "no argument"]),
        (lambda: Tape.build([[(Op.SIGNAL, -1)]]), ["channel", "-1"]),
        (lambda: Tape.build([[(Op.SIGNAL, 2)]], channels=[0]), ["channel", "2", "0 to 0"]),
        (lambda: Tape.build([[(Op.SIGNAL, 0)]], channels=[-1]), ["channels", "-1"]),
        (lambda: Tape.build([[(Op.COMPUTE, 1)]], affinity=0), ["affinity", "0", "-1 for all"]),
        (lambda: Tape.build([[(Op.COMPUTE, 1)]], affinity=-2), ["affinity", "-2"]),
        (lambda: Tape.build([[(Op.COMPUTE, 1)]], owner=1), ["owner", "0 to 0"]),
        (lambda: Tape.build([[(Op.COMPUTE, 1)]], owner_weight=0), ["owner_weight", "0"]),
        (lambda: Tape.build([[(Op.COMPUTE, 1)]], thread_names=["a", "b"]), ["thread_names", "2 names"]),
        (lambda: Tape.build([[(Op.EXIT,), (Op.COMPUTE, 1)]]), ["EXIT", "1 ops after"]),
        (lambda: Tape.build([[(Op.COMPUTE, 1)]], card={"x": object()}), ["card", "JSON"]),
        (lambda: joint(pages={4: {"file": 1}}), ["page 4", "no op"]),
        (lambda: joint(pages={3: {"fiel": 1}}), ["fiel", "file"]),
        (lambda: joint(pages={3: {"file": 2}}), ["file", "2", "0 to 1"]),
        (lambda: joint(pages={3: {"affinity": 0}}), ["affinity", "0"]),
        (lambda: joint(pages={3: {"owner": 2}}), ["owner", "2", "0 to 1"]),
        (lambda: joint(pages={3: {"private": 1}}), ["private", "another owner"]),
    ],
)
def test_errors_name_argument_value_range_and_remedy(make, words):
    with pytest.raises(TapeError) as error:
        make()
    for word in words:
        assert re.search(word, str(error.value)), f"{word!r} not in {error.value}"


def edited(**changes) -> Tape:
    """The joint tape with fields of its arrays overwritten: {'threads': {'first': …}}."""
    tape = joint()
    arrays = {name: getattr(tape, name).copy() for name in ("ops", "threads", "pages", "owners", "channels")}
    for name, fields in changes.items():
        for column, value in fields.items():
            arrays[name][column] = value
    return Tape(**arrays)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"threads": {"first": [0, 8]}}, r"threads\[0\] spans ops 0 to 7"),
        ({"threads": {"last": [7, 12]}}, r"threads\[1\] spans"),
        ({"threads": {"first": [1, 7]}}, r"threads\[0\] spans ops 1"),
        ({"threads": {"owner": [0, 5]}}, "threads.owner"),
        ({"threads": {"arrival_ns": [0, -5]}}, "threads.arrival_ns"),
        ({"threads": {"weight": [0, 5]}}, "threads.weight"),
        ({"pages": {"owner": -1}}, "pages.owner"),
        ({"owners": {"weight": 0}}, "owners.weight"),
        ({"ops": {"op": [9, 3, 4, 6, 8, 7, 11, 5, 3, 0, 9, 77, 2]}}, r"ops.op\[11\] is 77"),
        ({"ops": {"arg": 1}}, "channel"),
        ({"ops": {"lines": 0}}, "lines"),
    ],
)
def test_hand_made_arrays_are_checked(changes, words):
    with pytest.raises(TapeError, match=words):
        edited(**changes)


def test_pages_must_be_dense_in_order_of_first_mention():
    ops, one = op_array(Op.READ, [1, 0]), Tape.from_references([0, 1])
    with pytest.raises(TapeError, match="page 1 is mentioned before page 0"):
        Tape(ops, one.threads, one.pages, one.owners, one.channels)
    with pytest.raises(TapeError, match="page 1 of 2 is in no op"):
        Tape(op_array(Op.READ, [0, 0]), one.threads, one.pages, one.owners, one.channels)


def test_bare_arrays_of_the_wrong_type_are_refused():
    one = Tape.from_references([0])
    with pytest.raises(TapeError, match="ops is int64"):
        Tape(np.zeros(1, np.int64), one.threads, one.pages, one.owners, one.channels)


# -- stuck tapes


def locked(*ops):
    """A program that holds lock 0 from its first op to its last."""
    return [(Op.LOCK, 0), *ops, (Op.UNLOCK, 0)]


@pytest.mark.parametrize(
    ("programs", "channels", "stuck"),
    [
        ([[(Op.WAIT, 0)]], [0], "thread 0 on channel 0"),
        ([[(Op.WAIT, 0), (Op.SIGNAL, 1)], [(Op.WAIT, 1), (Op.SIGNAL, 0)]], None, "thread 0 on channel 0, thread 1"),
        ([[(Op.SIGNAL, 0), (Op.WAIT, 0), (Op.WAIT, 0)]], None, "thread 0 on channel 0"),
        ([[(Op.WAIT, 0)], [(Op.WAIT, 0)], [(Op.SIGNAL, 0)]], None, "thread 1 on channel 0"),
        ([locked((Op.WAIT, 0)), locked((Op.SIGNAL, 0))], None, "thread 0 on channel 0, thread 1 on lock 0"),
    ],
)
def test_threads_that_wait_for_ever_are_named(programs, channels, stuck):
    with pytest.raises(TapeError, match=stuck):
        Tape.build(programs, channels=channels)


def test_waits_that_are_met_later_are_fine():
    relay = [[(Op.WAIT, 2)], [(Op.WAIT, 1), (Op.SIGNAL, 2)], [(Op.SIGNAL, 1)]]
    assert len(Tape.build(relay)) == 4
    assert len(Tape.build([[(Op.WAIT, 0), (Op.WAIT, 0)]], channels=[2])) == 2


def test_locks_may_cross_and_are_counted():
    crossing = [(Op.LOCK, 0), (Op.LOCK, 1), (Op.UNLOCK, 0), (Op.LOCK, 0), (Op.UNLOCK, 1), (Op.UNLOCK, 0)]
    assert (Tape.build([crossing, locked((Op.COMPUTE, 5))]).locks, joint().locks) == (2, 0)


# -- files


@pytest.mark.parametrize("compressed", [True, False])
def test_save_and_load_round_trip(tmp_path, compressed):
    tape = joint(thread_names=["ä", "b"], pages={3: {"pinned": 1}})
    loaded = Tape.load(tape.save(tmp_path / "a.npz", compressed))
    assert not loaded.ops.flags.owndata and (loaded.ops.base is not None)
    assert loaded == tape and loaded.hash() == tape.hash()
    assert (loaded.card, loaded.thread_names) == (tape.card, tape.thread_names)
    for name in ("ops", "threads", "pages", "owners", "channels"):
        assert np.array_equal(getattr(loaded, name), getattr(tape, name))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = joint().save(tmp_path / "a.npz")
    before = path.read_bytes()

    def broken(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", broken)
    with pytest.raises(OSError, match="disk full"):
        joint(think_ns=5).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("compressed", [True, False])
def test_every_cut_file_is_refused(tmp_path, compressed):
    path = joint().save(tmp_path / "a.npz", compressed)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(TapeError):
            Tape.load(path)


def test_plain_ops_are_mapped(tmp_path):
    """What is not compressed stays in its file: a change there is seen, a load does not read it."""
    tape = Tape.from_references(np.arange(9))
    path = tape.save(tmp_path / "a.npz", compressed=False)
    loaded = Tape.load(path)
    assert loaded == tape
    whole = bytearray(path.read_bytes())
    at = whole.index(tape.ops.tobytes())
    whole[at : at + OPS.itemsize] = tape.ops[5:6].tobytes()
    with open(path, "r+b") as file:  # in place: the same file
        file.write(whole)
    assert loaded.ops["arg"].tolist() == [5, *range(1, 9)]


def test_another_card_changes_nothing_else():
    tape = joint()
    other = tape.described({"name": "other", "odd": np.int64(3)})
    assert other == tape and other.card == {"name": "other", "odd": 3} and tape.card["name"] != "other"
    with pytest.raises(TapeError, match="card cannot be written"):
        tape.described({"name": {1, 2}})


@pytest.mark.parametrize("piece", [1, 2, 7])
def test_a_tape_is_checked_piece_by_piece(monkeypatch, piece):
    monkeypatch.setattr(validity, "PIECE", piece)
    tape = joint()
    again = dataclasses.replace(tape)
    assert again.hash() == tape.hash()
    assert again.op_counts.tolist() == [tape.ops["op"].tolist().count(op) for op in Op]
    for wrong in (
        {"threads": _with(tape.threads, "owner", 1, [0])},  # a private page of another owner
        {"ops": _with(tape.ops, "op", 99, [-1])},
        {"ops": tape.ops[::-1].copy()},
    ):
        with pytest.raises(TapeError):
            dataclasses.replace(tape, **wrong)


def _with(table, field, value, at):
    changed = table.copy()
    changed[field][at] = value
    return changed


@pytest.mark.parametrize("compressed", [True, False])
def test_a_flipped_byte_is_refused_or_harmless(tmp_path, compressed):
    path = joint().save(tmp_path / "a.npz", compressed)
    whole = path.read_bytes()
    for at in range(0, len(whole), 53):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with contextlib.suppress(TapeError):
            assert Tape.load(path) == joint()


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "x.npz"
    path.write_text("hello")
    with pytest.raises(TapeError, match="not a tape"):
        Tape.load(path)
    np.savez(path, a=np.arange(3))
    with pytest.raises(TapeError, match="no tape header"):
        Tape.load(path)
    np.savez(path, header=np.array({"format": "sos_gym.tape"}, dtype=object))
    with pytest.raises(TapeError, match="no tape header"):  # a pickle is never opened
        Tape.load(path)
    np.save(tmp_path / "x.npy", np.arange(3))
    with pytest.raises(TapeError, match="bare array"):
        Tape.load(tmp_path / "x.npy")
    with pytest.raises(FileNotFoundError):
        Tape.load(tmp_path / "none.npz")


def with_members(path, **members):
    """Rewrite some arrays of an .npz."""
    with np.load(path) as archive:
        arrays = dict(archive) | members
    np.savez(path, **arrays)


def test_other_versions_and_damaged_tables_are_refused(tmp_path):
    path = joint().save(tmp_path / "a.npz")
    header = {"format": "sos_gym.tape", "version": 2, "card": {}, "thread_names": []}
    with_members(path, header=np.frombuffer(json.dumps(header).encode(), np.uint8))
    with pytest.raises(TapeError, match=r"version 2; allowed: sos_gym\.tape version 1"):
        Tape.load(path)
    for members in (
        {"ops.arg": np.arange(3)},
        {"ops.arg": np.zeros(13)},
        {"threads.weight": np.full(2, 1 << 40)},
        {"channels": np.zeros(1)},
    ):
        path = joint().save(tmp_path / "b.npz")
        with_members(path, **members)
        with pytest.raises(TapeError, match="damaged"):
            Tape.load(path)
    path = joint().save(tmp_path / "c.npz")
    with_members(path, **{"threads.weight": np.array([0, 1], np.int32)})
    with pytest.raises(TapeError, match=r"threads\.weight"):  # loaded tapes are validated
        Tape.load(path)


def test_a_missing_table_is_refused(tmp_path):
    path = joint().save(tmp_path / "a.npz")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "b.npz", "w") as new:
        for item in old.namelist():
            if item != "pages.file.npy":
                new.writestr(item, old.read(item))
    with pytest.raises(TapeError, match=r"damaged.*pages\.file"):
        Tape.load(tmp_path / "b.npz")


# -- any tape

TOUCH = st.tuples(st.sampled_from([Op.READ, Op.WRITE]), st.integers(-(2**62), 2**62), st.integers(1, 65535))
ENTRY = st.one_of(
    st.tuples(st.sampled_from([Op.COMPUTE, Op.SLEEP, Op.SLEEP_UNTIL]), st.integers(0, 10**12)),
    TOUCH,
    st.tuples(st.sampled_from([Op.READ, Op.COLD, Op.PAGEOUT, Op.DONTNEED]), st.integers(0, 9)),
    st.tuples(st.just(Op.SIGNAL), st.integers(0, 3)),
    st.just((Op.YIELD,)),
)
PROGRAMS = st.lists(st.lists(ENTRY, max_size=12), min_size=1, max_size=5).filter(any)


@settings(max_examples=150, deadline=None)
@given(PROGRAMS, st.data())
def test_build_keeps_every_op(programs, data):
    owners = data.draw(st.lists(st.integers(0, len(programs) - 1), min_size=len(programs), max_size=len(programs)))
    tape = Tape.build(programs, owner=owners)
    seen: dict[int, int] = {}
    users: dict[int, set[int]] = {}
    for i, entries in enumerate(programs):
        built = tape.ops[tape.threads["first"][i] : tape.threads["last"][i]]
        assert len(built) == len(entries)
        for row, (op, arg, lines) in zip(
            built, [(*e, 0, 64)[:3] if len(e) == 1 else (*e, 64)[:3] for e in entries], strict=True
        ):
            if op in (Op.READ, Op.WRITE, Op.COLD, Op.PAGEOUT, Op.DONTNEED):
                arg = seen.setdefault(arg, len(seen))
                users.setdefault(arg, set()).add(owners[i])
            expected_lines = lines if op in (Op.READ, Op.WRITE) else 0
            assert (row["op"], row["arg"], row["lines"]) == (op, arg, expected_lines)
    assert tape.pages["private"].tolist() == [int(len(users[page]) == 1) for page in range(len(seen))]
    tape.validate()


@settings(max_examples=40, deadline=None)
@given(PROGRAMS)
def test_any_tape_survives_the_disk(tmp_path_factory, programs):
    tape = Tape.build(programs)
    path = tmp_path_factory.mktemp("tapes") / "t.npz"
    assert Tape.load(tape.save(path)) == tape
