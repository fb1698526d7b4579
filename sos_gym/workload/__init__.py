"""Workloads: tapes, the families that draw them, and recordings of real programs."""

from sos_gym.workload.families.registry import (
    SPLITS,
    Card,
    Parameter,
    card_of,
    refuse_workload,
    workload,
    workloads,
)
from sos_gym.workload.tape import OPS, OWNERS, PAGES, THREADS, Tape, TapeError, op_array

__all__ = [
    "OPS",
    "OWNERS",
    "PAGES",
    "SPLITS",
    "THREADS",
    "Card",
    "Parameter",
    "Tape",
    "TapeError",
    "card_of",
    "op_array",
    "refuse_workload",
    "workload",
    "workloads",
]
