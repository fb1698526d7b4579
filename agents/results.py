"""How trained claims stand on a split, against every registered policy: tables with intervals, for people and as JSON.

    python agents/results.py runs/generalist-memory-* --split test --episodes 20 --out runs/results-memory

With --page FILE the tables also become the section of that page whose heading is the configuration's name and the
split, in place of one that is there. --beside names claims of other runs that are to be held against them, --controls
adds networks that nobody trained and a vote of policies (controls.py). --set changes a setting of all episodes, as
sight=scanned; with --charge every decision takes time: a claim's so many ns, a policy's what its card says.

The claims are those of one configuration, trained from several seeds; the best on val of each run is taken as it is.
A claim that ships may be among them: sos_gym/shipped/generalist-memory.
All play on the same tapes as all policies. A unit of the intervals is a training seed and a tape of each case, both
drawn with replacement (percentile bootstrap, Efron and Tibshirani 1993, ch. 13, by scipy). What was played is kept as
it comes and not played again, so that a run that was stopped goes on; another claim or other code plays anew.
"""

import argparse
import json
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import one_line
import yaml
from cases import cases_of, log_ratios
from configuration import changes_of
from controls import controls_of
from played import Kept, Played, Player, charges, play
from rich.console import Console
from rich.table import Table
from scipy.stats import bootstrap

from sos_gym import LearnedClaim, SettingError, policies
from sos_gym.baseline import RANDOM_ROW
from sos_gym.leaderboard.rows import code_hash
from sos_gym.markdown import table
from sos_gym.outputs import write_whole

RESAMPLES = 2_000
OF_A_RUN = ("seed", "workers", "baselines")  # what runs of one configuration may differ in; baselines move no rank

# -- what it says


