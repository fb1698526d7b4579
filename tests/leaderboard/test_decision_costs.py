"""What deciding costs: charged from the cards, in rows that replay; measured here, in none; bytes as they are laid."""

import json
import math

import numpy as np
import pytest

import sos_gym
from measurements import decision_costs
from sos_gym.engine.simulation import Simulation
from sos_gym.kernel import kernel
from sos_gym.leaderboard import ReplayError, leaderboard, markdown, replay, standings, write
from sos_gym.leaderboard import costs as measuring
from sos_gym.leaderboard.charged import charged_standings
from sos_gym.leaderboard.costs import COPIES, Cost, cost_of, costs, decision_ns, kept_by, per_decision
from sos_gym.leaderboard.deciding import front, growth
from sos_gym.leaderboard.grid import entries_of, planned
from sos_gym.metrics import metrics
from sos_gym.policy import policies, policy_named
from sos_gym.policy.contract import Policy
from sos_gym.policy.costs import DECISION_NS
from sos_gym.policy.kept import Footprint, Records, footprint
from sos_gym.scenario import Scenario
from sos_gym.settings.environment import build_settings

pytestmark = pytest.mark.usefixtures("names_given_back")

MS = 1_000_000


@kernel
def latest(my, entity):
    return 1.0 * entity.use_seq, 0.0


def card(name="mine", **facts):
    return Policy(name, "a test", "", "", "", "", claim=latest, **facts)


class Plain(sos_gym.PlainPolicy):
    decision_ns = 7

    def claim(self, my, entity):
        return entity.use_seq


def follow(observation, info):
    return 0


# -- the constant of a card


def test_constants_are_of_policies_that_there_are_and_stand_on_their_cards():
    for name, cost in DECISION_NS.items():
        assert policy_named(name).decision_ns == cost and type(cost) is int and cost >= 1
    assert set(DECISION_NS) - {*policies()} <= {*decision_costs.APART}
    assert policy_named("lruk(k=3)").decision_ns == DECISION_NS["lruk"]


def test_a_pair_pays_for_both_and_an_unknown_half_makes_it_unknown():
    assert sos_gym.pair(card(decision_ns=30), card("other", decision_ns=0)).decision_ns == 30
    assert sos_gym.pair(card(decision_ns=30), card("other", decision_ns=12)).decision_ns == 42
    assert sos_gym.pair(card(decision_ns=30), card("other")).decision_ns is None


def test_policies_from_outside_may_say_it_themselves():
    assert card().decision_ns is None
    assert sos_gym.policy.policy_of(Plain).decision_ns == 7
    for wrong in (-1, 1.5, True, "9"):
        with pytest.raises(sos_gym.SettingError, match="decision_ns of policy 'mine'"):
            card(decision_ns=wrong)


# -- decisions charged


@pytest.fixture(scope="module")
def charged_rows():
    asked = [card(decision_ns=20_000), card("unsaid"), follow, Plain]
    return leaderboard(["sos/Memory-v0", "sos/CPU-v0"], asked, ["loop", "hyperexponential"], episodes=1)


def test_a_row_has_the_stall_of_the_same_episode_with_decisions_charged(charged_rows):
    for row in charged_rows[::4]:
        policy, settings = card(decision_ns=20_000), {**row["settings"], "decision_ns": 20_000}
        run = sos_gym.evaluate(row["env"], policy, row["workload"], split=row["split"], **settings)[0]
        kept = ("weighted_stall_ns", "stall_ns", "deciding_ns")
        assert row["charged"] == {"decision_ns": 20_000, **{name: run[name] for name in kept}}
        assert row["charged"]["weighted_stall_ns"] > row["metrics"]["weighted_stall_ns"]
        assert row["metrics"]["deciding_ns"] == 0 < row["charged"]["deciding_ns"]


