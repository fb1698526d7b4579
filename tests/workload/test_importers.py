"""Importers: what each format becomes, what is refused and how, how much memory it takes."""

import bz2
import gzip
import hashlib
import inspect
import io
import json
import lzma
import re
import struct
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import typer
import zstandard
from extending import example, extending
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import sos_gym
from sos_gym import SettingError, Tape, TapeError, import_tape
from sos_gym.cli.app import app
from sos_gym.cli.importing import with_declared_options
from sos_gym.resource import Op
from sos_gym.workload.discovery import import_modules
from sos_gym.workload.traces import FORMATS, OPTIONS, formats, lackey, source
from sos_gym.workload.traces.formats import blocks
from sos_gym.workload.traces.formats.registry import explanation, plain_name
from sos_gym.workload.traces.formats.requests import RECORD

US, MS, S = 10**3, 10**6, 10**9
ARC, SPC, MSR = "7 1 0 0", "0,1,512,r,0.5", "1,h,0,Read,0,512,1"
TEXT = [name for name, one in FORMATS.items() if one.pattern]


def ops(tape: Tape) -> list[tuple]:
    """(op, argument, lines) of each op."""
    return [(Op(int(op["op"])), int(op["arg"]), int(op["lines"])) for op in tape.ops]


def program(tape: Tape, thread: int) -> list[tuple]:
    first, last = tape.threads["first"][thread], tape.threads["last"][thread]
    return [(op, arg) for op, arg, _ in ops(tape)[first:last]]


def touched(tape: Tape) -> list[tuple[int, bool]]:
    """(page, written) of each reference."""
    return [(arg, op == Op.WRITE) for op, arg, _ in ops(tape) if op in (Op.READ, Op.WRITE)]


def records(ids, size=1, time=0) -> bytes:
    """An oracleGeneral file; nobody is told when the next request comes."""
    made = np.zeros(len(ids), RECORD)
    made["id"], made["size"], made["time"], made["next"] = ids, size, time, -1
    return made.tobytes()


def numbers(words: str) -> bytes:
    """A file of cache2k."""
    return struct.pack(f">{len(words.split())}i", *map(int, words.split()))


def requests(words: str, version: int = 1) -> bytes:
    """A file of vscsi; a line is command, sector, bytes, time in us."""
    rows = [[int(word, 0) for word in line.split()] for line in words.splitlines()]
    if version == 1:
        return b"".join(
            struct.pack("<IIIHHQQ", i, size, 1, op, 1 << 8, at, us) for i, (op, at, size, us) in enumerate(rows)
        )
    return b"".join(
        struct.pack("<HHIIIQQQ", op, 2 << 8, i, size, 1, at, us, 9) for i, (op, at, size, us) in enumerate(rows)
    )


@pytest.fixture
def file(tmp_path):
    """Write a file of that name, and give its path."""

    def write(name: str, content: str | bytes):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


# -- what each format becomes


def test_oracle_general_records_are_reads(file):
    path = file("a.oracleGeneral", records([7, 7, 2**63 + 5, 9, 7], size=[1, 4096, 8, 0, 1], time=[5, 6, 6, 7, 8]))
    assert ops(import_tape(path)) == [(Op.READ, page, 64) for page in (0, 0, 1, 0)]
    timed = import_tape(path, timed=True)
    sleeps = [(Op.READ, 0, 64), (Op.SLEEP_UNTIL, S, 0), (Op.READ, 0, 64), (Op.READ, 1, 64), (Op.SLEEP_UNTIL, 3 * S, 0)]
    assert ops(timed) == [*sleeps, (Op.READ, 0, 64)]
    assert timed.card["left_out"] == {"requests of size 0": 1}
    assert timed.threads["think_ns"].tolist() == [100]


def test_csv_as_libcachesim_writes_it_needs_no_columns(file):
    path = file("a.csv", "33898,42932745,512,-1\n33898,6,512,4\n33900,9,0,-1\n33901,6,512,-1\n")
    tape = import_tape(path)
    assert (tape.card["format"], touched(tape)) == ("csv", [(0, False), (1, False), (1, False)])
    assert ops(import_tape(path, timed=True))[2:] == [(Op.SLEEP_UNTIL, 3 * S, 0), (Op.READ, 1, 64)]


def test_csv_columns_by_header_by_option_and_as_text(file):
    by_name = file("a.csv", "version,time,op,size,lbn\n1,5,2a,512,70\n1,5,28,512,71\n1,6.5,2a,512,70\n")
    assert touched(import_tape(by_name)) == [(0, False), (1, False), (0, False)]
    assert ops(import_tape(by_name, timed=True))[2] == (Op.SLEEP_UNTIL, 1_500_000_000, 0)
    by_option = file("b.csv", "get;user:1;8\nSET;user:2;8\nget;user:2;0\nread;user:1;8\n")
    told = "obj-id-col=2, obj-size-col=3, op-col=1, delimiter=;, has-header=false"
    assert touched(import_tape(by_option, columns=told)) == [(0, False), (1, True), (0, False)]
    digits = file("c.csv", "key\nx\n1\n01\nx\n")
    assert touched(import_tape(digits, "csv", columns="obj-id-col=1,has-header=true")) == [
        (page, False) for page in (0, 1, 2, 0)
    ]
    comma = "time-col=1,obj-id-col=2,delimiter=,,obj-id-is-num=true"
    assert touched(import_tape(file("d.csv", "1,1\n2,01\n"), columns=comma)) == [(0, False), (0, False)]


def test_quoted_fields_of_a_csv_may_hold_the_delimiter(file):
    assert touched(import_tape(file("c.csv", '"k,e,y";op\\n"a,b,c";get\\n'), columns="obj-id-col=1")) == [(0, False)]
    path = file("a.csv", 'key,op,size\n"a,b",get,1\n"a,c",get,1\nplain,set,1\n"a,b",get,1\n')
    assert touched(import_tape(path)) == [(0, False), (1, False), (2, True), (0, False)]
    by_option = file("b.csv", '1,"x 1",8\n2,"x,2",8\n3,x 1,8\n')
    assert touched(import_tape(by_option, columns="obj-id-col=2")) == [(0, False), (1, False), (0, False)]


def test_a_quote_that_does_not_end_swallows_no_line(file):
    for rest in ("1,c\n", '1,d"\n'):
        path = file("a.csv", f'size,key\n1,a\n1,"b\n{rest}')
        with pytest.raises(TapeError, match=r"line 3 is .*a quote has no end"):
            import_tape(path)


def test_keys_of_a_csv_may_begin_with_the_mark_of_comments(file):
    """Lines such as `#b,1` vanished."""
    tape = import_tape(file("a.csv", "# made by hand\nkey,size\na,1\n#b,1\n#b,1\n# a, b, c\n#b,1\n"))
    assert touched(tape) == [(0, False), (1, False), (1, False), (1, False)]
    assert tape.card["left_out"] == {"comments": 2} and tape.card["header"] == "key,size"
    assert touched(import_tape(file("b.csv", "#key,size\n#a,1\nb,1\n"))) == [(0, False), (1, False)]


def test_a_first_line_that_is_a_record_does_not_vanish(file):
    path = file("a.csv", "user:1,get\nuser:2,set\nuser:1,get\n")
    tape = import_tape(path, columns="obj-id-col=1,op-col=2")
    assert touched(tape) == [(0, False), (1, True), (0, False)] and tape.card["header"] == "none"
    named = import_tape(file("b.csv", "wann,was\n1,7\n2,8\n"), columns="time-col=1,obj-id-col=2")
    assert touched(named) == [(0, False), (1, False)] and named.card["header"] == "wann,was"


@pytest.mark.parametrize(
    ("content", "number"),
    [
        ("key\nuser\nuser 1\nuser 2\n", 3),
        ("key,op\na,get\na,b,get\n", 3),
        ("key,op\na,get\na\n", 3),
        ('key,op\na,get\n"a,b",c,get\n', 3),
    ],
)
def test_lines_of_other_columns_are_refused_and_not_cut(file, content, number):
    with pytest.raises(TapeError, match=rf"line {number} is .*wrong number of columns"):
        import_tape(file("a.csv", content), "csv")


@pytest.mark.parametrize(
    ("between", "columns"),
    [
        ("\t", ""),
        ("  ", ""),
        (" \t", "delimiter=blank,"),
        ("\t", "delimiter=tab,"),
        ("\t", r"delimiter=\t,"),
        (" ", "delimiter= ,"),
    ],
)
def test_columns_of_a_csv_may_be_parted_by_blanks_or_tabs(file, between, columns):
    lines = "".join(between.join(line) + "\n" for line in (("1", "7", "5"), ("2", "8", "5"), ("2", "7", "5")))
    told = f"{columns}time-col=1,obj-id-col=2,obj-size-col=3"
    assert touched(import_tape(file("a.csv", lines), "csv", columns=told)) == [(0, False), (1, False), (0, False)]


def test_three_columns_of_webcachesim_are_time_object_and_size(file):
    tape = import_tape(file("test.tr", "109 26 1\n139 3 2\n158 26 0\n160 26 2\n"))
    assert touched(tape) == [(0, False), (1, False), (0, False)]
    assert (tape.card["columns"], tape.card["left_out"]) == ("time 1, id 2, size 3", {"requests of size 0": 1})


KEY_VALUE = {
    **dict.fromkeys(("get", "gets", "GAT", "GET_LEASE"), False),
    **dict.fromkeys(("set", "add", "replace", "append", "prepend", "cas", "incr", "decr", "SET", "touch"), True),
}


