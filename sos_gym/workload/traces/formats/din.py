"""The din format of Dinero, the cache simulator."""

import numpy as np

from sos_gym.workload.tape import Tape
from sos_gym.workload.traces.formats.registry import Limit, PageBytes, format_of
from sos_gym.workload.traces.lines import Grammar, line_chunks
from sos_gym.workload.traces.references import References
from sos_gym.workload.traces.source import Source

READ, WRITE, FETCH, UNKNOWN = b"0", b"1", b"2", b"3"  # labels of accesses; 4 flushes the cache
LABELS = READ, WRITE, FETCH, UNKNOWN, b"4"


@format_of(
    "din",
    side="memory",
    extensions=(".din",),
    what="accesses: 0 read, 1 write, 2 fetch, 3 other, 4 flush; address in hex; more fields are ignored",
    source="Hill and Edler, Dinero IV, man page: the traditional din input format",
    sample="2 408ed4",
    pattern=r"\s*[0-4]\s+(0[xX])?[0-9a-fA-F]+(\s|$)",
    distinct=False,
)
def din(source: Source, *, limit: Limit = None, page_bytes: PageBytes = 4096) -> Tape:
    """A line is a READ or a WRITE of one cache line."""
    grammar = Grammar(np.dtype([("label", "S8"), ("address", "S24")]), columns=(0, 1))
    references = References(source, limit)
    for chunk in line_chunks(source, grammar):
        rows = chunk.rows()
        chunk.refuse_if(~np.isin(rows["label"], LABELS), "the first field must be 0 to 4")
        page, accessed = chunk.hexadecimal(rows["address"]) // np.uint64(page_bytes), rows["label"] != b"4"
        references.drop("flushes", np.count_nonzero(~accessed))
        references.add(page[accessed], rows["label"][accessed] == WRITE, lines=1)
        if references.full:
            break
    return references.tape(
        kept="a WRITE of one line per write, a READ of one line per any other access",
        dropped="which line of the page; flushes; that an access was a fetch",
    )