def test_without_a_constant_nothing_is_charged(charged_rows):
    assert [bool(row["charged"]) for row in charged_rows] == [True, False, False, True] * 2
    assert replay(charged_rows[1], card("unsaid")) == charged_rows[1]["metrics"]


def test_replay_compares_what_was_charged_under_the_constant_of_the_row(charged_rows):
    (row,) = json.loads(json.dumps(charged_rows[:1]))
    assert replay(row, card(decision_ns=20_000)) == row["metrics"]
    assert replay(row, card(decision_ns=30)) == row["metrics"]  # measured anew since
    row["charged"]["stall_ns"] -= 1
    with pytest.raises(ReplayError, match=r"charged stall_ns \d+ is now \d+"):
        replay(row, card(decision_ns=20_000))
    assert replay({**row, "charged": None}, card()) == row["metrics"]  # of a board from before


def test_a_constant_that_fills_every_slice_is_not_charged():
    (row,) = leaderboard(["sos/CPU-v0"], [card(decision_ns=2 * MS)], ["hyperexponential"], episodes=1)
    assert row["charged"] is None and row["metrics"]["weighted_stall_ns"] > 0


def test_charged_runs_are_kept_and_resumed(tmp_path):
    asked = {"envs": ["sos/Memory-v0"], "policies": ["lru"], "workloads": ["loop"], "episodes": 1}
    path = tmp_path / "rows.jsonl"
    rows = leaderboard(**asked, keep=path)
    assert rows[0]["charged"] and leaderboard(**asked, keep=path, resume=True) == rows


def row_of(policy, workload, free_ms, charged_ms):
    paid = None if charged_ms is None else {"decision_ns": 100, "weighted_stall_ns": charged_ms * MS}
    return {
        "env": "sos/Memory-v0",
        "workload": workload,
        "split": "test",
        "policy": policy,
        "kind": "heuristic",
        "seed": 0,
        "settings": {},
        "tape": "tape",
        "metrics": {"weighted_stall_ns": free_ms * MS},
        "charged": paid,
    }


ROWS = [
    row_of("quick", "phases", 20, 22),
    row_of("quick", "loop", 10, 10),
    row_of("slow", "phases", 10, 44),
    row_of("slow", "loop", 10, 40),
    row_of("half", "phases", 10, 10),
    row_of("half", "loop", 10, None),
    row_of("agent", "phases", 30, None),
    row_of("agent", "loop", 30, None),
]


def test_charged_ratios_are_to_the_best_that_is_charged_too():
    quick, slow = charged_standings(ROWS)  # not half: it was charged on one family alone
    assert (quick.policy, quick.ratio, slow.policy) == ("quick", 1.0, "slow")
    assert slow.ratio == pytest.approx(math.sqrt(44 / 22 * 40 / 10))
    assert (slow.worst, slow.worst_ratio) == ("Memory loop", 4.0)


def test_growth_is_charged_to_free_stall():
    free = {one.policy: one for one in standings(ROWS)}
    quick, slow = charged_standings(ROWS)
    assert growth(free["quick"], quick) == pytest.approx(math.sqrt(22 / 20 * 10 / 10))
    assert growth(free["slow"], slow) == pytest.approx(math.sqrt(44 / 10 * 40 / 10))


def test_the_board_has_a_line_for_everybody_and_says_who_has_none():
    said = markdown(ROWS).partition("## Decisions charged")[2].partition("\n## ")[0]
    assert [line for line in said.splitlines() if line.startswith("|")][2:] == [
        "| quick | 100 | 1.00 | 1.049 | Memory phases 1.00 |",
        "| slow ▴ | 100 | 2.83 | 4.195 | Memory loop 4.00 |",
        "| half | – | – | – |  |",
        "| agent | – | – | – |  |",
    ]
    assert "has no constant" in said
    assert "Decisions charged" not in markdown([row | {"charged": None} for row in ROWS])


# -- bytes


