"""Mutation test of a sample: an operator or a number in a kernel is changed, and a test has to fail.

    python -m venv .mutants; .mutants/bin/pip install cosmic-ray
    .mutants/bin/python -m measurements.mutants policy 69 --python .venv/bin/python [--seed 1] [--only 3 14] [--out F]

Cosmic Ray finds the positions and edits (it is imported where it is used, so that a test can read TESTS); the seed
draws lines, as many from each file, and one mutant of each. A worker edits a copy of the checkout, with a cache of
kernels of its own, and runs the tests that concern the file. A crash counts as killed, so does a hang. `--only -1` runs
the tests without a mutant: all of them have to survive.
"""

import argparse
import ast
import json
import os
import queue
import random
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 420  # s; then it hangs
KINDS = re.compile(  # the others (shifts, `is`, empty lists, decorators) do not compile, or crash at once
    r"core/(NumberReplacer|AddNot|Replace(And|Or|True|False|Break|Continue)With\w+|ReplaceComparisonOperator_\w+_(Eq|NotEq|[LG]tE?)"
    r"|ReplaceBinaryOperator_\w+_(Add|Sub|Mul|FloorDiv)|ReplaceUnaryOperator_(Delete_)?USub(_UAdd)?)"
)
QUICK = """from hypothesis import Phase, settings  # shrinking takes minutes and changes no verdict
settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate))
settings.load_profile("mutants")
"""
ALL_POLICIES = "does_not_know"  # a test that compiles them all
# Part of the package, module: test files, and what their tests must match (pytest -k); the first failure ends it.
TESTS = {
    **{
        f"policy/{name}": ("adaptive_lists contract", f"{name} or today")
        for name in ("arc", "lirs", "clockpro", "tinylfu")
    },
    "policy/lruk": ("adaptive_lists contract", "lruk or lru1 or today"),
    **{
        f"policy/{name}": ("learning_policies contract", f"{name} or explorers or reused")
        for name in ("ageing", "lecar", "cacheus", "lhd", "hyperbolic")
    },
    "policy/experts": ("learning_policies contract", "lecar or cacheus"),
    **{
        f"policy/{name}": ("crossing_policies contract", f"{name} or goes")
        for name in ("resident_first", "whole_sets", "spare_next", "together")
    },
    "policy/working_set": ("crossing_policies", "set or whole or goes or resident_first"),
    "policy/guard": ("crossing_policies contract", "guard or inside or outside"),
    "policy/placement": ("crossing_policies contract", "near or blind or coupling"),
    "policy/second_chance": ("peers contract", "second_chance"),
    "policy/recency": ("theory peers contract", "recency or lru or string"),
    "policy/log": ("theory peers contract", "recency or turns or string or fifo"),
    "policy/queue": ("policy adaptive_lists contract", "queues or arc or lirs"),
    "policy/heap": ("learning_policies theory contract", "ageing or lecar or frequency"),
    "policy/fair_share": ("theory contract", "fair or late"),
    "policy/turns": ("theory queues contract", "turns or fifo or robin or string or second_chance"),
    **{
        f"policy/{name}": ("theory queues peers policy contract", f"{name} or fcfs or least_of")
        for name in ("lottery", "seniority", "frequency", "gap", "priority")
    },
    **{
        f"engine/{name}": (
            "engine_against_plain theory contract",
            f"engine_against or (theory and not {ALL_POLICIES}) or (invariant and recency)",
        )
        for name in ("decisions", "frames", "holding", "account", "program", "cores", "events")
    },
}


def source_of(module: str) -> Path:
    """Relative to the root: policy/arc is sos_gym/policy/lists/arc.py."""
    part, name = module.split("/")
    (found,) = (ROOT / "sos_gym" / part).rglob(f"{name}.py")
    return found.relative_to(ROOT)


