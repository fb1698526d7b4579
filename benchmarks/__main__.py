"""python -m benchmarks [NAME ...] [--quick] [--references N] [--out FOLDER]"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import anatomy, caches, decisions, footprint, growth, jobs, report, training
from benchmarks.scale import QUICK, Scale

BENCHMARKS = [caches, jobs, decisions, training, anatomy, growth, footprint]


def run(module: ModuleType, scale: Scale, progress: Progress) -> list[dict]:
    """All rows of one benchmark; each is shown as it comes."""
    rows: list[dict] = []
    cases = module.cases(scale)
    task = progress.add_task(report.name_of(module), total=len(cases))
    for case in cases:
        for row in module.measure(case, scale):
            progress.console.print(" ".join(f"{name}={_short(value)}" for name, value in row.items() if value != ""))
            rows.append(row)
        progress.advance(task)
    return rows


def _short(value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=sys.modules["benchmarks"].__doc__)
    names = [report.name_of(module) for module in BENCHMARKS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(names)}; default: all")
    parser.add_argument("--quick", action="store_true", help="less work: about five minutes in all")
    parser.add_argument("--references", type=int, help="of the trace in caches")
    parser.add_argument("--out", type=Path, default=Path("results"))
    given = parser.parse_args()
    if unknown := set(given.names) - set(names):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    scale = QUICK if given.quick else Scale()
    scale = replace(scale, references=given.references or scale.references)
    command = " ".join(["python -m benchmarks", *sys.argv[1:]])
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(soft_wrap=True)) as progress:
        for module in BENCHMARKS:
            if given.names and report.name_of(module) not in given.names:
                continue
            start = time.perf_counter()
            rows = run(module, scale, progress)
            report.write(given.out, module, report.result(module, rows, command, time.perf_counter() - start))
    print(f"wrote {report.write_page(given.out, BENCHMARKS)}")


if __name__ == "__main__":
    main()