def test_operations_of_key_value_traces_are_reads_writes_or_counted(file):
    """As twitter/cache-trace has them: time, key, sizes of key and value, client, operation, seconds to live."""
    lines = [f"{i},k{i},4,9,3,{op},0" for i, op in enumerate([*KEY_VALUE, "delete", "DEL"])]
    tape = import_tape(file("cluster.csv", "\n".join(lines)))
    assert touched(tape) == list(enumerate(KEY_VALUE.values()))
    assert tape.card["left_out"] == {"deletions": 2} and tape.card["columns"] == "time 1, id 2, op 6"
    header = file("kv.csv", "key,op,size\na,GET,1\na,SET,1\nb,DELETE,1\n")
    assert touched(import_tape(header)) == [(0, False), (0, True)]
    with pytest.raises(TapeError, match="line 3 is 'a,fetch,1': op must be one of r, read, get"):
        import_tape(file("kv.csv", "key,op,size\na,GET,1\na,fetch,1\n"))


@pytest.mark.parametrize("id", ["01", "x", "1.0", "", "+1", "99999999999999999999"])
def test_ids_that_differ_are_not_merged_because_the_first_one_is_a_number(file, id):
    content = f"1,1,8,-1\n2,{id},8,-1\n3,1,8,-1\n"
    with pytest.raises(TapeError, match=r"line 2 is .*obj-id-is-num=false"):
        import_tape(file("a.csv", content))
    told = import_tape(file("a.csv", content), columns="obj-id-col=2,obj-id-is-num=false")
    assert touched(told) == [(0, False), (1, False), (0, False)]


def test_arc_blocks_are_pages_of_512_bytes(file):
    path = file("P6.lis", "110765 3 0 0\n110767 2 0 1\n5 0 0 2\n")
    tape = import_tape(path)
    assert ops(tape) == [(Op.READ, page, 8) for page in (0, 1, 2, 2, 3)]
    assert tape.card["left_out"] == {"requests of size 0": 1}
    assert ops(import_tape(path, page_bytes=4096)) == [(Op.READ, page, 64) for page in (0, 0, 1)]  # up to block 110767


def test_spc_requests_cover_pages_of_their_unit(file):
    path = file(
        "a.spc", "0,7,1024,R,0.000000\r\n\r\n1, 7 ,512,w,0.5,more\n0,8,3584,w,0.026214\n0,0,0,r,1\n0,16,1,r,1.5"
    )
    tape = import_tape(path)
    assert ops(tape) == [(op, page, 64) for op, page in zip((3, 3, 4, 4, 3), (0, 1, 2, 1, 3), strict=True)]
    timed = import_tape(path, timed=True)
    assert [op for op in ops(timed) if op[0] == Op.SLEEP_UNTIL] == [
        (Op.SLEEP_UNTIL, 500 * MS, 0),
        (Op.SLEEP_UNTIL, 1500 * MS, 0),
    ]
    assert timed.card["out_of_order"] == 1
    assert [op[1] for op in ops(import_tape(path, timed=True, speed=1000)) if op[0] == Op.SLEEP_UNTIL] == [
        500 * US,
        1500 * US,
    ]


def test_msr_times_are_units_of_100_ns_and_disks_are_apart(file):
    lines = (
        "Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime",
        "128166372003061629,hm,1,Read,8191,2,413",
        "128166372003061639,hm,0,Write,8192,512,413",
        "128166372003061639,usr,1,Write,8192,512,413",
        "128166372003061649,hm,1,Write,8192,4096,413",
    )
    tape = import_tape(file("hm_1.csv", "\r\n".join(lines)), timed=True)
    read, write = (lambda page: (Op.READ, page, 64)), (lambda page: (Op.WRITE, page, 64))
    assert ops(tape) == [
        read(0),
        read(1),
        (Op.SLEEP_UNTIL, 1000, 0),
        write(2),
        write(3),
        (Op.SLEEP_UNTIL, 2000, 0),
        write(1),
    ]
    assert (tape.card["format"], tape.card["disks"], tape.card["name"]) == ("msr", 3, "hm_1")
    spaced = file("hm_2.csv", "\n".join([lines[0].replace(",", ", "), *lines[1:]]))
    assert import_tape(spaced).card["format"] == "msr"


@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_ramulator_rows_are_a_read_and_perhaps_a_write_back(file, monkeypatch, chunk):
    monkeypatch.setattr(source, "CHUNK", chunk)
    path = file("a.cputrace", "3 20734016\n1500 4096 20734080\n\n600 4160\n0 4096\n")
    assert ops(import_tape(path)) == [
        (Op.READ, 0, 1),
        (Op.COMPUTE, 1000, 0),  # of 1503 instructions
        (Op.READ, 1, 1),
        (Op.WRITE, 0, 1),
        (Op.COMPUTE, 1000, 0),  # 2103
        (Op.READ, 1, 1),
        (Op.READ, 1, 1),
    ]
    assert [page for page, _ in touched(import_tape(path, page_bytes=64))] == [0, 1, 2, 3, 1]


def test_lists_of_numbers_have_marks_and_blank_lines(file):
    tape = import_tape(file("cs.trace", "5\n18\n\n*\n5\n *\n7"))
    assert (tape.card["format"], tape.card["left_out"]) == ("lirs", {"marks": 2})
    assert touched(tape) == [(0, False), (1, False), (0, False), (2, False)]


@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_numbers_of_cache2k_are_big_endian_and_packed_with_xz(file, monkeypatch, chunk):
    monkeypatch.setattr(source, "CHUNK", chunk)
    ids = [3, 1 << 24, 0, 3] * 100
    tape = import_tape(file("web07.trace.xz", lzma.compress(numbers(" ".join(map(str, ids))))))
    assert tape.card["format"] == "cache2k" and touched(tape) == [(page, False) for page in (0, 1, 2, 0)] * 100
    with pytest.raises(TapeError, match="cut short: 2 bytes follow number 400"):
        import_tape(file("a.cache2k", numbers(" ".join(map(str, ids))) + b"\0\0"))
    with pytest.raises(TapeError, match="holds -1 as an object"):
        import_tape(file("a.cache2k", numbers("3 -1 7")))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_vscsi_requests_of_either_version_cover_pages(file, monkeypatch, version, chunk):
    monkeypatch.setattr(source, "CHUNK", chunk)
    content = requests("0x28 8 8192 1000\n0x8a 16 512 3000\n0x35 0 0 3000\n0x08 0 0 4000\n" * 20, version)
    tape = import_tape(file("disk", content), timed=True)
    assert tape.card["format"] == "vscsi" and touched(tape) == [(0, False), (1, False), (1, True)] * 20
    assert ops(tape)[2] == (Op.SLEEP_UNTIL, 2 * MS, 0)
    assert tape.card["left_out"] == {"commands but reads and writes": 20, "requests of size 0": 20}
    cut = content[:-7]
    with pytest.raises(TapeError, match=r"cut short: .* follow record 79"):
        import_tape(file("disk.vscsi", cut))
    with pytest.raises(TapeError, match="allowed: records of vscsi"):
        import_tape(file("disk.vscsi", content[3:]))


def test_address_traces_have_instructions_between_accesses(file):
    tape = import_tape(file("twolf.trace.gz", gzip.compress(b"s 0x1fffff70 1\nl 0x1FFFFF78 1999\nL 0x2fff 1\n")))
    assert tape.card["format"] == "address"
    assert ops(tape) == [(Op.WRITE, 0, 1), (Op.COMPUTE, 2000, 0), (Op.READ, 0, 1), (Op.READ, 1, 1)]


def test_accesses_of_dinero_and_pin(file):
    din = import_tape(file("a.din", "2 408ed4\n1 0x409000 8\n4 0\n3 408000\n"))
    assert touched(din) == [(0, False), (1, True), (0, False)] and din.card["left_out"] == {"flushes": 1}
    pin = import_tape(file("pinatrace.out", "#\n0x7f3a: R 0x1000\n0x7f3b: W   0x2000 8 0x0\n7f3c: R 1fff\n#eof\n"))
    assert pin.card["format"] == "pin" and touched(pin) == [(0, False), (1, True), (0, False)]


def test_block_requests_of_a_csv_stand_in_any_order(file):
    plain = import_tape(file("a.csv", "4096,8192,r\n8192,512,W\n0,0,r\n"))
    assert plain.card["format"] == "blockcsv" and touched(plain) == [(0, False), (1, False), (1, True)]
    assert plain.card["left_out"] == {"requests of size 0": 1}
    alibaba = "device_id,opcode,offset,length,timestamp\n419,W,8792731648,16384,0\n725,R,8792731648,4096,0.5\n"
    tape = import_tape(file("b.csv", f"# x\n{alibaba}"), "blockcsv", timed=True)
    assert touched(tape) == [(0, True), (1, True), (2, True), (3, True), (4, False)]
    assert (tape.card["disks"], tape.card["left_out"]) == (2, {"comments": 1})
    assert ops(tape)[4] == (Op.SLEEP_UNTIL, 500 * MS, 0)
    assert import_tape(file("c.csv", alibaba)).card["format"] == "blockcsv"
    trims = import_tape(file("e.csv", "Op,Offset (bytes),Size [bytes]\nR,0,1\nD,0,9\nflush,0,0\nW,0,1\n"))
    assert touched(trims) == [(0, False), (0, True)] and trims.card["left_out"] == {"discards and flushes": 2}
    tabs = file("d.csv", "Time\tOffset_bytes\tsize\n1\t0\t4097\n")
    assert touched(import_tape(tabs)) == [(0, False), (1, False)]


LACKEY = """==12== Lackey, an example Valgrind tool
I  04001000,3
I  04001003,5
 S 1ffefff7e0,8
 L 1ffefffffe,4
 M 1fff000002,2
I  04001008,60
==12== bye
"""


