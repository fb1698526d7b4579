"""The leaderboard: its formulas, its grid, rows that replay, files that are whole."""

import json
import math
import os
import sys

import pytest

import sos_gym
from sos_gym.kernel import kernel
from sos_gym.leaderboard import ReplayError, grid, leaderboard, markdown, replay, standings, write
from sos_gym.leaderboard import rows as kept_rows
from sos_gym.leaderboard.grid import entries_of, groups
from sos_gym.leaderboard.rows import RowFile
from sos_gym.leaderboard.standing import (
    best_known_stalls,
    best_online,
    geometric_mean,
    group_names,
    score,
    spread,
    stall_ratio,
)
from sos_gym.policy import policy_named, register
from sos_gym.policy.contract import Policy

pytestmark = pytest.mark.usefixtures("names_given_back")

MS = 1_000_000


def row(policy, seed, stall_ms, kind="heuristic", workload="phases", env="sos/Memory-v0", settings=None):
    return {
        "env": env,
        "workload": workload,
        "split": "test",
        "policy": policy,
        "kind": kind,
        "seed": seed,
        "settings": settings or {},
        "tape": f"tape {seed}",
        "version": "0",
        "metrics": {"weighted_stall_ns": stall_ms * MS, "stall_ns": 2 * stall_ms * MS},
    }


def rows_of(stalls_ms, kinds=None, **where):
    return [
        row(policy, seed, stall, (kinds or {}).get(policy, "heuristic"), **where)
        for policy, stalls in stalls_ms.items()
        for seed, stall in enumerate(stalls)
    ]


# -- formulas, each with the worked number of its docstring


def test_score_is_the_share_of_possible_savings():
    assert score([10, 20], [8, 14], [6, 10]) == pytest.approx(8 / 14)


def test_score_is_not_clipped():
    assert score([10], [4], [5]) == pytest.approx(1.2)
    assert score([10], [15], [5]) == -1


def test_score_leaves_out_tapes_that_tell_nothing():
    assert score([10, 100], [8, 300], [6, 96]) == pytest.approx(0.5)  # the second tape's spread is 4 %
    assert score([100], [97], [95]) == pytest.approx(0.6)  # 5 % is enough
    assert math.isnan(score([100], [98], [96]))


def test_spread():
    assert spread(10, 6) == pytest.approx(0.4)
    assert spread(0, 0) == 0


def test_best_known_is_the_least_stall_tape_by_tape():
    assert best_known_stalls({"a": [3, 9], "b": [5, 4]}) == [3, 4]


def test_best_online_is_one_policy():
    assert best_online({"a": [3, 9], "b": [5, 4]}) == 9
    assert math.isnan(best_online({}))


def test_stall_ratio():
    assert stall_ratio([6, 12], 9) == 2
    assert stall_ratio([0], 0) == 1
    assert stall_ratio([1], 0) == math.inf


def test_geometric_mean():
    assert geometric_mean([2, 8]) == pytest.approx(4)


# -- standings


def standing_of(rows, policy):
    return next(one for one in standings(rows) if one.policy == policy)


def test_the_clairvoyant_is_never_the_best_online():
    rows = rows_of({"lottery": [8], "recency": [4], "clairvoyant": [2]}, {"clairvoyant": "clairvoyant"})
    assert standing_of(rows, "recency").ratio == 1
    assert standing_of(rows, "clairvoyant").ratio == 0.5
    assert standing_of(rows, "recency").places["Memory phases"].score == pytest.approx(4 / 6)


def test_an_agent_is_neither_best_online_nor_reference():
    rows = rows_of({"lottery": [8], "recency": [4], "net": [2]}, {"net": "agent"})
    assert standing_of(rows, "recency").ratio == 1
    assert standing_of(rows, "net").places["Memory phases"].score == pytest.approx(1.5)