@dataclass(frozen=True)
class Ratio:
    """Stall relative to a base, and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def log_ratio(own: np.ndarray, base: np.ndarray) -> float:
    """Mean over cases of log(stall / the base's), of sums over tapes: own (seeds, C, E), base (C, E).

    A worked number: two seeds with stall 1 and 3 on one tape, on which the base has 2, are log(4 / 4) = 0.
    """
    return float(log_ratios(own.mean(axis=0, keepdims=True), base).mean())


def ratio(own: np.ndarray, base: np.ndarray, resamples: int = RESAMPLES) -> Ratio:
    """The geometric mean over cases, with the interval over seeds and tapes; own (seeds, C, E), base (C, E)."""
    seeds, tapes = np.arange(len(own)), np.arange(own.shape[2])

    def statistic(some_seeds: np.ndarray, some_tapes: np.ndarray) -> float:
        return log_ratio(own[some_seeds][:, :, some_tapes], base[:, some_tapes])

    value, enough = np.exp(log_ratio(own, base)), len(tapes) > 1
    if not enough:
        return Ratio(float(value), float("nan"), float("nan"))
    # scipy wants two numbers of a sample at least; a lone seed is drawn as itself
    seeds = np.repeat(seeds, 2) if len(seeds) == 1 else seeds
    found = bootstrap(
        (seeds, tapes), statistic, vectorized=False, paired=False, n_resamples=resamples, method="percentile", rng=0
    )
    low, high = np.exp(found.confidence_interval)
    return Ratio(float(value), float(low), float(high))


def best_of_each_case(played: Played, names: Sequence[str]) -> list[str]:
    """The policy with the least stall of each case: an oracle's choice among all."""
    sums = played.of(names).sum(axis=2)
    return [names[k] for k in sums.argmin(axis=0)]


def base_of(played: Played, chosen: Sequence[str]) -> np.ndarray:  # float (C, E)
    return np.stack([played.of([name])[0, c] for c, name in enumerate(chosen)])


def best_single(played: Played, names: Sequence[str]) -> str:
    """The one policy with the least geometric mean over cases, relative to the best of each."""
    base = base_of(played, best_of_each_case(played, names))
    return min(names, key=lambda name: log_ratio(played.of([name]), base))


def tables(
    played: Played,
    claims: Sequence[str],
    online: Sequence[str],
    recorded: Sequence[bool],
    beside: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> dict:
    """All that is told of claims from several seeds, against the policies `online`; ready for JSON.

    Args:
        beside: what else is held against the policies in the same way, by what it is called: names of one or more.
    """
    chosen, single = best_of_each_case(played, online), best_single(played, online)
    own, base, lone = played.of(claims), base_of(played, chosen), played.of([single])[0]
    groups = {
        "all": slice(None),
        "families": np.flatnonzero(~np.array(recorded)),
        "recordings": np.flatnonzero(recorded),
    }
    groups = {name: at for name, at in groups.items() if name == "all" or len(at)}
    means = {
        name: {"of each case": asdict(ratio(own[:, at], base[at])), single: asdict(ratio(own[:, at], lone[at]))}
        for name, at in groups.items()
    }
    cases = [_case(played, claims, chosen, single, c) for c in range(len(played.cases))]
    told_already = {*claims, *(name for names in beside.values() for name in names)}
    others = {
        name: float(np.exp(log_ratio(played.of([name]), base))) for name in played.names if name not in told_already
    }
    held = {
        called: {"of each case": asdict(ratio(played.of(names), base)), single: asdict(ratio(played.of(names), lone))}
        for called, names in beside.items()
    }
    return {"best single": single, "means": means, "beside": held, "cases": cases, "others": others}


def _case(played: Played, claims: Sequence[str], chosen: Sequence[str], single: str, c: int) -> dict:
    """One case: the ratio to the best policy there, and to the best single one; Jain and p99 beside it."""
    own, base, lone = (
        played.of(claims)[:, c : c + 1],
        played.of([chosen[c]])[0, c : c + 1],
        played.of([single])[0, c : c + 1],
    )
    fair, late = (
        [float(played.of(names, measure)[:, c].mean()) for names in (claims, [chosen[c]])]
        for measure in ("jain", "response_p99_ns")
    )
    to_lone = float(np.exp(log_ratio(own, lone)))
    return {
        "case": played.cases[c],
        "best": chosen[c],
        "ratio": asdict(ratio(own, base)),
        "to the best single": to_lone,
        "jain": fair,
        "p99_ns": late,
    }


# -- for people


def print_tables(told: dict, title: str, console: Console) -> None:
    shown = Table(
        "case", "best policy", "stall / its stall (95 %)", f"/ {told['best single']}'s", "Jain, its", title=title
    )
    for one in told["cases"]:
        jain = " ".join(f"{value:.2f}" for value in one["jain"])
        shown.add_row(one["case"], one["best"], str(Ratio(**one["ratio"])), f"{one['to the best single']:.3f}", jain)
    for name, mean in told["means"].items():
        each, lone = (str(Ratio(**value)) for value in mean.values())
        shown.add_row(f"geometric mean, {name}", "", each, lone, "", style="bold")
    for name, mean in told["beside"].items():
        each, lone = (str(Ratio(**value)) for value in mean.values())
        shown.add_row(f"geometric mean of {name}", "", each, lone, "")
    console.print(shown)
    order = sorted(told["others"], key=lambda name: told["others"][name])
    console.print(
        "others, relative to the best of each case: " + ", ".join(f"{n} {told['others'][n]:.3f}" for n in order)
    )


# -- for a page


def markdown_of(told: dict, split: str, episodes: int, claims: int) -> str:
    """Means, cases and what the other policies have; intervals where there are."""
    single = f"`{told['best single']}`"
    means = [
        (name, str(Ratio(**of["of each case"])), str(Ratio(**of[told["best single"]])))
        for name, of in (*told["means"].items(), *told["beside"].items())
    ]
    cases = [
        (one["case"], f"`{one['best']}`", str(Ratio(**one["ratio"])), f"{one['to the best single']:.3f}", *_beside(one))
        for one in told["cases"]
    ]
    others = sorted(told["others"].items(), key=lambda pair: pair[1])
    heads = "case", "best policy there", "stall / its stall (95 %)", f"/ {single}'s", "Jain", "its", "p99 ms", "its"
    seeds = f"{claims} training seed{'s' * (claims > 1)}"
    return "\n\n".join(
        (
            f"{seeds}, {episodes} tapes a case of `{split}`; `python {shlex.join(sys.argv)}`.",
            table(
                ("geometric mean over", "stall / best policy of each case", f"stall / {single}, the best single one"),
                means,
            ),
            table(heads, cases, "llrrrrrr"),
            "Others, relative to the best of each case: "
            + ", ".join(f"`{name}` {value:.3f}" for name, value in others)
            + ".",
        )
    )


def _beside(case: dict) -> list[str]:
    return [*(f"{value:.2f}" for value in case["jain"]), *(f"{value / 1e6:.1f}" for value in case["p99_ns"])]


def put_section(page: Path, heading: str, text: str) -> None:
    """Into a page of Markdown, in place of the section of that heading or at the end."""
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    section = f"## {heading}\n\n{text}\n"
    kept = re.split(r"(?m)^(?=## )", before)
    places = [k for k, part in enumerate(kept) if part.startswith(f"## {heading}\n")]
    if places:
        kept[places[0]] = section + "\n" * (places[0] < len(kept) - 1)
    else:
        kept.append("\n" * bool(before) + section)
    write_whole(page, "".join(kept).encode())


# -- the command line


def claim_of(run: Path) -> LearnedClaim:
    """The best on val of a run.

    Raises:
        SettingError: it has none yet.
    """
    if not (run / "claim.npz").exists():
        raise SettingError("runs", str(run), "folders of runs that have a claim.npz", "train first")
    return LearnedClaim.load(run / "claim.npz")


def _config_of(run: Path) -> dict:
    """Of a run, or of a claim that ships: from its card."""
    if (run / "card.json").exists():
        return json.loads((run / "card.json").read_text(encoding="utf-8"))["config"]
    return yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))