def test_lackey_runs_on_a_page_are_one_reference(file):
    tape = import_tape(file("a.txt", LACKEY))
    assert tape.card["format"] == "lackey"
    code, stack, next_page = 0, 1, 2
    assert ops(tape) == [(Op.READ, code, 1), (Op.WRITE, stack, 2), (Op.WRITE, next_page, 1), (Op.READ, code, 2)]
    assert tape.pages["file"].tolist() == [1, 0, 0]
    whole = import_tape(file("a.txt", LACKEY), page_bytes=1 << 21)
    assert ops(whole) == [(Op.READ, 0, 1), (Op.WRITE, 1, 2), (Op.WRITE, 2, 1), (Op.READ, 0, 2)]


@st.composite
def lackey_lines(draw) -> list[bytes]:
    kind = st.sampled_from((b"I ", b" L", b" S", b" M"))
    line = st.tuples(kind, st.integers(0, 1 << 15), st.integers(0, 200))
    return [b"%s %08x,%d" % one for one in draw(st.lists(line, min_size=1, max_size=60))]


@given(lackey_lines(), st.integers(1, 40))
def test_lackey_is_read_as_the_recorder_reads_it(tmp_path_factory, lines, chunk):
    path = tmp_path_factory.mktemp("lackey") / "trace"
    path.write_bytes(b"\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "CHUNK", chunk)
        assert import_tape(path, "lackey") == lackey.tape(lackey.reduce(lines, 1, 10**9))


def test_a_run_over_several_chunks_keeps_the_work_before_it(file, monkeypatch):
    lines = [b"I  00001000,4"] * 1500 + [b" S 00002000,8", b" L 00002040,8", b" L 00002000,8"] * 20 + [b"I  00001000,4"]
    monkeypatch.setattr(source, "CHUNK", 16)
    tape = import_tape(file("a.lackey", b"\n".join(lines)))
    assert ops(tape)[:3] == [(Op.READ, 0, 1), (Op.COMPUTE, 1000, 0), (Op.WRITE, 1, 2)]
    assert tape == lackey.tape(lackey.reduce(lines, 1, 10**9))


JOB = "{} {} 9 {} {} -1 -1 {} 7200 -1 {} {} 1 -1 1 -1 -1 -1\n"


def test_swf_jobs_are_threads_of_their_user(file):
    jobs = (
        JOB.format(1, 10, 3600, 2, 4, 1, 77),  # 2 processors, whatever was asked for
        JOB.format(2, 12.5, 0.25, -1, 3, 0, 5),  # 3 were asked for
        JOB.format(3, 13, -1, -1, 1, 5, 77),  # cancelled before it ran
        JOB.format(4, 14, 10, 1, 1, 3, 77),  # part of a job
        JOB.format(5, 11, 10, 50, 1, 1, 77),  # told late
    )
    tape = import_tape(file("log.swf", "; Version: 2.2\n;\n" + "".join(jobs)), most_threads=2)
    assert tape.threads["arrival_ns"].tolist() == [0, 0, 2500 * MS, 2500 * MS, S, S]
    assert ops(tape) == [(Op.COMPUTE, ns, 0) for ns in 2 * [3600 * S] + 2 * [250 * MS] + 2 * [10 * S]]
    assert tape.threads["owner"].tolist() == [0, 0, 1, 1, 0, 0]
    assert set(tape.threads["weight"]) == {1024}
    card = tape.card
    assert card["left_out"] == {"parts of jobs": 1, "jobs without run time": 1, "processors over most_threads": 1 + 48}
    assert (card["jobs"], card["users"], card["threads"], card["out_of_order"]) == (3, 2, 6, 1)
    fast = import_tape(tmp := file("log.swf", "".join(jobs)), speed=1000, limit=1)
    assert (fast.threads["arrival_ns"].tolist(), fast.ops["arg"].tolist()) == ([0, 0], [3600 * MS] * 2)
    assert fast.card["end"] == "cut after 1 jobs" and tmp.exists()


def test_a_log_of_jobs_says_how_long_a_run_would_take_and_its_advice_works(file):
    content = "; MaxNodes: 64\n; MaxProcs: 128\n" + JOB.format(1, 5, 40_001, 2, 2, 1, 1)
    path = file("log.swf", content)
    card = import_tape(path).card
    assert card["cores"] == 128 and card["decisions"].startswith("up to 8e+07: one per ms of work")
    speed = float(re.search(r"speed=([\d.]+) for a million", card["decisions"])[1])
    fast = import_tape(path, speed=speed)
    assert fast.ops["arg"].sum() <= 10**6 * MS and "import with" not in fast.card["decisions"]
    assert import_tape(file("log.swf", content.replace("; MaxProcs: 128\n", ""))).card["cores"] == 64
    assert "cores" not in import_tape(file("log.swf", JOB.format(1, 5, 4, 2, 2, 1, 1))).card


@pytest.mark.parametrize("seconds", [600_000_000, 749_478_988, 998_000_001, 123_456_789])
def test_the_speed_that_a_refusal_names_is_enough(file, seconds):
    """1.3 was named where 1.3009 was needed."""
    path = file("log.swf", JOB.format(1, 5, seconds, 16, 16, 1, 1))
    with pytest.raises(TapeError, match="raise speed") as refused:
        import_tape(path)
    speed = float(re.search(r"at least ([\d.]+)\)", str(refused.value))[1])
    assert len(import_tape(path, speed=speed).threads) == 16
    with pytest.raises(TapeError, match="raise speed"):
        import_tape(path, speed=speed * 0.98)


# (pid on the core, time in µs, event, …): init wakes A, which forks B; B exits, A wakes init
EVENTS = [
    (1, 0, "waking", 10),
    (1, 100, "switch", 1, "S", 10),
    (10, 300, "fork", 11),
    (10, 400, "switch", 10, "R", 11),
    (11, 900, "switch", 11, "X", 10),
    (10, 1000, "waking", 1),
    (10, 1200, "switch", 10, "S", 1),
    (1, 1500, "switch", 1, "S", 0),
]
COMM = {0: "swapper/0", 1: "init", 10: "a b-1", 11: "child"}
PROGRAMS = [
    [(Op.SIGNAL, 0), (Op.COMPUTE, 100 * US), (Op.WAIT, 1), (Op.COMPUTE, 300 * US)],
    [(Op.WAIT, 0), (Op.COMPUTE, 200 * US), (Op.SIGNAL, 2), (Op.COMPUTE, 200 * US), (Op.SIGNAL, 1)],
    [(Op.WAIT, 2), (Op.COMPUTE, 500 * US), (Op.EXIT, 0)],
]
PROGRAMS[1].append((Op.COMPUTE, 200 * US))


def kernel_words(event: str, *args) -> str:
    if event == "switch":
        left, state, came = args
        return (
            f"sched_switch: prev_comm={COMM[left]} prev_pid={left} prev_prio=120 prev_state={state} ==> "
            f"next_comm={COMM[came]} next_pid={came} next_prio=120"
        )
    if event == "fork":
        return f"sched_process_fork: comm={COMM[10]} pid=10 child_comm={COMM[args[0]]} child_pid={args[0]}"
    return f"sched_waking: comm={COMM[args[0]]} pid={args[0]} prio=120 target_cpu=000"


def plugin_words(event: str, *args) -> str:
    if event == "switch":
        left, state, came = args
        return f"sched_switch: {COMM[left]}:{left} [120] {state} ==> {COMM[came]}:{came} [120]"
    if event == "fork":
        return f"task_newtask: pid={args[0]} comm={COMM[args[0]]} clone_flags=1200000 oom_score_adj=0"
    return f"sched_waking: {COMM[args[0]]}:{args[0]} [120] CPU:000"


LAYOUTS = {
    "perf": lambda pid, us, *event: f"{COMM[pid]:>16} {pid:5} [000] 7.{us:06}: sched:{kernel_words(*event)}",
    "perf --ns": lambda pid, us, *event: f"{COMM[pid]} {pid}/{pid} [000] 7.{us:06}000:  1 sched:{kernel_words(*event)}",
    "tracefs": lambda pid, us, *event: f"  {COMM[pid]}-{pid} ({pid:7}) [000] d..2.  7.{us:06}: {kernel_words(*event)}",
    "trace-cmd": lambda pid, us, *event: f"{COMM[pid]}-{pid}  [000]  7.{us:06}: {plugin_words(*event)}",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_schedules_are_read_in_the_words_of_each_tool(file, layout):
    lines = ["cpus=1"] * (layout == "trace-cmd") + [LAYOUTS[layout](*event) for event in EVENTS]
    tape = import_tape(file("trace", "\n".join(lines)))
    assert tape.card["format"] == ("perf" if "perf" in layout else "ftrace")
    assert [program(tape, thread) for thread in range(len(tape.threads))] == PROGRAMS
    assert tape.thread_names == ("init", "a b-1", "child")
    assert tape.threads["owner"].tolist() == [0, 1, 2]
    assert (tape.card["waits"], tape.card["sleeps"], tape.card["preemptions"]) == (2, 0, 1)


def test_a_root_leaves_out_who_does_not_descend_from_it(file):
    lines = [LAYOUTS["perf"](*event) for event in EVENTS]
    tape = import_tape(file("trace", "\n".join(lines)), root=10)
    assert tape.thread_names == ("a b-1", "child")
    assert program(tape, 1) == [(Op.WAIT, 0), (Op.COMPUTE, 500 * US), (Op.EXIT, 0)]


def test_who_leaves_its_core_unseen_has_worked_until_the_last_event_there(file):
    events = [(1, 0, "switch", 1, "S", 10), (10, 300, "waking", 11), (1, 700, "waking", 10), (1, 900, "waking", 11)]
    tape = import_tape(file("trace", "\n".join(LAYOUTS["perf"](*event) for event in events)))
    assert program(tape, 1) == [(Op.COMPUTE, 300 * US), (Op.SIGNAL, 0)]
    assert program(tape, 0) == [(Op.COMPUTE, 200 * US)] and tape.threads["arrival_ns"].tolist() == [700 * US, 0, 0]


def test_who_is_first_heard_of_on_a_core_that_others_had_has_worked_since_then(file):
    events = [(1, 0, "waking", 11), (10, 500, "waking", 1), (10, 800, "waking", 11), (0, 900, "switch", 0, "R", 0)]
    tape = import_tape(file("trace", "\n".join(LAYOUTS["perf"](*event) for event in events)))
    assert tape.thread_names == ("init", "child", "a b-1")
    assert program(tape, 2) == [(Op.COMPUTE, 300 * US)]


def perf_line(pid: int, us: int, cpu: int, words: str) -> str:
    return f"{COMM[pid]} {pid} [{cpu:03}] 7.{us:06}: sched:{words}"


def test_a_new_task_may_be_told_twice_or_only_by_its_waking(file):
    fork = "sched_process_fork: comm=init pid=1 child_comm=child child_pid=11"
    newtask = "task_newtask: pid=11 comm=child clone_flags=10000 oom_score_adj=0"
    woken = "sched_wakeup_new: comm=child pid=11 prio=120 target_cpu=000"
    switch = kernel_words("switch", 1, "R", 11)
    for told, owner in (((newtask, fork), 0), ((fork,), 1), ((), 1)):
        words = [kernel_words("waking", 10), *told, woken, switch, kernel_words("switch", 11, "X", 1)]
        pids = [1] * (len(words) - 1) + [11]
        lines = [perf_line(pid, 100 * i, 0, said) for i, (pid, said) in enumerate(zip(pids, words, strict=True))]
        tape = import_tape(file("trace", "\n".join(lines)))
        assert tape.thread_names == ("init", "a b-1", "child")
        assert program(tape, 2) == [(Op.WAIT, 1), (Op.COMPUTE, 100 * US), (Op.EXIT, 0)]
        assert (tape.threads["owner"][2] == tape.threads["owner"][0]) == (owner == 0)


def test_the_waking_tells_who_woke_not_the_wakeup_that_follows_on_the_sleepers_core(file):
    lines = [
        perf_line(10, 0, 0, kernel_words("waking", 11)),
        perf_line(1, 100, 1, kernel_words("waking", 10)),  # before it has left its core
        perf_line(10, 150, 0, kernel_words("waking", 11).replace("waking", "wakeup")),
        perf_line(11, 200, 2, kernel_words("waking", 10).replace("waking", "wakeup")),
        perf_line(10, 300, 0, kernel_words("switch", 10, "S", 0)),
        perf_line(0, 400, 0, kernel_words("switch", 0, "R", 10)),
        perf_line(10, 500, 0, kernel_words("switch", 10, "X", 0)),
    ]
    tape = import_tape(file("trace", "\n".join(lines)))
    assert tape.thread_names == ("a b-1", "child", "init")
    assert program(tape, 2) == [(Op.COMPUTE, 100 * US), (Op.SIGNAL, 1)]
    assert program(tape, 0)[-3:] == [(Op.WAIT, 1), (Op.COMPUTE, 100 * US), (Op.EXIT, 0)]


def counted_work_us(lines: list[str]) -> int:
    """A second parser: what lies between two switches of a core is the work of who leaves, unless it is idle."""
    work, since = 0, {}
    for line in lines:
        if found := re.search(r"\[(\d+)\] +(\d+)\.(\d+): +sched:sched_switch: .* prev_pid=(\d+) ", line):
            core, seconds, micros, pid = map(int, found.groups())
            now = seconds * 10**6 + micros
            work += (now - since.get(core, now)) * (pid > 0)
            since[core] = now
    return work


def exiting(core: int, us: int, words: str) -> str:
    """As perf prints an event of a task that has given its pid back."""
    return f"             :-1    -1 [{core:03}] 7.{us:06}: sched:{words}"


def test_an_exiting_task_of_perf_is_who_was_on_the_core(file):
    """perf says `:-1 -1`, of which pid 1 was made: it worked for seconds on the cores of others."""
    runtime = "sched_stat_runtime: comm=child pid=11 runtime=19 [ns]"
    lines = [
        perf_line(0, 0, 0, kernel_words("switch", 0, "R", 11)),
        perf_line(0, 5, 1, kernel_words("switch", 0, "R", 10)),
        perf_line(10, 100, 1, kernel_words("switch", 10, "S", 0)),
        exiting(0, 200, kernel_words("waking", 10)),
        exiting(0, 290, runtime),
        exiting(0, 300, kernel_words("switch", 11, "X", 0)),
        perf_line(0, 400, 1, kernel_words("switch", 0, "R", 10)),
        perf_line(10, 900, 1, kernel_words("switch", 10, "X", 0)),
    ]
    tape = import_tape(file("trace", "\n".join(lines)))
    assert tape.card["format"] == "perf" and tape.thread_names == ("child", "a b-1")
    assert program(tape, 0) == [(Op.COMPUTE, 200 * US), (Op.SIGNAL, 0), (Op.COMPUTE, 100 * US), (Op.EXIT, 0)]
    assert program(tape, 1)[1] == (Op.WAIT, 0) and program(tape, 1)[-1] == (Op.EXIT, 0)
    assert tape.card["work_ns"] == counted_work_us(lines) * US == 895 * US
    assert tape.card["cores"] == 2


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 300), st.sampled_from("RSX")), min_size=1, max_size=40))
def test_work_is_what_a_second_parser_counts(tmp_path_factory, switches):
    """Two cores; tasks leave in any state, and one that exits may have given its pid back before."""
    on, us, lines, pid = {0: 0, 1: 0}, 0, [], 100
    for core in (0, 1):
        lines.append(f"swapper 0 [{core:03}] 7.{us:06}: sched:{switch_words(0, 'R', 0)}")
    for core, step, state in switches:
        us, pid = us + step, pid + 1
        words = switch_words(on[core], state if on[core] else "R", pid)
        gone = state == "X" and on[core]
        lines.append(exiting(core, us, words) if gone else f"x {on[core]} [{core:03}] 7.{us:06}: sched:{words}")
        on[core] = pid
    for core in (0, 1):
        lines.append(f"x {on[core]} [{core:03}] 7.{us + 9:06}: sched:{switch_words(on[core], 'X', 0)}")
    path = tmp_path_factory.mktemp("perf") / "trace"
    path.write_text("\n".join(lines))
    card = import_tape(path, "perf").card
    assert card["work_ns"] == counted_work_us(lines) * US <= 2 * card["recorded_ns"]