def laid(policy, pages, frames):
    """Bytes of what an episode has because of the policy alone."""
    tape = sos_gym.Tape.from_references(np.arange(4 * pages) % pages)
    settings = build_settings({"nodes": 1, "frames": frames, "scan_ns": None})
    without = Simulation(tape, settings).arrays
    arrays = Simulation(tape, settings, policy.host().hosts).arrays
    return sum(array.nbytes for name, array in arrays.items() if name not in without)


@pytest.mark.parametrize("name", [*policies(), "eevdf + arc", "tinylfu + lruk"])
def test_bytes_are_those_that_a_simulation_lays_out(name):
    policy = policy_named(name)
    base, more_pages, more_frames = laid(policy, 64, 32), laid(policy, 192, 32), laid(policy, 64, 96)
    assert kept_by(policy) == Footprint((more_pages - base) // 128, (more_frames - base) // 64)


def test_bytes_by_hand():
    small = card(each={"count": 0, "mean": 0.0}, shared_each={"inside": 0}, own={"hand": 0})
    assert footprint(small) == Footprint(8 + 8 + 8, 0)
    assert footprint(card(queues=2, links=2)) == Footprint(2 * 16, 0)  # next, previous, queue and mark, i4 each
    assert footprint(card(links=2)) == Footprint(0, 0)  # without queues there are no links
    tables = {"bins": Records({"a": 0}, per_slot=3), "both": Records({"a": 0}, per_slot=1, shared=True)}
    assert footprint(card(tables=tables)) == Footprint(0, 3 * 8 * 2 + 8)


def test_bytes_of_pythons_objects_are_not_known():
    assert kept_by(sos_gym.policy.policy_of(Plain)) is None and kept_by(follow) is None
    assert kept_by(sos_gym.pair(Plain, "lru")) is None
    assert kept_by(policy_named("lru + sieve")) == kept_by(policy_named("lru")) + kept_by(policy_named("sieve"))


# -- ns, under a clock of the test's own


def test_per_decision():
    assert per_decision(8000, 4, 10) == 200
    assert per_decision(-5, 4, 10) == 0
    assert math.isnan(per_decision(8000, 4, 0))


def test_rounds_alternate_and_their_median_holds(monkeypatch):
    """The episode takes 1000 ns, a copy 50 ns for each of 10 decisions; the second round is disturbed."""
    scenario, asked = Scenario.of(advisors=("lru",)), []

    def clock(scenario, tape, seed, copies):
        asked.append(copies)
        disturbed = 90_000 if len(asked) == 3 else 0
        return 1000 + 500 * copies + disturbed, 10

    monkeypatch.setattr(measuring, "timed", clock)
    assert decision_ns(scenario, 0, rounds=3) == 50
    assert asked == [0, COPIES, COPIES, 0, 0, COPIES]


@pytest.mark.parametrize("name", ["lottery", "arc", "eevdf + sieve"])
def test_copies_leave_the_episode_as_it_is(name):
    scenario = Scenario.of("sos/System-v0", advisors=(name,), horizon_ns=20 * MS)
    episodes = [Simulation(scenario.tape(1), scenario.settings, scenario.hosts * n, driver=0, seed=1) for n in (1, 5)]
    for episode in episodes:
        episode.advance()
    assert metrics(episodes[0]) == metrics(episodes[1])
    assert (episodes[1].arrays["advice"] == episodes[1].arrays["advice"][0]).all()


def test_costs_are_of_the_first_workload_of_each_environment(monkeypatch):
    seen = []

    def measured(scenario, seed):
        seen.append((scenario.preset.id, scenario.workload, scenario.advisors, scenario.settings.may_idle, seed))
        return 100.0 * len(seen)

    monkeypatch.setattr(measuring, "decision_ns", measured)
    asked = ["sos/Memory-v0", "sos/CPU-v0"], ["lru", "guard", follow, "random_row"]
    plan = planned(*asked, ["zipf", "loop", "hyperexponential"], 3, 2, "test", False)
    told = []
    found = costs(plan, told.append, failed=["random_row"])
    assert seen == [
        ("sos/Memory-v0", "zipf", ("recency",), False, 3),
        ("sos/CPU-v0", "hyperexponential", ("recency",), False, 3),
        ("sos/Memory-v0", "zipf", ("guard",), True, 3),
        ("sos/CPU-v0", "hyperexponential", ("guard",), True, 3),
    ]
    assert told == ["lru", "guard", "follow"]
    assert [(one.called, one.measured_ns) for one in found[:2]] == [("lru", 150.0), ("guard", 350.0)]
    assert math.isnan(found[2].measured_ns) and (found[2].charged_ns, found[2].footprint) == (None, None)


def test_every_kind_of_policy_can_be_measured():
    plan = planned(["sos/CPU-v0"], ["lru"], None, 0, 1, "test", False)
    for entry in entries_of(["lru + sieve", Plain, card()]):
        cost = cost_of(entry, plan.groups, 0)
        assert cost.measured_ns >= 0 and cost.policy == entry.name


# -- the files


def test_what_was_measured_is_apart_from_the_rows(tmp_path):
    measured = [Cost("quick", "quick", 61.4, 100, Footprint(24, 0)), Cost("agent", "agent", math.nan, None, None)]
    paths = write(ROWS, tmp_path, costs=measured)
    assert [path.name for path in paths[-2:]] == ["leaderboard-costs.json", "leaderboard-costs.md"]
    found = json.loads(paths[-2].read_text())
    assert set(found) == {"machine", "versions", "costs"} and found["machine"]["processor"]
    assert [one["measured_decision_ns"] for one in found["costs"]] == [61.4, None]
    assert [one["bytes_per_page"] for one in found["costs"]] == [24, None]
    page = paths[-1].read_text(encoding="utf-8")
    assert "| quick | 61 | 100 | 24 | 0 |" in page and "| agent | – | – | – | – |" in page
    assert found["machine"]["processor"] in page and found["versions"]["numba"] in page
    assert json.loads(paths[0].read_text())["rows"] == ROWS
    assert not [said for said in ("measured, ns", "bytes", "61") if said in markdown(ROWS)]
    write(ROWS, tmp_path)
    assert not list(tmp_path.glob("*costs*"))  # they would be of other rows


# -- the command that measures the constants


def test_a_constant_is_the_mean_over_ids_in_whole_ns():
    assert decision_costs.constant({"a": 20.0, "b": 41.0}) == 30
    assert decision_costs.constant({"a": 0.0, "b": 0.2}) == 1


def test_the_table_is_a_module_that_says_its_machine():
    text, names = decision_costs.module({"sieve": 40, "arc": 70}), {}
    exec(text, names)
    assert names["DECISION_NS"] == {"arc": 70, "sieve": 40} and "numba" in names["MACHINE"]
    assert text.index('"arc"') < text.index('"sieve"') and max(map(len, text.splitlines())) <= 120


def test_the_front_has_whom_nobody_betters_for_as_little():
    assert front({"a": (1, 9), "b": (2, 5), "c": (3, 5), "d": (4, 1)}) == {"a", "b", "d"}
    assert front({"twin": (1, 1), "other": (1, 1), "worse": (1, 2)}) == {"twin", "other"} and front({}) == set()


def test_the_front_is_marked_and_who_knows_the_future_is_not_on_it():
    rows = leaderboard(["sos/Memory-v0"], ["turns", "recency", "lruk", "clairvoyant"], ["loop(references=300)"])
    cost = {row["policy"]: row["charged"]["decision_ns"] for row in rows}
    stall = {one.policy: one.ratio for one in standings(rows)}
    ahead = front({name: (cost[name], stall[name]) for name in cost if name != "clairvoyant"})
    table = markdown(rows).partition("## Decisions charged")[2]
    assert {name for name in cost if f"| {name} ▴ |" in table} == ahead and ahead
