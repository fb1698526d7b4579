"""The grid: policies × environments × workloads, and the rows it gives.

A group is an environment and a workload: what policies are compared on. All policies of a group meet the same tapes.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sos_gym import __version__
from sos_gym.baseline import RANDOM_ROW, RandomRow
from sos_gym.engine.mistakes import PolicyError
from sos_gym.envs.env import ActionError
from sos_gym.evaluation import Decide, evaluate
from sos_gym.leaderboard.charged import charged
from sos_gym.leaderboard.rows import CONTENT, Row, RowFile, code_hash
from sos_gym.loading.found import Found, found_as
from sos_gym.loading.spec import halves_of, in_file
from sos_gym.policy import policies as registered
from sos_gym.policy import policy_of
from sos_gym.policy.contract import Policy
from sos_gym.policy.pairing import Pair
from sos_gym.settings.presets import PRESETS
from sos_gym.settings.ranges import SettingError, listed, number_in
from sos_gym.shipped import SHIPPED
from sos_gym.workload import Tape, card_of, workload, workloads
from sos_gym.workload.recordings import SPLIT_OF

SIDES = {  # the sides of workloads that an environment is scored on
    "sos/Memory-v0": ("memory",),
    "sos/CPU-v0": ("cpu",),
    "sos/System-v0": ("joint",),
    "sos/Tier-v0": ("tier", "memory"),
}
FRAMES_RATIO = 0.25  # frames per page of a tape that is not drawn
FAST_RATIO = 0.1  # fast frames per page on Tier: with .25 all fits that is used much, and most policies tie within 3 %
FEWEST_FRAMES = 2
CORES = 2  # for a schedule that does not say what it was recorded on
EPISODES = 5  # seeds per group
KINDS = ("heuristic", "clairvoyant", "agent", "ensemble", "baseline")

Asked = str | Found | Policy | Pair | Decide  # a policy: what it is called, or itself
Progress = Callable[[Row, int, int], None]  # (row, rows done, rows in all)
Failed = Callable[[str, Exception], None]  # (what the policy is called, its mistake)
MISTAKES = (PolicyError, ActionError)  # of a policy


class ReplayError(ValueError):
    """A row that comes out differently now; the text says what differs."""


@dataclasses.dataclass(frozen=True)
class Group:
    """An environment and a workload, with the settings that suit the two."""

    env: str
    workload: str  # a name, or the path of a .npz
    split: str | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A policy as the grid runs it."""

    name: str  # with the parameters that differ from their default: lruk(history=0)
    kind: str  # of KINDS
    decide: Any  # for `evaluate`
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    called: str = dataclasses.field(default="", compare=False)  # what tables say; "": its name
    content: str | None = None  # see `content_of`


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be run: every entry on every group, once per seed."""

    groups: Sequence[Group]
    entries: Sequence[Entry]
    seeds: range

    def __len__(self) -> int:
        return len(self.groups) * len(self.entries) * len(self.seeds)


# -- running


def leaderboard(
    envs: Iterable[str] | None = None,
    policies: Iterable[Asked] | None = None,
    workloads: Iterable[str] | None = None,
    seed: int = 0,
    episodes: int = EPISODES,
    split: str | None = "test",
    recordings: bool = True,
    progress: Progress | None = None,
    keep: str | os.PathLike | None = None,
    resume: bool = False,
    failed: Failed | None = None,
    large: bool = False,
) -> list[Row]:
    """Run every policy on every group; one replayable row per seed.

    Args:
        envs: registered ids; None: all.
        policies: names, files such as "mine.py:LRU" (see sos_gym/loading/found.py), policies and pairs themselves,
            learned claims, or callables (observation, info) -> action; None: all names. A callable may carry `rows`
            and `advisors`, the settings under which it decides; one with advisors is an ensemble.
        workloads: names, or paths of tapes, each run where its side fits; None: each id's own, those at which things
            break, and recordings of the split "test".
        seed: the first of `episodes` seeds.
        split: from which seeds families draw.
        recordings: whether workloads=None includes them, and the families at which things break.
        progress: called after each row.
        keep: a file to which every row is appended as it comes, as a line of JSON.
        resume: rows that `keep` has, of the same code, tape and content of the policy, are not run again; the result
            is the same. Those of callables are: another one may have the name.
        failed: told of a policy that makes a mistake, or asks for settings that make no sense; of it there are no rows
            then. None: the mistake is raised.
        large: whether workloads=None includes a group per id at real size: 10^5 pages and more, or 64 cores; an episode
            takes seconds, and minutes with a policy that looks at all contenders.

    Raises:
        SettingError: a name or value that makes no sense, or `keep` is no file of rows.
        PolicyError, ActionError: a policy made a mistake.
        TapeError: a file that is no tape.
        OSError: `keep` cannot be written; it has all rows before.
    """
    plan = planned(envs, policies, workloads, seed, episodes, split, recordings, large)
    return run(plan, progress, keep, resume, failed)


def run(
    plan: Plan,
    progress: Progress | None = None,
    keep: str | os.PathLike | None = None,
    resume: bool = False,
    failed: Failed | None = None,
) -> list[Row]:
    """The rows of a plan; arguments and errors as of `leaderboard`."""
    rows: list[Row] = []
    gone: set[str] = set()  # entries that made a mistake
    with contextlib.ExitStack() as files:
        kept = None if keep is None else files.enter_context(RowFile(keep, resume))
        for row in _rows(plan, kept, gone, failed or _raised):
            rows.append(row)
            if progress:
                progress(row, len(rows), len(plan))
    return [row for row in rows if row["policy"] not in gone]


def _raised(_: str, mistake: Exception) -> None:
    raise mistake


def planned(
    envs: Iterable[str] | None,
    policies: Iterable[Asked] | None,
    workloads: Iterable[str] | None,
    seed: int,
    episodes: int,
    split: str | None,
    recordings: bool,
    large: bool = False,
) -> Plan:
    """The plan of `leaderboard`, whose arguments these are; nothing runs yet."""
    for name, value, low in (("episodes", episodes, 1), ("seed", seed, 0)):
        number_in(name, value, low, exact=True, allowed=f"an integer >= {low}", remedy="pass a whole number")
    entries = entries_of((*registered(), *SHIPPED, RANDOM_ROW) if policies is None else policies)
    return Plan(groups(envs, workloads, split, recordings, large), entries, range(seed, seed + episodes))


def _rows(plan: Plan, kept: RowFile | None, gone: set[str], failed: Failed) -> Iterator[Row]:
    """The rows of a plan in its order, each run unless it is kept; who makes a mistake is among the `gone`."""
    for group in plan.groups:
        tape = named_or_tape(group.workload)
        for entry in plan.entries:
            if entry.name in gone:
                continue
            try:
                yield from _rows_of(entry, group, tape, plan.seeds, kept)
            except (*MISTAKES, SettingError) as mistake:
                if isinstance(mistake, SettingError) and entry.content == "":
                    raise  # what was asked makes no sense; else what a policy asks for
                gone.add(entry.name)
                failed(entry.called or entry.name, mistake)


def _rows_of(entry: Entry, group: Group, tape: str | Tape, seeds: range, kept: RowFile | None) -> Iterator[Row]:
    """One per seed."""
    for seed in seeds:
        asked = asked_of(group, entry, seed)
        found = kept.found(asked, tape) if kept and entry.content is not None else None
        row = found or asked | _outcome(asked, entry.decide, tape, entry.settings)
        if kept and not found:
            kept.append(row)
        yield row


def asked_of(group: Group, entry: Entry, seed: int) -> Row:
    """A row without what comes out."""
    return {
        "env": group.env,
        "workload": group.workload,
        "split": group.split,
        "policy": entry.name,
        "called": entry.called or entry.name,
        "kind": entry.kind,
        "seed": seed,
        "settings": {**group.settings, **_written(entry.settings)},
        "version": __version__,
        "code": code_hash(),
        **({} if entry.content == "" else {CONTENT: entry.content}),  # of a policy from outside
    }


def _written(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Advisors by their names."""
    advisors = [one if isinstance(one, str) else policy_of(one).spec for one in settings.get("advisors", ())]
    return {**settings, **({"advisors": advisors} if advisors else {})}