def runs_of(paths: Iterable[Path]) -> tuple[dict, dict[str, LearnedClaim]]:
    """The configuration that the runs share but for what is OF_A_RUN, and their claims by run.

    Raises:
        SettingError: they are of different configurations, or one has no claim yet.
    """
    found: dict[str, LearnedClaim] = {}
    given: dict = {}
    for path in paths:
        claim = claim_of(path)
        config = _config_of(path)
        own = {key: value for key, value in config.items() if key not in OF_A_RUN}
        if given and own != given:
            allowed = f"runs of one configuration, but for {', '.join(OF_A_RUN)}"
            raise SettingError("runs", str(path), allowed, "ask for them apart")
        given, found[path.name] = own, claim
    return given, found


def scoring(text: str, episodes: int) -> argparse.ArgumentParser:
    """What every script asks that plays the claims of runs on a split; `episodes` is the default."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--split", default="val", choices=("val", "test", "ood"))
    parser.add_argument("--episodes", type=int, default=episodes, help="tapes of each case")
    parser.add_argument("--out", type=Path, required=True, help="the folder of what was played and of the results")
    parser.add_argument("--page", type=Path, help="a page of Markdown to put it into, pictures beside it")
    return parser


def main() -> None:
    parser = scoring(__doc__, episodes=20)
    parser.add_argument("--env", help="score on this id instead of those trained on")
    parser.add_argument("--beside", type=Path, nargs="+", default=[], help="other runs, whose claims are held against")
    parser.add_argument("--controls", action="store_true", help="play networks that nobody trained, and a vote")
    parser.add_argument("--set", nargs="+", default=[], metavar="key=value", help="change settings of all episodes")
    parser.add_argument("--charge", type=int, metavar="NS", help="a claim's decision takes so long, a policy's its own")
    given = parser.parse_args()
    config, claims = runs_of(given.runs)
    beside: dict[str, dict[str, Player]] = {run.name: {run.name: claim_of(run)} for run in given.beside}
    if given.controls:
        beside |= controls_of(next(iter(claims.values())).sizes)
    everybody: dict[str, Player] = {**claims, **{name: name for name in (*policies(), RANDOM_ROW)}}
    for of in beside.values():
        everybody |= of
    conditions = changes_of(given.set)
    prices = {name: {} for name in everybody} if given.charge is None else charges(everybody, given.charge)
    envs = [given.env] if given.env else config.get("envs") or [config["env"]]
    cases = cases_of(envs, config.get("workloads") or ["default"], given.split)
    with ThreadPoolExecutor() as pool:
        kept = Kept(given.out / f"played-{code_hash()}.jsonl")
        settings = {name: conditions | price for name, price in prices.items()}
        played = play({name: everybody[name] for name in prices}, cases, given.episodes, kept, pool, settings)
    online = [name for name, one in policies().items() if not one.privileged and name in prices]
    recorded = [case.recorded for case in cases]
    told = tables(played, [*claims], online, recorded, {name: [*of] for name, of in beside.items()})
    under = ", ".join([*given.set, *([] if given.charge is None else ["decisions charged"])])
    heading = ", ".join(filter(None, (config["name"], given.split, under)))
    write_whole(given.out / f"{heading}.json", json.dumps(told, indent=1).encode())
    if given.page:
        put_section(given.page, heading, markdown_of(told, given.split, given.episodes, len(claims)))
    print_tables(told, f"{', '.join(claims)} on {heading}, {given.episodes} tapes a case", Console())


if __name__ == "__main__":
    one_line.run(main)