def tests_of(module: str) -> list[Path]:
    """The files of tests that concern a module, relative to the root."""
    found = (path for name in TESTS[module][0].split() for path in (ROOT / "tests").rglob(f"test_{name}.py"))
    return sorted(path.relative_to(ROOT) for path in found)


def mutants(path: str) -> dict[int, list]:
    """(module, line, operator, occurrence) by line, in the bodies of compiled functions."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    source, found = (ROOT / source_of(path)).read_text(), {}
    kernels = [f for f in ast.parse(source).body if isinstance(f, ast.FunctionDef) and f.decorator_list]
    lines = {line for f in kernels for line in range(f.body[0].lineno, f.body[-1].end_lineno + 1)}
    nodes = list(ast_nodes(get_ast(source)))
    for name in filter(KINDS.fullmatch, operator_names()):
        starts = [start for node in nodes for start, _ in get_operator(name)().mutation_positions(node)]
        for i, (line, _) in enumerate(starts):
            found.setdefault(line, []).append((path, line, name, i))
    return {line: found[line] for line in sorted(lines & found.keys())}


def sample(group: str, count: int, seed: int) -> list:
    """File by file in turn, until there are `count`."""
    rng, drawn = random.Random(seed), []
    for by_line in (mutants(path) for path in TESTS if path.startswith(group)):
        drawn.append([rng.choice(by_line[line]) for line in rng.sample(list(by_line), len(by_line))])
    return [column[i] for i in range(max(map(len, drawn))) for column in drawn if i < len(column)][:count]


def verdict(place: Path, python: str, path: str, line: int, operator: str, occurrence: int) -> dict:
    """Edit, test, undo."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    target, words = place / source_of(path), TESTS[path][1]
    original = target.read_text()
    mutant = mutate_code(original, get_operator(operator)(), occurrence) if operator else original
    changed = [(a.strip(), b.strip()) for a, b in zip(original.split("\n"), mutant.split("\n"), strict=True) if a != b]
    target.write_text(mutant)
    command = [python, "-m", "pytest", "-x", "-q", "-k", words, *map(str, tests_of(path))]
    own = {"PYTHONPATH": f"{place}:{place}/tests", "XDG_CACHE_HOME": f"{place}/cache", "NUMBA_OPT": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    run = subprocess.Popen(command, cwd=place, env={**os.environ, **own}, **pipes)
    try:
        output, _ = run.communicate(timeout=LIMIT)
        broken = "TypingError" in output or "LoweringError" in output
        how = {0: "survived", -signal.SIGKILL: "stopped from outside"}.get(run.returncode, "killed")
        how = "not compiled" if broken else how
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        output, how = run.communicate()[0] + "\nhang", "killed"
    target.write_text(original)
    return {"place": f"{path}:{line}", "change": changed, "how": how, "end": output.strip().split("\n")[-1][:80]}


def work(python: str, todo: queue.SimpleQueue, out) -> None:
    """One worker, in its own copy."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("sos_gym", "tests"):
            shutil.copytree(ROOT / part, Path(folder, part), ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        Path(folder, "conftest.py").write_text(QUICK)
        while not todo.empty():
            number, mutant = todo.get()
            print(json.dumps({"id": number, **verdict(Path(folder), python, *mutant)}), file=out, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", choices=("policy", "engine"))
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python", required=True, help="of an environment in which the tests run")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int, nargs="*", help="of the sample, by their numbers")
    parser.add_argument("--out", type=argparse.FileType("a"), help="a JSON line for each; default: the terminal")
    given = parser.parse_args()
    todo: queue.SimpleQueue = queue.SimpleQueue()
    drawn = list(enumerate(sample(given.group, given.count, given.seed)))
    if given.only == [-1]:
        drawn = [(-1, (path, 0, "", 0)) for path in TESTS if path.startswith(given.group)]
    for number, mutant in drawn:
        if given.only is None or number in given.only:
            todo.put((number, mutant))
    for _ in range(given.workers):
        threading.Thread(target=work, args=(given.python, todo, given.out)).start()


if __name__ == "__main__":
    main()