def switch_words(left: int, state: str, came: int) -> str:
    return (
        f"sched_switch: prev_comm=x prev_pid={left} prev_prio=120 prev_state={state} ==> next_comm=x "
        f"next_pid={came} next_prio=120"
    )


@pytest.mark.parametrize(
    ("layout", "owners"),
    [("perf --ns", [0, 0]), ("tracefs", [0, 0]), ("perf", [0, 1]), ("trace-cmd", [0, 1])],
)
def test_threads_of_one_process_are_one_owner_where_a_column_tells(file, layout, owners):
    events = [(11, 0, "switch", 11, "S", 10), (10, 100, "switch", 10, "S", 11), (11, 200, "switch", 11, "X", 0)]
    text = "\n".join(LAYOUTS[layout](*event) for event in events)
    text = text.replace("11/11", "10/11").replace("(     11)", "(     10)")
    tape = import_tape(file("trace", text))
    assert tape.threads["owner"].tolist() == owners
    assert f"tells that of {2 if owners == [0, 0] else 0} tasks" in tape.card["owners"]


def test_records_of_perf_tell_processes_too(file):
    """perf script --show-task-events prints them between the events."""
    lines = [
        "init     1 [000] 7.000000: PERF_RECORD_COMM: init:1/1",
        perf_line(1, 0, 0, kernel_words("switch", 0, "R", 1)),
        "init     1 [000] 7.000010: PERF_RECORD_FORK(1:11):(1:1)",
        perf_line(1, 10, 0, "sched_process_fork: comm=init pid=1 child_comm=child child_pid=11"),
        "init     1 [000] 7.000020: PERF_RECORD_FORK(10:10):(1:1)",
        "a b-1   10 [000] 7.000020: PERF_RECORD_COMM exec: a b-1:10/10",
        perf_line(1, 30, 0, kernel_words("switch", 1, "S", 11)),
        perf_line(11, 50, 0, kernel_words("switch", 11, "X", 10)),
        "child   11 [000] 7.000060: PERF_RECORD_EXIT(1:11):(1:1)",
        perf_line(10, 90, 0, kernel_words("switch", 10, "X", 0)),
    ]
    tape = import_tape(file("trace", "\n".join(lines)))
    assert tape.card["format"] == "perf" and tape.thread_names == ("init", "child", "a b-1")
    assert tape.threads["owner"].tolist() == [0, 0, 1]
    with pytest.raises(TapeError, match="line 4: the trace lost events"):
        import_tape(file("trace", "\n".join([*lines[:3], "x 1 [000] 7.0: PERF_RECORD_LOST lost 12"])))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_trace_without_a_switch_is_refused_with_what_is_missing(file, layout):
    events = [(1, 0, "waking", 10), (1, 50, "waking", 11), (10, 90, "waking", 1)]
    lines = [LAYOUTS[layout](*event) for event in events]
    with pytest.raises(TapeError, match=r"no sched_switch event.*record with perf sched record"):
        import_tape(file("trace", "\n".join(lines)))
    marks = [line.split(": ", 1)[0] + ": cpu_idle: state=1 cpu_id=0" for line in lines]
    with pytest.raises(TapeError, match="no sched_switch event"):
        import_tape(file("trace", "\n".join(marks)), "perf" if "perf" in layout else "ftrace")
    with pytest.raises(TapeError, match=r"the first 2 lines of .*no sched_switch event"):
        import_tape(file("trace", "\n".join([*lines, LAYOUTS[layout](*EVENTS[1])])), limit=2)


