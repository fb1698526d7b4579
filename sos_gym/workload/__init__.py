"""Workloads: tapes, the families that draw them, and recordings of real programs."""

from sos_gym.workload import joint, pages, threads  # noqa: F401  (they register their families)
from sos_gym.workload.family import Card, Parameter, workload, workloads
from sos_gym.workload.tape import OPS, OWNERS, PAGES, THREADS, Tape, TapeError, op_array

__all__ = [
    "OPS",
    "OWNERS",
    "PAGES",
    "THREADS",
    "Card",
    "Parameter",
    "Tape",
    "TapeError",
    "op_array",
    "workload",
    "workloads",
]