def _outcome(asked: Row, decide: Any, tape: str | Tape, own: Mapping[str, Any]) -> Row:
    """What came out; `own`: settings of the policy, with advisors themselves."""
    settings = {**asked["settings"], **own}
    run = evaluate(asked["env"], decide, tape, asked["seed"], split=asked["split"], **settings)[0]
    metrics = {name: run[name] for name in run if name not in ("env", "policy", "seed", "tape", "privileged")}
    paid = charged(asked, decide, tape, own)
    return {"tape": run["tape"], "metrics": metrics, "privileged": run["privileged"], "charged": paid}


def replay(row: Row, policy: Asked | None = None) -> dict[str, Any]:
    """The metrics of a row, run again; `policy`: what a row cannot hold, a callable, or a policy from outside.

    Of a policy in a file "mine.py:LRU" is enough, which runs that file. One that is registered is found by its name.
    What came out with decisions charged is compared too, under the constant of the row.

    Raises:
        ReplayError: the tape or a metric differs; the text names it.
        SettingError: an agent's row, or one of a policy that this process does not know, without its policy.
    """
    entry = entry_of(_as_said(row) if policy is None else found_as(policy))
    again = _outcome(row, entry.decide, named_or_tape(row["workload"]), entry.settings)
    differing = [f"tape {row['tape']} is now {again['tape']}"] if row["tape"] != again["tape"] else []
    differing += _differing(row["metrics"], again["metrics"])
    differing += _differing({name: row[name] for name in ("privileged",) if name in row}, again)
    if row.get("charged"):
        differing += [f"charged {text}" for text in _differing(row["charged"], again["charged"] or {})]
    if differing:
        raise ReplayError(
            f"{row['policy']} on {row['env']}, {row['workload']}, seed {row['seed']} differs: {'; '.join(differing)} "
            f"(sos_gym {row['version']} then, {__version__} now{_changed(row, entry)})"
        )
    return again["metrics"]