def test_without_wakeups_the_card_says_what_share_of_sleep_holds_the_run_queue(file):
    told = [(10, 0, "switch", 10, "S", 0), (1, 60, "switch", 1, "S", 0), (0, 100, "waking", 10)]
    told += [(0, 160, "switch", 0, "R", 10), (10, 200, "switch", 10, "X", 1), (1, 360, "switch", 1, "X", 0)]
    lines = [perf_line(pid, us, 0, kernel_words(*event)) for pid, us, *event in told]
    card = import_tape(file("trace", "\n".join(lines))).card
    assert "their wakeups are not told: in 58.3% of all sleep (140000 ns)" in card["run_queue"]  # of 100 and 140 us
    card = import_tape(file("trace", "\n".join(line for line in lines if "waking" not in line))).card
    assert "no wakeup is told: in 100.0% of all sleep (300000 ns)" in card["run_queue"]
    assert import_tape(file("trace", "\n".join(LAYOUTS["perf"](*e) for e in EVENTS))).card["run_queue"] == "left out"


def test_events_of_an_interrupt_tell_that_a_device_woke(file):
    lines = [
        perf_line(10, 0, 0, kernel_words("switch", 10, "D", 11)),
        perf_line(11, 100, 0, "x").replace("sched:x", "block:block_rq_complete: 8,0 R () 64 + 8 [0]"),
        perf_line(11, 101, 0, kernel_words("waking", 10)),
        perf_line(11, 300, 0, kernel_words("switch", 11, "S", 10)),
        perf_line(10, 500, 0, kernel_words("waking", 11)),
        perf_line(10, 600, 0, kernel_words("switch", 10, "X", 11)),
        perf_line(11, 700, 0, kernel_words("switch", 11, "X", 0)),
    ]
    with_events = import_tape(file("trace", "\n".join(lines)))
    assert (with_events.card["sleeps"], with_events.card["waits"]) == (1, 1)
    without = import_tape(file("trace", "\n".join(lines[:1] + lines[2:])))
    assert (without.card["sleeps"], without.card["waits"]) == (0, 2)


RAW = """version = 6
CPU 1 is empty
cpus=2
   <...>-10    [000]  7.000000: sched_switch:          prev_comm=a prev_pid=10 prev_prio=120 prev_state={} next_comm=b next_pid=11 next_prio=120
       b-11    [000]  7.000100: bprint:               main: two
lines: of [000] 1 text
       b-11    [000]  7.000500: sched_switch:          prev_comm=b prev_pid=11 prev_prio=120 prev_state=64 next_comm=a next_pid=10 next_prio=120
       a-10    [000]  7.000900: sched_switch:          prev_comm=a prev_pid=10 prev_prio=120 prev_state=16 next_comm=swapper/0 next_pid=0 next_prio=120
       a-10    [000]  7.000850: cpu_idle:             state=1 cpu_id=0
"""  # noqa: E501


@pytest.mark.parametrize(
    ("state", "kept"), [(1, "sleeps"), (2, "sleeps"), (130, "sleeps"), (0, "preemptions"), (4096, "preemptions")]
)
def test_raw_reports_with_headers_and_texts_of_several_lines_are_guessed_and_read(file, state, kept):
    tape = import_tape(file("report", RAW.format(state)))
    assert (tape.card["format"], tape.card["work_ns"], tape.card["cores"]) == ("ftrace", 900 * US, 2)
    assert {name: tape.card[name] for name in ("sleeps", "preemptions")} == {"sleeps": 0, "preemptions": 0} | {kept: 1}
    assert tape.card["out_of_order"] == 1
    assert [program(tape, thread)[-1][0] for thread in (0, 1)] == [Op.EXIT, Op.EXIT]


# -- round trips


@st.composite
def reference_strings(draw) -> tuple[list[int], list[bool]]:
    pages = draw(st.lists(st.integers(0, 40), min_size=1, max_size=50))
    return pages, draw(st.lists(st.booleans(), min_size=len(pages), max_size=len(pages)))


def lines_of(format: str, pages: list[int], writes: list[bool]) -> bytes:
    """A reference string in a format; pages are 4096 bytes, or 512 for arc."""
    rows = {
        "csv": lambda i, page, write: f"{i},{page},8,-1",
        "arc": lambda i, page, write: f"{page} 1 0 {i}",
        "spc": lambda i, page, write: f"0,{8 * page},{4096 - write},{'rw'[write]},{i / 8}",
        "msr": lambda i, page, write: f"{i},h,0,{'Write' if write else 'Read'},{4096 * page},4096,1",
        "ramulator": lambda i, page, write: f"0 {4096 * page + 64}",
        "lackey": lambda i, page, write: f" {'LS'[write]} {4096 * page + 8:x},8",
        "lirs": lambda i, page, write: f"{page}",
        "address": lambda i, page, write: f"{'ls'[write]} {4096 * page + 64:#x} 1",
        "pin": lambda i, page, write: f"{64 * i:#x}: {'RW'[write]} {4096 * page + 64:#x}",
        "blockcsv": lambda i, page, write: f"{4096 * page},{4096 - write},{'rw'[write]}",
    }
    return "".join(f"{rows[format](i, *one)}\n" for i, one in enumerate(zip(pages, writes, strict=True))).encode()


def dense(pages: list[int]) -> list[int]:
    names = {page: i for i, page in enumerate(dict.fromkeys(pages))}
    return [names[page] for page in pages]


WRITTEN = ("spc", "msr", "lackey", "address", "pin", "blockcsv")  # formats that tell reads from writes


@pytest.mark.parametrize(
    "format", ["oracleGeneral", "csv", "arc", "spc", "msr", "ramulator", "lackey", "lirs", "address", "pin", "blockcsv"]
)
@given(reference_strings(), st.sampled_from((1, 3, 64, 1 << 20)), st.sampled_from(("plain", "gzip", "zstd")))
@settings(max_examples=40)
def test_reference_strings_come_back(tmp_path_factory, format, string, chunk, packing):
    pages, writes = string
    content = records(pages) if format == "oracleGeneral" else lines_of(format, pages, writes)
    packed = {"plain": bytes, "gzip": gzip.compress, "zstd": zstandard.compress}[packing](content)
    path = tmp_path_factory.mktemp("round") / "trace"
    path.write_bytes(packed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "CHUNK", chunk)
        tape = import_tape(path, format)
    wanted = list(zip(dense(pages), writes if format in WRITTEN else [False] * len(pages), strict=True))
    if format == "lackey":  # runs on one page are one reference
        starts = [i for i in range(len(pages)) if not i or pages[i] != pages[i - 1]]
        wanted = [(wanted[i][0], any(writes[i:j])) for i, j in zip(starts, [*starts[1:], len(pages)], strict=True)]
    assert touched(tape) == wanted
    assert tape.card["sha256"] == hashlib.sha256(packed).hexdigest()


@pytest.mark.parametrize("name", TEXT)
def test_a_mark_blank_lines_comments_and_either_line_end_change_nothing(file, name):
    sample = FORMATS[name].sample
    plain = import_tape(file("plain", f"{sample}\n{sample}\n"), name)
    comment = {"swf": "; MaxProcs: 4", "lackey": "==1== x"}.get(name, "# x")
    odd = f"\ufeff{comment}\r\n\r\n{sample}\r\n   \r\n{sample}"
    assert import_tape(file("odd", odd), name) == plain


def test_names_at_the_end_of_a_line_do_not_hold_the_line_end(file):
    path = file("keys.csv", "size,key\r\n1,x\r\n1,y\n1,x\n1,y\r\n")
    assert touched(import_tape(path)) == [(page, False) for page in (0, 1, 0, 1)]


# -- guessing


@pytest.mark.parametrize("name", TEXT)
def test_the_sample_of_a_format_is_of_that_format_alone(file, name):
    one = FORMATS[name]
    assert one.fits([one.sample])
    assert [other.name for other in FORMATS.values() if other.distinct and other.fits([one.sample])] == (
        [name] if one.distinct else []
    )
    if one.extensions:
        assert import_tape(file("x" + one.extensions[0].upper(), one.sample)).card["format"] == name


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("trace", "1 2 3 4\n"),
        ("trace", "1 2 3\n"),
        ("trace", records([1, 2])),
        ("trace", ""),
        ("trace", f"{SPC}\n{ARC}\n"),
        ("a.csv", "words\n"),
    ],
)
def test_what_is_not_safe_to_guess_is_refused_with_the_list(file, name, content):
    with pytest.raises(TapeError, match="do not tell its format") as refused:
        import_tape(file(name, content))
    assert all(known in str(refused.value) for known in FORMATS)


def test_headers_of_any_length_do_not_hide_a_format(file):
    assert import_tape(file("a.swf", "; note\n" * 300 + FORMATS["swf"].sample)).card["jobs"] == 1


