"""Lists of page numbers, as the authors of LIRS published them."""

import numpy as np

from sos_gym.workload.tape import Tape
from sos_gym.workload.traces.formats.registry import Limit, format_of
from sos_gym.workload.traces.lines import Grammar, line_chunks
from sos_gym.workload.traces.references import References
from sos_gym.workload.traces.source import Source

MARK = "*"  # a line that says that a phase ends


@format_of(
    "lirs",
    side="memory",
    extensions=(".lirs", ".trc", ".trace"),
    what="block numbers: decimal, one a line; a line with * marks the end of a phase",
    source="Jiang and Zhang, LIRS, SIGMETRICS 2002; ben-manes/caffeine, simulator: parser/lirs",
    sample="4711",
    pattern=r"\s*(\d+|\*)\s*$",
    distinct=False,
)
def lirs(source: Source, *, limit: Limit = None) -> Tape:
    """One READ per number."""
    references = References(source, limit)
    for chunk in line_chunks(source, Grammar(np.dtype([("block", "u8")]))):
        marks = [i for i, line in enumerate(chunk.lines) if line.strip() == MARK]
        for i in marks:
            chunk.lines[i] = ""
        references.drop("marks", len(marks))
        references.add(chunk.rows()["block"])
        if references.full:
            break
    return references.tape(kept="one READ per number", dropped="marks of phases")