def _differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What a number was, and is."""
    return [f"{name} {value} is now {now.get(name)}" for name, value in then.items() if now.get(name) != value]


def _as_said(row: Row) -> Found:
    """The policy of a row, if its name says it.

    Raises:
        SettingError: it does not.
    """
    spec, inside = row["policy"], row["kind"] not in ("agent", "ensemble")
    if any(map(in_file, halves_of(spec))):
        raise SettingError("policy", None, f"the policy of {spec}", f"pass policy={spec!r} to replay: that file is run")
    if not inside and spec not in SHIPPED:
        raise SettingError("policy", None, f"the callable {spec!r}", "pass it to replay")
    try:
        return found_as(spec)
    except SettingError as error:
        if CONTENT not in row:
            raise
        raise SettingError("policy", None, f"the policy {spec!r}, from outside", "pass it to replay") from error


def _changed(row: Row, entry: Entry) -> str:
    then, now = row.get(CONTENT, ""), entry.content
    return "" if then == now else f"; the policy's content was {then or 'ours'}, and is {now or 'unknown'}"


# -- groups


def groups(
    envs: Iterable[str] | None,
    names: Iterable[str] | None,
    split: str | None,
    recordings: bool = True,
    large: bool = False,
) -> list[Group]:
    """The groups of a grid, environment by environment.

    Raises:
        SettingError: an unknown id, or a workload that fits none of the environments.
    """
    ids = tuple(PRESETS) if envs is None else tuple(dict.fromkeys(listed("envs", envs, "registered ids")))
    for env in ids:
        if env not in PRESETS:
            raise SettingError("envs", env, "one of " + ", ".join(PRESETS), "use a registered id")
    if names is None:
        own = [[group_of(env, name, split) for name in own_workloads(env, recordings)] for env in ids]
        return [group for env, found in zip(ids, own, strict=True) for group in [*found, *_large(env, split)[:large]]]
    named = tuple(dict.fromkeys(listed("workloads", names, "names, or paths of tapes")))
    for name in named:
        if not any(side_of(name) in SIDES[env] for env in ids):
            fitting = ", ".join(env for env in PRESETS if side_of(name) in SIDES[env])
            raise SettingError("workloads", name, f"one that fits {', '.join(ids)}", f"run it on {fitting}")
    return [group_of(env, name, split) for env in ids for name in named if side_of(name) in SIDES[env]]


def _large(env: str, split: str | None) -> list[Group]:
    """The environment at real size."""
    return [Group(env, PRESETS[env].large.workload, split, PRESETS[env].large.settings)]


def own_workloads(env: str, recordings: bool = True) -> list[str]:
    """The family of an environment; those at which it breaks, and recordings of its sides that nobody may train on."""
    of_side = [name for name, card in workloads().items() if card.recorded and card.side in SIDES[env]]
    recorded = [name for name in of_side if SPLIT_OF[name] == "test"]
    return [PRESETS[env].workload, *((*PRESETS[env].breaking, *recorded) if recordings else ())]


def side_of(name: str) -> str:
    """The side of a named workload, or of a tape by its card, else by what its threads do."""
    tape = named_or_tape(name)
    if isinstance(tape, str):
        return card_of(name).side
    return tape.card.get("side") or ("memory" if len(tape.pages) else "cpu")


def named_or_tape(name: str) -> str | Tape:
    """A name as it is; the path of a .npz as its tape."""
    if not isinstance(name, str):
        raise SettingError("workloads", name, "a name, or the path of a tape", "save a tape, and pass its path")
    return Tape.load(name) if Path(name).suffix == ".npz" else name


def group_of(env: str, name: str, split: str | None) -> Group:
    """A family is drawn from the split under the environment's settings; a tape has its own frames or cores."""
    tape = named_or_tape(name)
    if isinstance(tape, str) and not card_of(name).recorded:
        return Group(env, name, split)
    return Group(env, name, None, fitted(env, workload(tape) if isinstance(tape, str) else tape))