def test_what_valgrind_says_of_its_scheduler_is_no_access(file):
    """Its recorder passes these lines over; reader and guess do too."""
    said = "--12--   SCHED[1]:  acquired lock (VG_(scheduler))\nSCHEDSETJMP(line 1) tid 1\n"
    tape = import_tape(file("trace", f"{said} L 1000,8\n{said} S 1000,8\n"))
    assert (tape.card["format"], touched(tape)) == ("lackey", [(0, True)])


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("web.2024.spc.gz", "web.2024"),
        ("ramulator-447.dealII.gz", "ramulator-447.dealII"),
        ("a.oracleGeneral.bin.zst", "a"),
        ("sort.perf.txt", "sort.perf"),
        ("P6.lis", "P6"),
        ("trace", "trace"),
        (".gz", ".gz"),
    ],
)
def test_names_lose_only_the_ends_that_say_how_a_file_is_written(tmp_path, name, plain):
    """They were cut at the first dot, so that several traces of one folder had one name."""
    assert plain_name(tmp_path / name) == plain


def test_a_trace_that_lost_events_is_known_and_refused_for_that(file):
    with pytest.raises(TapeError, match=r"line 1: the trace lost events"):
        import_tape(file("trace", "CPU:0 [LOST 5 EVENTS]\n" + LAYOUTS["tracefs"](*EVENTS[0])))


def test_a_text_with_a_name_of_other_formats_is_still_known(file):
    text = "\n".join(LAYOUTS["perf"](*event) for event in EVENTS)
    assert import_tape(file("run.trace", text)).card["format"] == "perf"


# -- one file more

MODULE = example("An importer")


@pytest.fixture
def more_formats(tmp_path, monkeypatch):
    """A folder whose modules belong to the package of formats; afterwards they were never there."""
    before = dict(FORMATS), dict(OPTIONS)
    folder = tmp_path / "formats"
    folder.mkdir()
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(folder)])
    yield folder
    for registry, saved in zip((FORMATS, OPTIONS), before, strict=True):
        registry.clear()
        registry.update(saved)
    for path in folder.glob("*.py"):
        sys.modules.pop(f"{formats.__name__}.{path.stem}", None)


def test_a_module_among_the_formats_is_found_with_its_option(file, more_formats):
    (more_formats / "numbers.py").write_text(MODULE)
    import_modules(formats.__name__)
    assert ops(import_tape(file("a", "8\n3\n8\n"), start=4)) == [(Op.READ, 0, 64), (Op.READ, 0, 64)]
    with pytest.raises(SettingError, match=r"start=-1 .* a whole number from 0 to 1099511627776"):
        import_tape(file("b.pages", "8\n"), start=-1)
    with pytest.raises(SettingError, match=r"start=3 .* left out: spc takes only"):
        import_tape(file("a.spc", SPC), start=3)


@pytest.mark.parametrize(
    ("found", "instead", "error", "why"),
    [
        ('"numbers",', '"spc",', ValueError, r"'spc' is taken: .*formats\.blocks"),
        ("start: Start", "start: int", TypeError, "start of numbers is not declared as an option"),
        ("limit: Limit", "limit: Start", ValueError, "option 'limit' of numbers is declared otherwise"),
    ],
)
def test_a_module_that_contradicts_another_is_refused(more_formats, found, instead, error, why):
    (more_formats / "numbers.py").write_text(MODULE.replace(found, instead, 1))
    with pytest.raises(error, match=why):
        import_modules(formats.__name__)


def test_the_importer_on_the_page_has_as_many_lines_as_it_says():
    assert f"`numbers.py`, {len(MODULE.splitlines())} lines" in extending()


def test_an_option_of_a_new_format_is_one_of_the_command_line(more_formats):
    (more_formats / "numbers.py").write_text(MODULE)
    import_modules(formats.__name__)
    given = {}
    program = typer.Typer()
    program.command()(with_declared_options(lambda **options: given.update(options)))
    assert CliRunner().invoke(program, ["--start", "4", "--timed"]).exit_code == 0
    assert given == dict.fromkeys(OPTIONS) | {"start": 4, "timed": True}
    listed = CliRunner().invoke(program, ["--help"], env={"COLUMNS": "200"}).stdout
    assert explanation("start") == "Numbers below it are left out: a whole number from 0 to 1099511627776 (numbers)."
    assert explanation("start") in " ".join(listed.replace("│", "").split())


def test_help_tells_every_option_and_who_takes_it():
    said = inspect.getdoc(import_tape)
    assert all(f"{name}: {explanation(name)}" in said for name in OPTIONS)
    assert list(inspect.signature(import_tape).parameters) == ["path", "format", "progress", *OPTIONS]
    assert explanation("most_threads") == "Of one job: a whole number from 1 to 4096 threads (swf)."
    listed = " ".join(cli("--help").stdout.replace("│", "").split())
    assert all(f"--{name.replace('_', '-')}" in listed and explanation(name) in listed for name in OPTIONS)
    assert "--no-timed" not in listed


# -- refusals


CASES = [
    ("csv", "1,2,3,-1\n1,2,x,-1", 2, "1,2,x,-1", "cannot read 'x' as int64"),
    ("csv", "1,2,3,-1\n1,2,-3,-1", 2, "1,2,-3,-1", "size must be at least 0"),
    ("csv", "1,2,3,-1\n-1,2,3,-1", 2, "-1,2,3,-1", "time must be at least 0"),
    ("csv", "1,2,3,-1\nnan,2,3,-1", 2, "nan,2,3,-1", "time must be at least 0 and at most 4294967295 s"),
    ("csv", "1,2,3,-1\n1,a,3,-1", 2, "1,a,3,-1", "its id is no such number"),
    ("csv", "1,2,3", 1, "1,2,3", "which column is the object is not known"),
    ("csv", 'key,op\na,get\n"b\rc",g\ret', 3, '"b', "wrong number of columns|cannot read|embedded newline"),
    ("arc", f"{ARC}\r\n\r\n# x\r\n7 1 0", 4, "7 1 0", "wrong number of columns"),
    ("arc", f"{ARC}\n7 1 0 0 0", 2, "7 1 0 0 0", "wrong number of columns"),
    ("arc", f"{ARC}\n-7 1 0 0", 2, "-7 1 0 0", "address must be 0 to"),
    ("arc", f"{ARC}\n7 -1 0 0", 2, "7 -1 0 0", "size must be 0 to 2097152"),
    ("arc", f"{ARC}\n7 1.5 0 0", 2, "7 1.5 0 0", "cannot read '1.5' as int64"),
    ("arc", f"{ARC}\n{1 << 43} 1 0 0", 2, f"{1 << 43} 1 0 0", "address must be 0 to"),
    ("arc", f"{ARC}\n{10**30} 1 0 0", 2, f"{10**30} 1 0 0", "cannot read"),
    ("spc", f"{SPC}\n0,1,512,x,0.5", 2, "0,1,512,x,0.5", "fourth field must be r or w"),
    ("spc", f"{SPC}\n0,1,512,r", 2, "0,1,512,r", "wrong number of columns"),
    ("spc", f"{SPC}\n0,1,512,r,-1", 2, "0,1,512,r,-1", "time must be at least 0"),
    ("spc", f"{SPC}\n-1,1,512,r,1", 2, "-1,1,512,r,1", "unit must be 0 to 1000"),
    ("spc", f"{SPC}\n0,1,{1 << 31},r,1", 2, f"0,1,{1 << 31},r,1", "size must be 0 to"),
    ("msr", f"{MSR}\n1,h,0,Reed,0,512,1", 2, "1,h,0,Reed,0,512,1", "must be Read or Write"),
    ("msr", f"{MSR}\n-1,h,0,Read,0,512,1", 2, "-1,h,0,Read,0,512,1", "time must be at least 0"),
    ("msr", f"{MSR}\n1,h,0,Read,{1 << 52},512,1", 2, f"1,h,0,Read,{1 << 52},512,1", "address must be 0 to"),
    ("ramulator", "1 2\n1", 2, "1", "wrong number of columns"),
    ("ramulator", "1 2\n1 2 3 4", 2, "1 2 3 4", "wrong number of columns"),
    ("ramulator", "1 2\n1 0x20", 2, "1 0x20", "cannot read '0x20' as uint64"),
    ("ramulator", "1 2\n-1 2", 2, "-1 2", "first number must be 0 to"),
    ("ramulator", f"1 2\n1 {1 << 63}", 2, f"1 {1 << 63}", "address must be under"),
    ("lackey", " L 1,8\n L xy,8", 2, " L xy,8", "allowed: 'I  hex,bytes'"),
    ("lackey", " L 1,8\n L 1,8,8", 2, " L 1,8,8", "allowed: 'I  hex,bytes'"),
    ("lackey", " L 1,8\n L 1,-8", 2, " L 1,-8", "allowed: 'I  hex,bytes'"),
    ("lackey", " L 1,8\n L ffffffffffffffff,2", 2, " L ffffffffffffffff,2", r"end below 2\^64"),
    ("lackey", " L 1,8\n L 1ffffffffffffffff,2", 2, " L 1ffffffffffffffff,2", "addresses must be 0 to"),
    ("lackey", " L 1,8\n L 0,99999", 2, " L 0,99999", "0 to 65536 bytes"),
    ("lackey", "--12--   SCHED[1]: acquired lock\n L 1,8\n L xy,8", 3, " L xy,8", "allowed: 'I  hex,bytes'"),
    ("lirs", "1\n2 3", 2, "2 3", "wrong number of columns"),
    ("lirs", "1\n-2", 2, "-2", "cannot read"),
    ("address", "s 0x1 1\ns 0xg 1", 2, "s 0xg 1", "'0xg' is no hexadecimal number"),
    ("address", "s 0x1 1\nx 0x1 1", 2, "x 0x1 1", "must be l or s"),
    ("address", "s 0x1 1\ns 0x1 -1", 2, "s 0x1 -1", "third field must be 0 to"),
    ("address", f"s 0x1 1\ns 0x1{'0' * 16} 1", 2, f"s 0x1{'0' * 16} 1", "at most 16 digits"),
    ("din", "0 1\n5 1", 2, "5 1", "first field must be 0 to 4"),
    ("din", "0 1\n0 xyz", 2, "0 xyz", "'xyz' is no hexadecimal number"),
    ("pin", "0x1: R 0x1\n0x1: X 0x1", 2, "0x1: X 0x1", "must be R or W"),
    ("pin", "0x1: R 0x1\n0x1:", 2, "0x1:", "wrong number of columns"),
    ("pin", "0x1: R 0x1\n0x1: R", 2, "0x1: R", "wrong number of columns"),
    ("blockcsv", "offset,size\n1,2\n1,-2", 3, "1,-2", "size must be 0 to"),
    ("blockcsv", "1,2,r\n1,2,frob", 2, "1,2,frob", "op must be r, read, w, write"),
    ("blockcsv", "1,2,trim\n1,2,frob", 2, "1,2,frob", "op must be r, read, w, write"),
    ("blockcsv", "offset,op\n1,r", 1, "offset,op", "the header must name offset"),
    ("swf", JOB.format(1, -5, 1, 1, 1, 1, 1), 1, "1 -5", r"submit time \(field 2\) must be 0"),
    ("swf", JOB.format(1, 5, -2, 1, 1, 1, 1), 1, "1 5", r"run time \(field 4\) must be -1 or 0"),
    ("swf", JOB.format(1, 5, 2, 1.5, 1, 1, 1), 1, "1 5", r"processors \(field 5\) must be"),
    ("swf", JOB.format(1, 5, 2, 1, 1, 1, "nan"), 1, "1 5", "its user is no number"),
    ("swf", "; x\n1 2 3", 2, "1 2 3", "wrong number of columns"),
    ("perf", LAYOUTS["perf"](*EVENTS[1]) + "\nwords", 2, "words", "allowed: text of sched/sched_switch"),
    ("perf", "\n".join(LAYOUTS["perf"](*EVENTS[i]) for i in (1, 0)), 2, "init", "time runs backwards"),
    ("ftrace", LAYOUTS["tracefs"](*EVENTS[0]) + "\nCPU:0 [LOST 5 EVENTS]", 2, "", "lost events"),
    ("ftrace", LAYOUTS["tracefs"](1, 0, "waking", 10).replace("pid=10", ""), 1, "comm=a b-1", "allowed: text of"),
]


