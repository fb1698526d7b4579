"""A family of graph traversals, for Tier."""

import numpy as np

from sos_gym.resource import Op
from sos_gym.workload.families.draws import zipf_ranks
from sos_gym.workload.families.known import Known
from sos_gym.workload.families.pages import THINK
from sos_gym.workload.families.registry import Parameter, family
from sos_gym.workload.tape import Tape, op_array


@family(
    "graph",
    "tier",
    "Breadth-first searches of one power-law graph: edges are streamed, vertices are hit by popularity.",
    "the tiering literature's load: Maruf et al., TPP, ASPLOS 2023; Beamer, Asanović and Patterson, GAP, 2015 (BFS); "
    "degrees by Kleinberg's and Barabási's power laws",
    threads=Parameter(2, "threads", 1, 1024, "more searches at once"),
    references=Parameter(5000, "references", 1, 10**8, "references per thread; a longer episode"),
    vertices=Parameter(1200, "vertices", 2, 10**8, "more pages of either kind", ood=(1800, 2400)),
    degree=Parameter(8, "edges", 1, 10**4, "edges of a vertex, on average; more streaming", ood=(12, 16)),
    alpha=Parameter(0.9, "", 0.0, 5.0, "skew of the edges' ends; fewer vertices take more of the visits"),
    vertices_per_page=Parameter(16, "vertices", 1, 4096, "records of a vertex page; less to place"),
    edges_per_page=Parameter(128, "edges", 1, 4096, "records of an edge page; less to stream"),
    ns_per_reference=THINK,
)
def graph(
    rng,
    *,
    threads,
    references,
    vertices,
    degree,
    alpha,
    vertices_per_page,
    edges_per_page,
    ns_per_reference,
    known: Known | None = None,
) -> Tape:
    """Vertex pages are worth the fast tier by their degree, edge pages hardly ever.

    A thread searches from one seeded source after another. It reads the edge pages of each vertex of the frontier in
    order, and the page of every neighbour, which it writes when it is the first to come there.
    """
    ends = rng.permutation(vertices)[zipf_ranks(rng, vertices, alpha, vertices * degree)]
    starts = np.sort(rng.integers(vertices, size=vertices * degree))
    first = np.searchsorted(starts, np.arange(vertices + 1))
    vertex_pages = -(-vertices // vertices_per_page)
    programs = []
    for _ in range(threads):
        parts: list[np.ndarray] = []
        made = 0
        while made < references:
            part = _search(int(rng.integers(vertices)), first, ends, vertices_per_page, edges_per_page, vertex_pages)
            parts.append(part)
            made += len(part)
        programs.append(np.concatenate(parts)[:references])
    if known:
        known.programs(programs)
        visits = np.bincount(ends // vertices_per_page, minlength=vertex_pages)
        streamed = np.bincount(np.arange(len(ends)) // edges_per_page, first[starts] == np.arange(len(ends)))
        per_search = np.append(visits, np.maximum(streamed, 1))
        known.gaps(0, 0, np.arange(len(per_search)), per_search.sum() / np.maximum(per_search, 1e-9) / threads)
    return Tape.build(programs, think_ns=ns_per_reference, owner=0)


def _search(source: int, first, ends, vertices_per_page, edges_per_page, vertex_pages) -> np.ndarray:  # OPS
    """One search from `source`, level by level."""
    seen = np.zeros(len(first) - 1, bool)
    seen[source] = True
    frontier, parts = np.array([source]), [op_array([Op.WRITE], [source // vertices_per_page])]
    while len(frontier):
        count = first[frontier + 1] - first[frontier]
        edge = np.repeat(first[frontier] - (np.cumsum(count) - count), count) + np.arange(count.sum())
        found = ends[edge]
        new = np.zeros(len(edge), bool)
        new[np.unique(found, return_index=True)[1]] = True
        new &= ~seen[found]
        page = np.stack((vertex_pages + edge // edges_per_page, found // vertices_per_page), axis=1).reshape(-1)
        op = np.stack((np.full(len(edge), Op.READ), np.where(new, Op.WRITE, Op.READ)), axis=1).reshape(-1)
        streamed = np.append(True, page[2::2] != page[:-2:2]) if len(edge) else np.zeros(0, bool)
        kept = np.stack((streamed, np.ones(len(edge), bool)), axis=1).reshape(-1)  # an edge page once in a row
        parts.append(op_array(op[kept], page[kept]))
        frontier = found[new]
        seen[frontier] = True
    return np.concatenate(parts)
