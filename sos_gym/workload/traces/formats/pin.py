"""Accesses to memory as Pin's example tool pinatrace prints them."""

import re

import numpy as np

from sos_gym.workload.tape import Tape
from sos_gym.workload.traces.formats.registry import Limit, PageBytes, format_of
from sos_gym.workload.traces.lines import Grammar, line_chunks
from sos_gym.workload.traces.references import References
from sos_gym.workload.traces.source import Source

CODE = re.compile(r"\s*(0[xX])?[0-9a-fA-F]+\s*:\s*")  # address of the instruction


@format_of(
    "pin",
    side="memory",
    extensions=(".pin", ".pinatrace"),
    what="accesses: address of the instruction, colon, R or W, address in hex; more fields are ignored",
    source="Luk et al., Pin, PLDI 2005; Pin user guide, example pinatrace",
    sample="0x7f3a1c2d: R 0x7ffd9af8",
    pattern=r"\s*(0[xX])?[0-9a-fA-F]+\s*:\s*[RW]\s+(0[xX])?[0-9a-fA-F]+(\s|$)",
)
def pin(source: Source, *, limit: Limit = None, page_bytes: PageBytes = 4096) -> Tape:
    """A line is a READ or a WRITE of one cache line."""
    grammar = Grammar(np.dtype([("op", "S8"), ("address", "S24")]), columns=(0, 1), completed=_without_code)
    references = References(source, limit)
    for chunk in line_chunks(source, grammar):
        rows = chunk.rows()
        chunk.refuse_if(~np.isin(rows["op"], (b"R", b"W")), "the access must be R or W, after a colon")
        page = chunk.hexadecimal(rows["address"]) // np.uint64(page_bytes)
        references.add(page, rows["op"] == b"W", lines=1)
        if references.full:
            break
    return references.tape(
        kept="a READ of one line per R, a WRITE of one line per W",
        dropped="instruction fetches are not recorded; addresses of instructions, further fields, the line of the page",
    )


def _without_code(line: str) -> str:
    return CODE.sub("", line, count=1) or line