def test_headline_is_a_geometric_mean_over_families_with_the_worst_by_name():
    rows = rows_of({"recency": [1, 3], "turns": [2, 6]}) + rows_of(
        {"recency": [8, 8], "turns": [1, 1]}, workload="hyperexponential", env="sos/CPU-v0"
    )
    recency, turns = standing_of(rows, "recency"), standing_of(rows, "turns")
    assert (recency.ratio, recency.worst, recency.worst_ratio) == (math.sqrt(8), "CPU hyperexponential", 8)
    assert (turns.ratio, turns.worst, turns.worst_ratio) == (math.sqrt(2), "Memory phases", 2)
    assert [one.policy for one in standings(rows)] == ["turns", "recency"]


def test_families_of_different_size_count_the_same():
    small, large = {"recency": [1], "turns": [2]}, {"recency": [2000], "turns": [1000]}
    rows = rows_of(small) + rows_of(large, workload="loop")
    assert standing_of(rows, "turns").ratio == pytest.approx(math.sqrt(2))


def test_policies_must_meet_the_same_tapes():
    rows = [row("recency", 0, 1), row("turns", 1, 1)]
    with pytest.raises(ValueError, match="Memory phases did not meet the same tapes"):
        standings(rows)


def test_without_lottery_there_is_no_score_but_a_ratio():
    place = standing_of(rows_of({"recency": [4]}), "recency").places["Memory phases"]
    assert math.isnan(place.score) and place.ratio == 1


def test_workloads_are_called_by_what_tells_them_apart():
    names = ["sort", "a/x.npz", "b/x.npz", "c/y.npz", "sort.npz", "x/b/x.npz", "/deep/down/z.npz"]
    assert group_names([{"workload": name} for name in names]) == {
        "sort": "sort",
        "a/x.npz": "a/x",
        "b/x.npz": "b/x.npz",  # the end of another path
        "c/y.npz": "y",
        "sort.npz": "sort.npz",
        "x/b/x.npz": "x/b/x",
        "/deep/down/z.npz": "z",
    }


def test_two_tapes_of_one_name_are_two_groups():
    stalls = {"lottery": [8], "recency": [4]}
    rows = rows_of(stalls, workload="a/x.npz") + rows_of(stalls, workload="b/x.npz")
    assert list(standing_of(rows, "recency").places) == ["Memory a/x", "Memory b/x"]
    assert "## Memory a/x\n" in markdown(rows) and "## Memory b/x\n" in markdown(rows)


# -- the grid


def test_every_environment_has_its_family_and_the_recordings_that_fit():
    found = {(group.env, group.workload): dict(group.settings) for group in groups(None, None, "test")}
    assert found[("sos/Memory-v0", "phases")] == {}
    assert found[("sos/System-v0", "working_sets")] == {}
    assert ("sos/CPU-v0", "sort") not in found and ("sos/Memory-v0", "make") not in found
    pages = len(sos_gym.workload("sort").pages)
    assert found[("sos/Memory-v0", "sort")] == {"frames": round(0.25 * pages)}
    assert found[("sos/Tier-v0", "sort")] == {"frames": (round(0.1 * pages), pages)}
    assert found[("sos/CPU-v0", "make")] == {"cores": 2}


def test_a_group_at_real_size_is_called_large():
    (group,) = [one for one in groups(["sos/CPU-v0"], None, "test", recordings=False, large=True) if one.settings]
    names = group_names([{"workload": name} for name in (group.workload, "phases", "a/large.npz")])
    assert names == {group.workload: "large", "phases": "phases", "a/large.npz": "a/large"}


def test_families_draw_from_the_split_and_recordings_have_none():
    splits = {group.workload: group.split for group in groups(["sos/Memory-v0"], None, "test")}
    assert splits["phases"] == "test" and splits["sort"] is None


def test_named_workloads_run_where_they_fit():
    found = groups(None, ["zipf", "hyperexponential"], None)
    assert [(g.env, g.workload) for g in found] == [
        ("sos/Memory-v0", "zipf"),
        ("sos/CPU-v0", "hyperexponential"),
        ("sos/Tier-v0", "zipf"),
    ]