def fitted(env: str, tape: Tape) -> dict[str, Any]:
    """Settings under which a tape that is not drawn is a problem: a share of its pages as frames; its own cores.

    388 pages on Memory have round(0.25 * 388) = 97 frames; on Tier round(0.1 * 388) = 39 fast and 388 slow ones.
    """
    if env == "sos/CPU-v0":
        return {"cores": int(tape.card.get("cores", CORES))}
    tiers, pages = env == "sos/Tier-v0", len(tape.pages)
    frames = max(FEWEST_FRAMES, round((FAST_RATIO if tiers else FRAMES_RATIO) * pages))
    return {"frames": (frames, pages) if tiers else frames}


# -- entries


def entries_of(policies: Iterable[Asked]) -> list[Entry]:
    """Entries with distinct names; an alias and its rule are one entry, called as it is named first.

    Raises:
        SettingError: an unknown policy, or two of one name.
    """
    found: dict[str, Entry] = {}
    for policy in listed("policies", policies, "policies or their names"):
        entry = entry_of(found_as(policy))
        if entry.name in found and found[entry.name] != entry:
            remedy = "give one another name; a callable has it in __name__"
            raise SettingError("policies", entry.name, "distinct names", remedy)
        found.setdefault(entry.name, entry)
    return list(found.values())


def entry_of(found: Found) -> Entry:
    if isinstance(found.policy, RandomRow):
        kind = "baseline"
    elif found.is_callable:
        kind = "ensemble" if found.settings.get("advisors") else "agent"
    else:
        kind = "clairvoyant" if found.privileged else "heuristic"
    settings = found.settings if found.is_callable or not found.policy.idles else {**found.settings, "may_idle": True}
    return Entry(found.spec, kind, found.policy, settings, found.called, found.content)
