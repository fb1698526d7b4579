"""Loads and stores of a program, by address, as the traces of architecture courses have them."""

import numpy as np

from sos_gym.workload.tape import Tape
from sos_gym.workload.traces.formats.registry import Limit, PageBytes, format_of
from sos_gym.workload.traces.lines import Grammar, line_chunks
from sos_gym.workload.traces.references import References
from sos_gym.workload.traces.source import Source

MOST_INSTRUCTIONS = 1 << 31  # between two accesses
INSTRUCTION_NS = 1  # as of ramulator


@format_of(
    "address",
    side="memory",
    extensions=(".trace",),
    what="loads and stores: l or s, address in hex, instructions since the last one",
    source="ben-manes/caffeine, simulator: parser/address",
    sample="s 0x1fffff70 1",
    pattern=r"\s*[lLsS]\s+0[xX][0-9a-fA-F]+\s+\d+\s*$",
)
def address(source: Source, *, limit: Limit = None, page_bytes: PageBytes = 4096) -> Tape:
    """A line is a READ or a WRITE of one cache line."""
    grammar = Grammar(np.dtype([("op", "S8"), ("address", "S24"), ("instructions", "i8")]))
    references = References(source, limit)
    instructions = 0
    for chunk in line_chunks(source, grammar):
        rows = chunk.rows()
        op, since = np.char.lower(rows["op"]), rows["instructions"]
        chunk.refuse_if((op != b"l") & (op != b"s"), "the first field must be l or s")
        wrong = (since < 0) | (since > MOST_INSTRUCTIONS)
        chunk.refuse_if(wrong, f"the third field must be 0 to {MOST_INSTRUCTIONS}")
        before = instructions + np.cumsum(since)
        instructions = int(before[-1]) if len(before) else instructions
        page = chunk.hexadecimal(rows["address"]) // np.uint64(page_bytes)
        references.add(page, op == b"s", lines=1, stamp_ns=before * INSTRUCTION_NS)
        if references.full:
            break
    return references.tape(
        think_ns=0,
        kept="a READ of one line per load, a WRITE of one line per store",
        dropped="which line of the page",
        instructions=f"COMPUTE of {INSTRUCTION_NS} ns each, put in by the microsecond",
    )