def test_a_workload_that_fits_nowhere_is_refused():
    with pytest.raises(sos_gym.SettingError, match=r"'zipf'.*sos/CPU-v0.*run it on sos/Memory-v0"):
        groups(["sos/CPU-v0"], ["zipf"], None)


def test_an_alias_and_its_rule_are_one_entry():
    assert [(entry.name, entry.kind) for entry in entries_of(["lru", "recency", "belady"])] == [
        ("recency", "heuristic"),
        ("clairvoyant", "clairvoyant"),
    ]


def test_parameters_make_another_entry():
    names = ["lruk", "lruk(history=0)", "lru2(history=0, k=2)", "lruk(k=3, history=0)", "lruk(history=0, k=3)"]
    assert [(entry.name, entry.called) for entry in entries_of(names)] == [
        ("lruk", "lruk"),
        ("lruk(history=0)", "lruk(history=0)"),
        ("lruk(k=3, history=0)", "lruk(k=3, history=0)"),
    ]


def test_a_parameter_is_kept_to_its_last_digit():
    names = [f"s3fifo(small={small})" for small in (0.1234567, 0.12345671, 0.5)]
    assert [entry.name for entry in entries_of(names)] == names


def test_tables_call_a_policy_as_it_was_asked_for():
    called = [(entry.name, entry.called) for entry in entries_of(["LRU", "recency", "lru2(k=3)", "Arc"])]
    assert called == [("recency", "LRU"), ("lruk(k=3)", "lru2(k=3)"), ("arc", "arc")]


# -- rows


@pytest.fixture(scope="module")
def tape_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("tapes") / "circle.npz"
    sos_gym.Tape.from_references([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] * 20).save(path)
    return str(path)


@pytest.fixture(scope="module")
def rows(tape_path):
    return leaderboard(["sos/Memory-v0"], ["lru", "random", "belady"], [tape_path, "phases"], seed=3, episodes=2)


def test_rows_are_the_whole_grid(rows, tape_path):
    assert len(rows) == 2 * 3 * 2
    assert {(r["workload"], r["policy"], r["seed"]) for r in rows} == {
        (w, p, s) for w in (tape_path, "phases") for p in ("recency", "lottery", "clairvoyant") for s in (3, 4)
    }
    assert {r["settings"].get("frames") for r in rows} == {3, None}


def test_rows_say_what_evaluate_says(rows):
    there = next(r for r in rows if (r["workload"], r["policy"], r["seed"]) == ("phases", "recency", 4))
    run = sos_gym.evaluate("sos/Memory-v0", "lru", "phases", seed=4, split="test")[0]
    assert there["tape"] == run["tape"]
    assert there["metrics"]["stall_ns"] == run["stall_ns"] > 0


def test_rows_replay_after_json(rows):
    for one in json.loads(json.dumps(rows)):
        assert replay(one) == one["metrics"]


def test_replay_names_the_metric_that_differs(rows):
    changed = rows[0] | {"metrics": rows[0]["metrics"] | {"faults": -1}}
    with pytest.raises(ReplayError, match=r"faults -1 is now \d+"):
        replay(changed)


def test_replay_names_another_tape(rows, tape_path, tmp_path):
    path = tmp_path / "other.npz"
    sos_gym.Tape.from_references([0, 1, 2, 3]).save(path)
    with pytest.raises(ReplayError, match=r"tape .* is now"):
        replay(rows[0] | {"workload": str(path)})


def test_progress_hears_of_every_row():
    heard = []
    leaderboard(["sos/CPU-v0"], ["fcfs"], ["hyperexponential"], episodes=2, progress=lambda *said: heard.append(said))
    assert [(done, total) for _, done, total in heard] == [(1, 2), (2, 2)]
    assert heard[0][0]["policy"] == "seniority"


