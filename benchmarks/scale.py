"""How much work a run of the benchmarks does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    references: int = 10_000_000  # of a trace, for native simulators
    python_references: int = 2_000_000  # for simulators that call Python at every reference
    jobs: tuple[int, ...] = (100_000, 1_000_000)
    seconds: float = 3.0  # that an environment is stepped
    rounds: int = 5  # alternating; medians are shown
    growth_references: int = 3_000_000
    most_environments: int = 4096


QUICK = Scale(
    references=1_000_000,
    python_references=500_000,
    jobs=(100_000,),
    seconds=0.5,
    rounds=3,
    growth_references=300_000,
    most_environments=1024,
)