@pytest.mark.parametrize(("format", "content", "number", "text", "why"), CASES)
@pytest.mark.parametrize("before", [0, 30_000])
def test_a_bad_line_is_named_with_its_number_and_text(file, format, content, number, text, why, before):
    path = file("bad", "\n" * before + content)
    with pytest.raises(TapeError, match=why) as refused:
        import_tape(path, format, limit=None)
    said = str(refused.value)
    assert said.startswith(f"{path}, line {number + before}")
    assert repr(text)[1:-1] in said


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.oracleGeneral", records([1, 2])[:-5], "is cut short: 19 bytes follow record 1; .*limit=1"),
        ("a.oracleGeneral", b"", "holds no references"),
        ("a.oracleGeneral", records([1], size=0), "holds no references"),
        ("a.oracleGeneral", "1,2,3,-1\n" * 9, "begins with text"),
        ("a.spc.gz", gzip.compress(SPC.encode() * 99, mtime=0)[:-9], "is cut short"),
        ("a.spc.gz", gzip.compress(SPC.encode(), mtime=0)[:-8] + b"\0" * 8, "is damaged"),
        ("a.spc.zst", zstandard.compress(SPC.encode() * 999)[:-3], "is cut short"),
        ("a.spc.zst", zstandard.compress(SPC.encode() * 999)[:9] + b"\xff" * 30, "is damaged"),
        ("a.spc", SPC.encode("utf-16"), "UTF-16"),
        ("a.spc", b"x" * 70_000, "line 1 is longer than 65536 bytes"),
        ("a.spc", b"\0\1\2", "binary"),
        ("a.spc", "# nothing\n", "holds no references"),
        ("a.swf", "; nothing\n" + JOB.format(1, 5, -1, 1, 1, 1, 1), "holds no jobs that ran"),
        ("a.swf", JOB.format(1, 5, 10**9, 16, 1, 1, 1) * 2, r"add up to 3.2e\+19 ns; .*raise speed \(at least 27.8"),
        ("a.perf", "# nothing\n", "no sched_switch event"),
    ],
)
def test_damaged_and_empty_files_are_refused(file, name, content, why):
    path = file(name, content)
    format = next(one.name for one in FORMATS.values() if path.name.lower().startswith(("a" + one.extensions[0],)))
    with pytest.raises(TapeError, match=why) as refused:
        import_tape(path, format)
    assert str(path) in str(refused.value)


def test_a_spans_of_time_beyond_the_clock_need_speed(file):
    path = file("a.spc", "0,1,512,r,0\n0,1,512,r,2000000000\n")
    assert len(import_tape(path)) == 2
    with pytest.raises(TapeError, match=r"spans 2e\+18 ns; .*raise speed"):
        import_tape(path, timed=True)
    assert ops(import_tape(path, timed=True, speed=1000))[1] == (Op.SLEEP_UNTIL, 2 * 10**15, 0)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"format": "sql"}, "format='sql' is not allowed: it must be one of .*oracleGeneral"),
        ({"page_bytes": 1000}, "page_bytes=1000 .* a power of two"),
        ({"page_bytes": 32}, "page_bytes=32 .* from 64 to 2097152 bytes"),
        ({"limit": 0}, "limit=0 .* a whole number from 1"),
        ({"limit": 1.5}, "limit=1.5"),
        ({"limit": True}, "limit=True"),
        ({"speed": 2.0}, "speed=2.0 .* given with timed"),
        ({"speed": 0, "timed": True}, "speed=0 "),
        ({"timed": 1}, "timed=1 .* a bool"),
        ({"most_threads": 4}, "spc takes only limit, page_bytes, timed, speed"),
        ({"timd": True}, r"timd=True .* an option of spc \(limit, page_bytes, timed, speed\); did you mean 'timed'"),
        ({"qqq": None}, r"qqq=None .* an option of spc \(.*\); leave it out"),
        ({"format": "csv", "columns": "obj-id-col=0"}, "columns='obj-id-col=0'"),
        ({"format": "csv", "columns": "obj-id=2"}, "columns='obj-id=2' .* time-col"),
        ({"format": "csv", "columns": "time-col=2"}, "something with obj-id-col=N"),
    ],
)
def test_wrong_options_are_refused(file, options, why):
    with pytest.raises(SettingError, match=why):
        import_tape(file("a.spc", SPC), **options)


def test_none_and_numbers_of_numpy_are_options_too(file):
    tape = import_tape(file("a.spc", f"{SPC}\n" * 3), limit=np.int64(2), page_bytes=None, most_threads=None)
    assert len(tape) == 2 and tape.card["parameters"] == {"limit": 2}