def test_rows_with_parameters_are_their_own_and_replay(tape_path):
    rows = leaderboard(["sos/Memory-v0"], ["lruk", "lruk(history=0)", "lottery"], [tape_path, "zipf"], episodes=1)
    assert [row["policy"] for row in rows] == ["lruk", "lruk(history=0)", "lottery"] * 2
    assert rows[3]["metrics"] != rows[4]["metrics"]
    assert all(replay(one) == one["metrics"] for one in json.loads(json.dumps(rows)))
    assert {one.policy for one in standings(rows)} == {"lruk", "lruk(history=0)", "lottery"}


# -- rows that are kept


class Stopped(BaseException):
    """Ctrl-C, from a test."""


def stop_after(count):
    def progress(row, done, total):
        if done == count:
            raise Stopped

    return progress


@pytest.fixture
def asked(tape_path):
    return {"envs": ["sos/Memory-v0"], "policies": ["lru", "random"], "workloads": [tape_path, "phases"], "episodes": 2}


@pytest.fixture
def runs(monkeypatch):
    """What is run, as it is."""
    seen, evaluate = [], grid.evaluate
    monkeypatch.setattr(grid, "evaluate", lambda *args, **named: seen.append(args) or evaluate(*args, **named))
    return seen


def test_a_stopped_run_keeps_its_rows_and_goes_on_to_the_same_result(asked, tmp_path, runs):
    whole, path = leaderboard(**asked), tmp_path / "rows.jsonl"
    with pytest.raises(Stopped):
        leaderboard(**asked, keep=path, progress=stop_after(3))
    assert [json.loads(line) for line in path.open()] == json.loads(json.dumps(whole[:3]))
    runs.clear()
    assert leaderboard(**asked, keep=path, resume=True) == whole
    assert len(runs) == 5
    assert [json.loads(line) for line in path.open()] == json.loads(json.dumps(whole))


def test_a_line_that_was_cut_is_run_again(asked, tmp_path, runs):
    path = tmp_path / "rows.jsonl"
    whole = leaderboard(**asked, keep=path)
    path.write_bytes(path.read_bytes()[:-10])
    runs.clear()
    assert leaderboard(**asked, keep=path, resume=True) == whole
    assert len(runs) == 1 and len(path.read_text().splitlines()) == 8


def test_more_seeds_run_only_what_is_new(asked, tmp_path, runs):
    path = tmp_path / "rows.jsonl"
    leaderboard(**asked | {"episodes": 1}, keep=path)
    runs.clear()
    assert len(leaderboard(**asked, keep=path, resume=True)) == 8
    assert len(runs) == 4


def test_without_resume_all_is_run_anew(asked, tmp_path, runs):
    path = tmp_path / "rows.jsonl"
    for _ in range(2):
        leaderboard(**asked | {"episodes": 1}, keep=path)
    assert len(runs) == 8 and len(path.read_text().splitlines()) == 4


def test_another_tape_or_other_code_is_run_again(asked, tmp_path, runs, monkeypatch):
    tape, path = tmp_path / "tape.npz", tmp_path / "rows.jsonl"
    asked |= {"workloads": [str(tape)], "policies": ["lru"], "episodes": 1}
    sos_gym.Tape.from_references([0, 1, 2, 3] * 5).save(tape)
    leaderboard(**asked, keep=path)
    sos_gym.Tape.from_references([0, 1, 2, 3] * 4).save(tape)
    leaderboard(**asked, keep=path, resume=True)
    assert len(runs) == 2
    monkeypatch.setattr(grid, "code_hash", lambda: "other")
    leaderboard(**asked, keep=path, resume=True)
    assert len(runs) == 3


def test_a_file_of_another_kind_is_left_alone(asked, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n")
    with pytest.raises(sos_gym.SettingError, match=r"notes\.txt.*line 1 is none"):
        leaderboard(**asked, keep=path, resume=True)
    assert path.read_text() == "my notes\n"


def test_a_full_disk_keeps_whole_rows_and_names_the_file(tmp_path, monkeypatch):
    path, write_some = tmp_path / "rows.jsonl", os.write

    def full(descriptor, data):
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return write_some(descriptor, data[: len(data) // 2])

    with RowFile(path) as file:
        file.append(row("recency", 0, 4))
        monkeypatch.setattr(kept_rows.os, "write", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*rows\.jsonl'"):
            file.append(row("recency", 1, 4))
    assert [json.loads(line)["seed"] for line in path.open()] == [0]


def follow(observation, info):
    return next(iter(info["advice"].values()), 0)


def test_an_agent_with_advisors_is_an_ensemble_and_replays_with_its_callable(tape_path):
    follow.advisors = ("lru",)
    try:
        rows = json.loads(json.dumps(leaderboard(["sos/Memory-v0"], [follow, "lru"], [tape_path], episodes=1)))
    finally:
        del follow.advisors
    agent, lru = rows
    assert (agent["kind"], agent["settings"]["advisors"]) == ("ensemble", ["lru"])
    assert agent["metrics"] == lru["metrics"]
    assert replay(agent, follow) == agent["metrics"]
    with pytest.raises(sos_gym.SettingError, match="follow"):
        replay(agent)


def test_two_callables_of_one_name_are_refused():
    with pytest.raises(sos_gym.SettingError, match="distinct names"):
        entries_of([lambda observation, info: 0, lambda observation, info: 1])


# -- policies themselves


@pytest.fixture(scope="module")
def latest_use():
    @sos_gym.claim("latest_use")
    def latest_use(entity, now):
        return entity.last_use

    return latest_use


def card(sign, name="mine", **facts):
    @kernel
    def claim(my, entity):
        return sign * entity.use_seq, 0.0

    return Policy(name, "a test", "", "", "", "", claim=claim, **facts)


@pytest.fixture
def themselves(latest_use):
    """One of each kind, with what it is called and its kind."""
    learned = sos_gym.LearnedClaim.linear({"payoff": -1.0}, "net")
    return {
        "mine": (card(1.0), "heuristic"),
        "seer": (card(1.0, "seer", needs_future=True), "clairvoyant"),
        "mine + sieve": (sos_gym.pair(card(1.0), "sieve"), "heuristic"),
        "mine + clairvoyant": (sos_gym.pair(card(1.0), "clairvoyant"), "clairvoyant"),
        "latest_use": (latest_use, "heuristic"),
        "net": (learned, "agent"),
        "follow": (follow, "agent"),
        "lruk(k=3)": (policy_named("lruk(k=3)"), "heuristic"),
    }


def test_policies_pairs_claims_and_callables_are_entries(themselves):
    entries = entries_of([*(policy for policy, _ in themselves.values()), "lru"])
    assert {entry.name: entry.kind for entry in entries} == {
        **{name: kind for name, (_, kind) in themselves.items()},
        "recency": "heuristic",
    }


def test_rows_of_policies_themselves_are_those_of_evaluate_and_replay(themselves, tape_path):
    policies = [policy for policy, _ in themselves.values()]
    rows = json.loads(json.dumps(leaderboard(["sos/Memory-v0"], policies, [tape_path], episodes=1)))
    for row, (name, (policy, _)) in zip(rows, themselves.items(), strict=True):
        assert row["policy"] == row["called"] == name
        run = sos_gym.evaluate("sos/Memory-v0", policy, sos_gym.Tape.load(tape_path), **row["settings"])[0]
        assert row["metrics"]["stall_ns"] == run["stall_ns"]
        assert replay(row, policy) == row["metrics"]
    assert "seer †" in markdown(rows) and "mine + clairvoyant †" in markdown(rows)


def test_a_row_whose_policy_is_unknown_here_says_what_to_pass(latest_use, tape_path):
    rows = leaderboard(["sos/Memory-v0"], [card(1.0), latest_use, "lru + sieve"], [tape_path], episodes=1)
    with pytest.raises(sos_gym.SettingError, match="the policy 'mine', from outside; pass it to replay"):
        replay(rows[0])
    assert all(replay(row) == row["metrics"] for row in rows[1:])  # known by name
    with pytest.raises(ReplayError, match=r"the policy's content was \w{16}, and is \w{16}"):
        replay(rows[0], card(-1.0))


def test_advisors_may_be_policies_themselves(tape_path):
    def does(observation, info):
        return info["advice"]["mine"]

    does.advisors = (card(1.0),)
    rows = json.loads(json.dumps(leaderboard(["sos/Memory-v0"], [does, card(1.0)], [tape_path], episodes=1)))
    assert rows[0]["settings"]["advisors"] == ["mine"] and rows[0]["kind"] == "ensemble"
    assert replay(rows[0], does) == rows[0]["metrics"] == rows[1]["metrics"]


def test_two_policies_of_one_name_are_refused_and_one_twice_is_one():
    with pytest.raises(sos_gym.SettingError, match="'mine' is not allowed: it must be distinct names"):
        entries_of([card(1.0), card(-1.0)])
    one = card(1.0)
    assert len(entries_of([one, one, "lru", policy_named("recency")])) == 2
    with pytest.raises(sos_gym.SettingError, match="a name, a policy, or a callable"):
        entries_of([3])


def test_resume_tells_policies_of_one_name_apart(tape_path, tmp_path, runs):
    path = tmp_path / "rows.jsonl"

    def board(*policies):
        runs.clear()
        rows = leaderboard(["sos/Memory-v0"], policies, [tape_path], episodes=1, keep=path, resume=True)
        return [row["metrics"]["stall_ns"] for row in rows], len(runs)

    first, count = board(card(1.0), sos_gym.pair(card(1.0), "sieve"))
    assert count == 2
    assert board(card(1.0), sos_gym.pair(card(1.0), "sieve")) == (first, 0)
    other, count = board(card(-1.0), sos_gym.pair("sieve", card(-1.0)))
    assert count == 2 and other[0] != first[0]
    learned = [sos_gym.LearnedClaim.linear({"payoff": weight}) for weight in (-1.0, 1.0)]
    assert [board(claim)[1] for claim in (*learned, learned[0])] == [1, 1, 0]
    assert [board(follow)[1] for _ in range(2)] == [1, 1]  # of a callable nobody can say


def test_a_registered_policy_that_was_defined_again_is_run_again(tape_path, tmp_path, runs):
    for sign, expected in ((1.0, 1), (1.0, 0), (-1.0, 1)):
        register(card(sign, "again"))
        runs.clear()
        asked = ["sos/Memory-v0"], ["again"], [tape_path]
        leaderboard(*asked, episodes=1, keep=tmp_path / "rows.jsonl", resume=True)
        assert len(runs) == expected


# -- mistakes of policies


def mistaken(observation, info):
    return 99


def test_a_mistake_is_raised_or_told_and_the_others_go_on(tape_path, tmp_path):
    bad, told = card(math.nan, "bad"), {}
    asked = {"envs": ["sos/Memory-v0"], "workloads": [tape_path], "episodes": 2}
    with pytest.raises(sos_gym.PolicyError, match="bad"):
        leaderboard(policies=["lru", bad], **asked)
    with pytest.raises(sos_gym.ActionError):
        leaderboard(policies=["lru", mistaken], **asked)
    asked["workloads"].append("zipf")
    heard = []
    rows = leaderboard(policies=[bad, "lru", mistaken, "random"], failed=lambda *said: heard.append(said), **asked)
    assert rows == leaderboard(policies=["lru", "random"], **asked)
    assert len(heard) == 2  # they are not asked again
    told.update(heard)
    assert set(told) == {"bad", "mistaken"} and isinstance(told["bad"], sos_gym.PolicyError)
    reasons = {name: str(mistake) for name, mistake in told.items()}
    paths = write(rows, tmp_path, failed=reasons)
    assert json.loads(paths[0].read_text())["failed"] == reasons
    assert f"bad is left out: {reasons['bad']}" in paths[1].read_text()


def test_settings_that_a_callable_asks_for_in_vain_are_its_mistake(tape_path):
    def small(observation, info):
        return 0

    small.rows, told = 2, {}
    rows = leaderboard(["sos/Memory-v0"], ["lru", small], [tape_path], episodes=1, failed=told.__setitem__)
    assert len(rows) == 1 and "rows=2" in str(told["small"])


def test_rows_before_a_mistake_are_kept_in_the_file_and_not_ranked(tape_path, tmp_path):
    def late(observation, info):
        return 99 if info["decision"]["number"] > 3 and late.seeds else 0

    late.seeds = False

    def progress(row, done, total):
        late.seeds = done == 1

    rows = leaderboard(
        ["sos/Memory-v0"], [late, "lru"], [tape_path], episodes=2, keep=tmp_path / "rows.jsonl",
        progress=progress, failed=lambda *told: None,
    )  # fmt: skip
    kept = [json.loads(line)["policy"] for line in (tmp_path / "rows.jsonl").open()]
    assert kept == ["late", "recency", "recency"]
    assert [row["policy"] for row in rows] == ["recency", "recency"] and standings(rows)


# -- reports

GOLDEN = """# Leaderboard

sos_gym VERSION, `sos-gym leaderboard`

Stall is weighted stall, `weighted_stall_ns`: what the reward charges. Plain stall, `stall_ns`: all threads alike.

| policy | stall ratio | 95 % | place | worst family |
| --- | ---: | ---: | ---: | --- |
| clairvoyant † | 0.50 | 0.41 to 0.61 | 1 | Memory phases 0.50 |
| recency | 1.00 | 1.00 to 1.00 | 1 | Memory phases 1.00 |
| lottery | 2.50 | 1.82 to 3.33 | 2 | Memory phases 2.50 |

EXPLANATION

## Memory phases

frames = 8, seeds 0 to 1, split test

| policy | weighted stall, ms | plain stall, ms | stall ratio | score |
| --- | ---: | ---: | ---: | ---: |
| clairvoyant † | 10.0 | 20.0 | 0.50 | 1.00 |
| recency | 20.0 | 40.0 | 1.00 | 0.75 |
| lottery | 50.0 | 100 | 2.50 | 0.00 |
"""


def test_markdown_is_the_golden_text():
    stalls = {"lottery": [40, 60], "recency": [22, 18], "clairvoyant": [9, 11]}
    text = markdown(rows_of(stalls, {"clairvoyant": "clairvoyant"}, settings={"frames": 8}), "sos-gym leaderboard")
    lines = text.replace(sos_gym.__version__, "VERSION").split("\n")
    lines[12] = "EXPLANATION" if lines[12].startswith("Stall ratio: ") else lines[12]
    assert "\n".join(lines) == GOLDEN


def test_a_small_spread_shows_stall_alone():
    text = markdown(rows_of({"lottery": [100], "recency": [98]}))
    assert "| recency | 98.0 | 196 | 1.00 | – |" in text


def test_write_keeps_rows_machine_versions_and_command(tmp_path):
    rows = rows_of({"lottery": [4], "recency": [2]})
    paths = write(rows, tmp_path / "results", "the command")
    assert [path.name for path in paths] == ["leaderboard.json", "leaderboard.md", "leaderboard.png"]
    document = json.loads(paths[0].read_text())
    assert document["rows"] == rows and document["command"] == "the command"
    assert document["versions"]["sos_gym"] == sos_gym.__version__ and document["machine"]["cpus"] == os.cpu_count()
    assert paths[2].read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_there_is_no_picture_and_no_stale_one(tmp_path, monkeypatch):
    rows = rows_of({"lottery": [4], "recency": [2]})
    write(rows, tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert [path.suffix for path in write(rows, tmp_path)] == [".json", ".md"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["leaderboard.json", "leaderboard.md"]


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    write(rows_of({"lottery": [4]}), tmp_path)
    before = (tmp_path / "leaderboard.json").read_bytes()

    def fail(source, target):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write(rows_of({"recency": [9]}), tmp_path)
    assert (tmp_path / "leaderboard.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


# -- who knew the future, and who chose what was masked out


def test_privilege_follows_advice_training_and_name():
    def first(observation, info):
        return 0

    def advised(observation, info):
        return info["advice"]["clairvoyant"]

    advised.advisors = ("lru", "clairvoyant")
    taught = sos_gym.LearnedClaim.linear({"since_use": -1.0}, "taught")
    taught.privileged = True
    where = {"envs": ["sos/Memory-v0"], "workloads": ["loop"], "episodes": 1}
    rows = leaderboard(policies=["lru", "clairvoyant", first, advised, taught], **where)
    told = {row["policy"]: row["privileged"] for row in rows}
    assert told == {"recency": False, "clairvoyant": True, "first": False, "advised": True, "taught": True}
    said = markdown(rows)
    assert all(f"| {name} |" in said for name in ("clairvoyant †", "advised †‡", "taught †", "lru", "first"))
    assert replay(rows[3], advised) == rows[3]["metrics"]


def test_evaluate_says_so_too_and_takes_what_a_callable_brings_along():
    seen = []

    def wide(observation, info):
        seen.append((len(observation["action_mask"]), list(info["advice"])))
        return 0

    wide.rows, wide.advisors = 20, ("lru",)
    assert not sos_gym.evaluate("sos/CPU-v0", wide, horizon_ns=2 * MS)[0]["privileged"]
    assert set(map(str, seen)) == {"(20, ['lru'])"}
    sos_gym.evaluate("sos/CPU-v0", wide, horizon_ns=2 * MS, rows=24)
    assert seen[-1][0] == 24
    for ways in ({"advisors": ("belady",)}, {"advisors": ("lru", "edf")}):
        assert sos_gym.evaluate("sos/CPU-v0", wide, horizon_ns=2 * MS, **ways)[0]["privileged"]


def test_the_untrained_baseline_draws_legal_rows_and_replays():
    where = {"envs": ["sos/System-v0"], "episodes": 3, "recordings": False}
    rows = leaderboard(policies=["random_row", "lottery", "lru"], **where)
    own = [row for row in rows if row["policy"] == "random_row"]
    assert {row["kind"] for row in own} == {"baseline"} and not any(row["metrics"]["masked_out"] for row in own)
    assert len({row["metrics"]["stall_ns"] for row in own}) == 3 and replay(own[0]) == own[0]["metrics"]
    stall = {
        name: sum(r["metrics"]["weighted_stall_ns"] for r in rows if r["policy"] == name)
        for name in ("lottery", "random_row")
    }
    assert 0.8 < stall["random_row"] / stall["lottery"] < 1.25
    assert "| random_row |" in markdown(rows)
    assert "random_row" in [entry.name for entry in grid.planned(None, None, None, 0, 1, "test", False).entries]


def test_a_fair_coin_among_the_rows():
    """What random_row does is what an agent does that draws among the legal rows: alike in the mean."""
    import numpy as np

    rng = np.random.default_rng(0)

    def drawn(observation, info):
        return int(rng.choice(np.flatnonzero(observation["action_mask"])))

    stalls = [
        sum(run["stall_ns"] for run in sos_gym.evaluate("sos/Memory-v0", policy, episodes=6, horizon_ns=20 * MS))
        for policy in ("random_row", drawn)
    ]
    assert stalls[0] == pytest.approx(stalls[1], rel=0.1)


def test_who_chooses_masked_rows_is_marked():
    def last(observation, info):
        return 15

    rows = leaderboard(["sos/Memory-v0"], [last, "lru"], ["loop"], episodes=1)
    standing = standing_of(rows, "last")
    assert 0 < standing.masked_out <= 1 and standing_of(rows, "recency").masked_out == 0
    assert "| last § |" in markdown(rows) and "| lru |" in markdown(rows)


def test_a_family_may_be_named_with_parameters():
    rows = leaderboard(["sos/Memory-v0"], ["lru"], ["zipf(alpha=0.5)", "zipf"], episodes=1)
    assert [row["workload"] for row in rows] == ["zipf(alpha=0.5)", "zipf"] and rows[0]["tape"] != rows[1]["tape"]
    assert "## Memory zipf(alpha=0.5)" in markdown(rows)