def test_zstd_without_its_package_says_how_to_get_it(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(TapeError, match=r"pip install 'sos-gym\[import\]'.*zstd -d"):
        import_tape(file("a.spc.zst", zstandard.compress(SPC.encode())))
    assert import_tape(file("a.spc.gz", gzip.compress(SPC.encode())))


def zipped(*contents: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        for i, content in enumerate(contents):
            archive.writestr(f"folder/{i}.spc", content)
    return made.getvalue()


def skippable(content: bytes) -> bytes:
    """zstd with a frame before it that holds no data (RFC 8878, 3.1.2), as pzstd writes it."""
    return b"\x5a\x2a\x4d\x18" + struct.pack("<I", 5) + b"notes" + zstandard.compress(content)


PACKERS = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "skippable": skippable,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


@pytest.mark.parametrize("pack", [*PACKERS.values(), zipped], ids=[*PACKERS, "zip"])
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_the_content_tells_how_a_file_is_packed(file, monkeypatch, pack, size):
    """xz, bzip2, zip and zstd with a skippable frame were taken for records of oracleGeneral, without a word."""
    monkeypatch.setattr(source, "CHUNK", size)
    packed = pack(records([7, 9, 7] * 50))
    path = file("a.oracleGeneral", packed)
    assert touched(import_tape(path)) == [(page, False) for page in (0, 1, 0)] * 50
    assert import_tape(path).card["sha256"] == hashlib.sha256(packed).hexdigest()
    with pytest.raises(TapeError, match=r"cut short|damaged"):
        import_tape(file("a.oracleGeneral", packed[: len(packed) * 2 // 3]))


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_members_that_follow_each_other_are_one_file(file, pack):
    twice = pack(f"{SPC}\n".encode()) + pack(f"{SPC}\n".encode())
    assert len(import_tape(file("a", twice), "spc")) == 2


def test_much_that_is_packed_small_comes_in_pieces(file, monkeypatch):
    monkeypatch.setattr(source, "CHUNK", 1 << 16)
    for pack in (lzma.compress, bz2.compress):
        assert max(map(len, source.Source(file("a", pack(bytes(5 << 20)))).chunks())) <= 1 << 17


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (zipped(b"a", b"b"), r"zip archive of 2 files \(folder/0.spc, folder/1.spc\); allowed: one"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(99), "holds 7z data"),
        (b"\x04\x22\x4d\x18" + bytes(99), "holds lz4 data; .*lz4 -d"),
        (bytes(257) + b"ustar" + bytes(99), "holds tar data"),
        (gzip.compress(bytes(257) + b"ustar" + bytes(99), mtime=0), "holds tar data"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "holds gzip data; .*packed twice"),
        (b"PERFILE2" + bytes(99), "holds perf.data data; .*perf sched script"),
        (b"\x17\x08\x44tracing6" + bytes(99), "holds trace.dat data; .*trace-cmd report"),
    ],
)
@pytest.mark.parametrize("format", [None, "oracleGeneral"])
def test_what_is_known_but_not_read_is_refused_by_its_name(file, content, why, format):
    with pytest.raises(TapeError, match=why):
        import_tape(file("a", content), format)


@pytest.mark.parametrize("wrong", [-3, (1 << 48) + 1, -(2**62)])
def test_bytes_that_cannot_be_records_are_refused_with_their_number(file, wrong):
    made = np.frombuffer(records([1, 2, 3, 4]), RECORD).copy()
    made["next"] = [-2, 2**63 - 1, wrong, 1 << 48]
    with pytest.raises(TapeError, match=rf"record 3 names {wrong} as the next request; allowed: -2 to"):
        import_tape(file("a.oracleGeneral", made.tobytes()))
    assert len(import_tape(file("a.oracleGeneral", made[[0, 1, 3]].tobytes()))) == 3


# -- limits, progress, memory


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
def test_a_limit_cuts_also_within_a_request(file, limit):
    path = file("a.lis", "10 3 0 0\n12 2 0 1\n")
    tape = import_tape(path, limit=limit)
    assert [page for page, _ in touched(tape)] == [0, 1, 2, 2, 3][:limit]
    assert tape.card["end"] == ("the whole file" if limit == 6 else f"cut after {limit} references")
    assert tape.card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_limit_leaves_unread_what_comes_after_it(file, monkeypatch):
    monkeypatch.setattr(source, "CHUNK", 16)
    path = file("a.lis", "10 1 0 0\n" * 50 + "rubbish\n")
    told = []
    assert len(import_tape(path, limit=20, progress=lambda read, size: told.append((read, size)))) == 20
    assert told[-1] == (path.stat().st_size,) * 2 and told == sorted(told)  # the rest is hashed
    with pytest.raises(TapeError, match="line 51"):
        import_tape(path, limit=51)


def test_requests_of_many_pages_are_made_in_batches(file, monkeypatch):
    monkeypatch.setattr(blocks, "BATCH", 4)
    tape = import_tape(file("a.lis", "0 3 0 0\n0 9 0 1\n1 1 0 2\n2 1 0 3\n"))
    assert [page for page, _ in touched(tape)] == [0, 1, 2, *range(9), 1, 2]


@pytest.mark.parametrize("name", ["oracleGeneral", "msr"])
def test_memory_of_a_million_references_is_bounded(file, name):
    """Measured: 76 and 74 bytes each: the ops and their renumbered copy take 32, sorting the pages the rest."""
    count = 1_000_000
    pages = np.random.default_rng(0).integers(0, 1 << 40, count)
    if name == "oracleGeneral":
        path = file("big", records(pages))
    else:
        path = file("big", "".join(f"{i},h,0,Read,{page & ~4095},4096,1\n" for i, page in enumerate(pages.tolist())))
    tracemalloc.start()
    tape = import_tape(path, name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(tape) == count
    assert peak < 85 * count


# -- replay


@pytest.mark.parametrize("packing", ["plain", "zstd"])
def test_an_imported_trace_has_libcachesims_misses(file, packing):
    lc = pytest.importorskip("libcachesim")
    from runs import run

    ids = np.random.default_rng(3).zipf(1.3, 30_000) % 3000 + (1 << 45)
    sizes = np.where(np.arange(len(ids)) % 7 == 0, 0, 4096)  # it leaves out requests of size 0, too
    content = records(ids, sizes)
    path = file(
        "a.oracleGeneral" + ".zst" * (packing == "zstd"), zstandard.compress(content) if packing == "zstd" else content
    )
    tape = import_tape(path)
    reader = lc.TraceReader(
        trace=str(path),
        trace_type=lc.TraceType.ORACLE_GENERAL_TRACE,
        reader_init_params=lc.ReaderInitParam(ignore_obj_size=True),
    )
    for frames in (50, 400):
        theirs, _ = lc.LRU(cache_size=frames, hashpower=16).process_trace(reader)
        record = run(tape, "recency", frames=frames).record
        assert int(record["faults"][0]) == round(theirs * int(record["references"][0]))
        assert len(tape.pages) <= record["faults"][0] < record["references"][0]
        reader.reset()


@pytest.mark.parametrize("layout", ["perf", "trace-cmd"])
def test_an_imported_schedule_runs(file, layout):
    tape = import_tape(file("trace", "\n".join(LAYOUTS[layout](*event) for event in EVENTS)))
    run = sos_gym.evaluate("sos/CPU-v0", "seniority", tape, cores=1, nodes=1, tick_ns=None, switch_ns=0)[0]
    assert run["elapsed_ns"] == 1500 * US  # one core, busy from the first event to the last


# -- the command


def cli(*words):
    return CliRunner().invoke(app, ["import", *map(str, words)], env={"COLUMNS": "200"})


def test_the_command_writes_a_tape_and_shows_its_card(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = file("hm_0.csv.gz", gzip.compress(f"{MSR}\n".encode()))
    result = cli(path)
    assert result.exit_code == 0, result.output
    tape = Tape.load(tmp_path / "hm_0.npz")
    assert tape == import_tape(path) and tape.card == json.loads(json.dumps(import_tape(path).card))
    assert tape.card["sha256"] in result.stdout and "written: hm_0.npz" in result.stdout
    again = cli(path)
    assert again.exit_code == 2 and "name it to write it anew" in again.stderr
    assert cli(path, "--out", "hm_0.npz", "--limit", 1, "--timed").exit_code == 0
    assert Tape.load(tmp_path / "hm_0.npz").card["parameters"] == {"limit": 1, "timed": True}


def test_the_command_leaves_nothing_half_written(file, tmp_path):
    path = file("a.spc", f"{SPC}\nrubbish\n")
    result = cli(path, "--out", tmp_path / "out.npz")
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
    assert "line 2 is 'rubbish'" in result.stderr
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "FILE="),
        (("nowhere.spc",), "nowhere.spc: No such file"),
        (("nowhere.spc", "--out", "x.txt"), "with .npz at its end"),
    ],
)
def test_the_command_says_what_is_missing(words, said):
    result = cli(*words)
    assert result.exit_code == 2 and said in result.stderr and "Traceback" not in result.output


def test_the_command_lists_the_formats(file):
    listed = " ".join(cli("--formats").stdout.split())
    for one in FORMATS.values():
        assert one.name in listed and one.what.split(":")[0] in listed
    assert re.search(r"--page-bytes: of a page, a power of two: a whole number from 64 to 2097152 bytes", listed)


# -- cards


@pytest.mark.parametrize("name", TEXT)
def test_cards_say_file_format_hash_count_and_what_was_dropped(file, name):
    path = file("some.trace", FORMATS[name].sample)
    card = import_tape(path, name).card
    assert (card["file"], card["format"], card["family"], card["name"]) == ("some.trace", name, "imported", "some")
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["side"] == FORMATS[name].side and card["source"] == FORMATS[name].source
    assert card["kept"] and card["dropped"] and card["time"] and card["end"] == "the whole file"
    assert card["threads"] >= 1 and (card.get("references") or card.get("jobs") or "waits" in card)


# -- docs/importing.md

PAGE = (Path(__file__).parents[2] / "docs/importing.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"## `(\w+)`\n.*?```text\n(.*?)```\n\n(.*?)\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("name", "content", "how", "programs"), EXAMPLES, ids=[example[0] for example in EXAMPLES])
def test_the_page_of_formats_says_what_they_become(file, name, content, how, programs):
    if name == "oracleGeneral":
        time, ids, sizes, _ = zip(*(map(int, line.split()) for line in content.splitlines()), strict=True)
        content = records(ids, sizes, time)
    content = {"cache2k": numbers, "vscsi": requests}.get(name, lambda said: said)(content)
    tape = import_tape(file("example", content), name, **({"timed": True} if "--timed" in how else {}))
    told = [" · ".join(f"{op.name} {arg}" for op, arg in program(tape, i)) for i in range(len(tape.threads))]
    assert told == programs.splitlines()


@pytest.mark.parametrize(("name", "content"), [example[:2] for example in EXAMPLES if example[0] in TEXT])
def test_the_size_of_chunks_changes_nothing(file, monkeypatch, name, content):
    path = file("example", content)
    whole = import_tape(path, name)
    for size in (1, 50):
        monkeypatch.setattr(source, "CHUNK", size)
        for limit in (None, 2, 3):
            cut = import_tape(path, name, limit=limit) if limit and FORMATS[name].side == "memory" else None
            assert cut is None or touched(cut) == touched(whole)[:limit]
        assert import_tape(path, name) == whole


def test_a_limit_of_jobs_holds_over_several_chunks(file, monkeypatch):
    monkeypatch.setattr(source, "CHUNK", 100)  # two jobs
    path = file("a.swf", "".join(JOB.format(i, i, 10 + i, 1, 1, 1, 1) for i in range(9)))
    assert import_tape(path, limit=3).ops["arg"].tolist() == [10 * S, 11 * S, 12 * S]


def test_the_page_tells_every_format_and_option():
    assert {example[0] for example in EXAMPLES} == set(FORMATS)
    for one in FORMATS.values():
        names = " ".join(f"`{extension}`" for extension in one.extensions)
        assert f"| `{one.name}` | {one.side} | {names} | {one.what} | {one.source} |" in PAGE
        assert all(f"| `--{option.replace('_', '-')}` |" in PAGE for option in one.options)
