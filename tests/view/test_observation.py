"""What the agent sees: the columns computed again from DESIGN 3, the rows, and no future."""

import math

import numba
import numpy as np
import pytest

from sos_gym import Tape, evaluate, workload
from sos_gym.engine.chance import uniform
from sos_gym.envs.env import SosEnv
from sos_gym.kernel import part_of, table_of
from sos_gym.metrics import STALLS
from sos_gym.resource import NONE, Kind, Op, Resource, State, Status
from sos_gym.settings.presets import PRESETS
from sos_gym.view.candidates import SAMPLE, select
from sos_gym.view.columns import COLUMNS, CONTEXT

IDS = tuple(PRESETS)
PAIR = ("bind_cost", "distance")


# -- the columns, plainly


def rlog(t, tau):
    return float(np.clip(math.log((t + 1_000) / tau), -8, 8)) / 4


def clog(n):
    return min(4.0, math.log2(1 + n) / 4)


def cost_log(ns):
    return min(4.0, math.log(1 + ns / 1_000) / 4)


class Seen:
    """One decision, from the arrays of the simulation."""

    def __init__(self, env):
        self.simulation, self.settings = env.simulation, env.settings
        arrays = self.simulation.arrays
        self.record, self.d = self.simulation.record[0], self.simulation.decision
        self.entities, self.threads, self.slots = arrays["entities"], arrays["threads"], arrays["slots"]
        self.count, self.now = len(self.threads), int(self.record["now"])
        self.on_cores = self.d["resource"] == Resource.CPU
        self.instance = arrays["instances"][self.d["resource"]]
        self.tau = float(self.instance["tau_ns"])
        kin = self.entities[: self.count] if self.on_cores else self.entities[self.count :]
        wants = np.isin(kin["state"], (State.WAITING, State.IN_FLIGHT, State.HOLDING))
        self.weights = self.simulation.tape.owners["weight"].astype(float)
        self.mean_weight, self.active_weight = kin["weight"].mean(), self.weights[np.unique(kin["owner"][wants])].sum()
        self.held = np.bincount(kin["owner"][kin["slot"] != NONE], minlength=len(self.weights))

    def rows(self, env) -> np.ndarray:
        return np.array([[self.row(e).get(name, 0.0) for name in COLUMNS] for e in env.candidates])

    def row(self, e) -> dict[str, float]:
        if e < 0:
            return {"valid": 1, "vacant": 1} | self.pair(e)
        entity = self.entities[e]
        holds = entity["slot"] != NONE
        since = entity["move_ns"] if entity["moved"] else entity["hold_ns"]
        row = {
            "valid": 1,
            "holder": holds,
            "raised_this": e == self.d["entity"],
            "same_owner": self.d["entity"] != NONE and entity["owner"] == self.entities["owner"][self.d["entity"]],
            "weight": math.log2(entity["weight"] / self.mean_weight) / 4,
            "since_use": rlog(self.now - entity["last_use"], self.tau) if entity["uses_total"] else 0,
            "held": rlog(self.now - since, self.tau) if holds else 0,
            "waited": 0 if holds else rlog(self.now - entity["want_ns"], self.tau),
            "last_gap": rlog(entity["last_gap"], self.tau) if entity["gaps"] else 0,
            "prev_gap": rlog(entity["prev_gap"], self.tau) if entity["gaps"] == 2 else 0,
            "gap_known": entity["gaps"] / 2,
            "payoff": rlog(payoff(self, e), self.tau),
            "uses": clog(entity["uses"]),
            "uses_total": clog(entity["uses_total"]),
            "returned": entity["returned"],
        }
        mine = self.thread(e) if self.on_cores else self.page(e)
        behind = self.behind(e if self.on_cores else entity["last_user"])
        if behind:
            boost = max(1, max(self.entities["weight"][t] for t in behind) / entity["weight"])
            row |= {"boost": math.log2(boost) / 4, "lock_waiters": clog(len(behind))}
        return row | mine | self.owner(entity["owner"]) | self.pair(e)

    def behind(self, t) -> list[int]:
        """Who waits for a lock that thread `t` holds, and who for theirs."""
        locks = np.flatnonzero(self.simulation.arrays["locks"]["holder"] == t) if t != NONE else []
        first = [w for w in range(self.count) for lock in locks if self.threads["lock"][w] == lock]
        return first + [one for waiter in first for one in self.behind(waiter)]

    def owner(self, o) -> dict[str, float]:
        """Its share of the slots that are held, over its weight's share among owners that want or hold."""
        mine = self.threads[self.entities["owner"][: self.count] == o]
        stall = sum(int(mine[name].sum()) for name in STALLS)
        both = stall + int(mine["service"].sum())
        row = {"owner_stall": stall / both if both else 0}
        if self.held.any():
            share = max(self.held[o], 0.5) / self.held.sum()
            entitled = self.weights[o] / self.active_weight
            row["owner_share"] = float(np.clip(math.log2(share / entitled), -4, 4))
        return row

    def thread(self, t) -> dict[str, float]:
        entity = self.entities[t]
        recent = self.simulation.arrays["recent"].reshape(self.count, -1)[t]
        known = recent[recent != NONE]
        out = np.count_nonzero(self.entities["slot"][known] == NONE)
        warm = self.move_cost(t, "near") if entity["slot"] != NONE else 0
        return {
            "attained": rlog(entity["attained"], self.tau),
            "leave_cost": cost_log(self.record["switch_ns"] + warm),
            "resident_share": 1 - out / len(known) if len(known) else 0,
            "expected_refaults": clog(out),
        }

    def page(self, e) -> dict[str, float]:
        entity, used = self.entities[e], int(self.simulation.arrays["users"][e])
        users = [t for t in range(self.count) if used >> t & 1]
        status = self.threads["status"][users]
        write_back = self.record["write_back_ns"] if entity["dirty"] else 0
        return {
            "leave_cost": cost_log(self.record["shootdown_ns"] + write_back),
            "users_running": clog(np.count_nonzero(status == Status.RUNNING)),
            "users_waiting": clog(np.count_nonzero(np.isin(status, (Status.CPU_WAIT, Status.FAULTING)))),
        }

    def pair(self, e) -> dict[str, float]:
        """The entity and the slot that the choice would join."""
        if self.d["kind"] == Kind.ADMIT:
            joined, slot = e, self.d["slot"]
        else:
            joined, slot = self.d["entity"], -1 - e if e < 0 else self.entities["slot"][e]
        if joined < 0 or slot == NONE or self.entities["slot"][joined] == slot:
            return {}
        entity, place = self.entities[joined], self.slots[slot]
        far, cost = entity["home"] != place["node"], 0
        if self.on_cores:
            cost += self.record["switch_ns"] * (place["last"] != joined)
            if entity["touched"] and entity["last_slot"] != slot:
                cost += self.move_cost(joined, "far" if far else "near")
        elif entity["slot"] != NONE:
            cost += self.record["page_move_ns"] + self.record["shootdown_ns"]
        elif far:
            cost += 16 * 64 * self.record["remote_excess_ns"]
        return {"distance": far, "bind_cost": cost_log(cost)}

    def move_cost(self, t, way) -> int:
        """In proportion to what it served since it came there, up to all."""
        full, warm = int(self.record[f"move_{way}_ns"]), int(self.record[f"warm_{way}_ns"])
        served = int(self.threads["service"][t] - self.threads[f"cold_{way}"][t])
        return full * min(served, warm) // warm if warm else full

    def context(self, env, some, full) -> np.ndarray:
        held = np.count_nonzero(self.slots["holder"][self.instance["first_slot"] :][: self.instance["size"]] != NONE)
        cores = sum(self.settings.cores) if self.settings.cores else self.count
        lanes = np.maximum(self.simulation.arrays["lanes"] - self.now, 0).sum()
        values = {
            "evict": self.d["kind"] == Kind.EVICT,
            "admit": self.d["kind"] == Kind.ADMIT,
            "cpu": self.on_cores,
            "memory": not self.on_cores,
            "log_tau": math.log(self.tau / 1e6) / 2,
            "slots": clog(self.instance["size"]),
            "contenders": clog(self.d["count"]),
            "shown": len(env.candidates) / self.d["count"],
            "psi_some": some,
            "psi_full": full,
            "free": 1 - held / self.instance["size"],
            "utilisation": min(1, np.count_nonzero(self.threads["status"] == Status.RUNNING) / cores),
            "device_queue": clog(lanes / self.record["swap_in_ns"]),
            "return_rate": self.instance["return_rate"],
        }
        raiser = self.row(int(self.d["entity"])) if self.d["entity"] != NONE else {}
        names = ("weight", "since_use", "last_gap", "uses_total", "returned", "owner_share", "owner_stall")
        values |= {f"raiser_{name}": raiser.get(name, 0) for name in names}
        return np.array([float(values[name]) for name in CONTEXT])


def payoff(seen, e):
    """Page: max(last gap, age); thread: what it may still need, by its last two bursts."""
    entity = seen.entities[e]
    if e >= seen.count:
        return max(entity["last_gap"], seen.now - entity["last_use"])
    estimate = (seen.tau, entity["last_gap"], (entity["last_gap"] + entity["prev_gap"]) / 2)[entity["gaps"]]
    return max(estimate - entity["attained"], entity["attained"] / 2)


def decisions_of(env, steps, seed=0):
    """Random legal steps: the observation of each open decision."""
    rng = np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    for _ in range(steps):
        yield observation
        observation, _, terminated, truncated, _ = env.step(int(rng.choice(np.flatnonzero(observation["action_mask"]))))
        if terminated or truncated:
            return


ON_TAPES = {env_id: PRESETS[env_id].workload for env_id in IDS} | {"sos/System-v0": "overcommitted"}


@pytest.mark.parametrize(("env_id", "family"), [*ON_TAPES.items(), ("sos/CPU-v0", "inversion")])
def test_columns_computed_again(env_id, family):
    """Owners of unlike weights; every column takes more than one value where it means something."""
    drawn = workload(family, 3)
    threads, owners = drawn.threads.copy(), drawn.owners.copy()
    threads["weight"][::2] = owners["weight"][::2] = 512
    env = SosEnv(env_id, workload=Tape(drawn.ops, threads, drawn.pages, owners, drawn.channels))
    some = full = 0.0
    before = (0, 0, 0, 0, 0)
    values = []
    for number, observation in enumerate(decisions_of(env, 600)):
        seen = Seen(env)
        ran = sum(int(seen.threads[name].sum()) for name in ("switch", "move", "minor", "remote", "service"))
        after = (*(int(seen.record[name]) for name in ("now", "some_ns", "full_ns")), seen.threads["remote"].sum(), ran)
        dt, *stalled, far, ran = np.subtract(after, before).tolist()
        if dt:
            gain, far = 1 - math.exp(-dt / 10e6), far / max(1, ran)
            now_some, now_full = (1 - (1 - waited / dt) * (1 - far) for waited in stalled)
            some, full = some + gain * (now_some - some), full + gain * (now_full - full)
        before = after
        if number % 5 and number > 20:
            continue
        rows = len(env.candidates)
        np.testing.assert_allclose(observation["candidates"][:rows], seen.rows(env), atol=2e-6, rtol=1e-5)
        np.testing.assert_allclose(observation["context"], seen.context(env, some, full), atol=2e-6, rtol=1e-5)
        assert not observation["candidates"][rows:].any()
        assert observation["action_mask"].tolist() == [1] * rows + [0] * (env.settings.rows - rows)
        values.append(observation["candidates"][:rows])
    spread = np.ptp(np.concatenate(values), axis=0)
    of_threads = {"attained", "resident_share", "expected_refaults"}
    of_pages = {"users_running", "users_waiting"}
    of_locks = {"boost", "lock_waiters"}
    still = {list(COLUMNS)[i] for i in np.flatnonzero(spread == 0)} - {"valid", "vacant", "returned"}
    assert (of_locks <= still) == (family != "inversion")
    still -= of_locks
    never_wait = of_threads | {"waited"}  # pages that want are in flight, or no contenders
    expected = {
        "sos/CPU-v0": of_pages | {"resident_share", "expected_refaults"},
        "sos/System-v0": set(),
        "sos/Memory-v0": never_wait | {"holder"},  # but for vacancies, which are rare
        "sos/Tier-v0": never_wait,
    }[env_id]
    assert still <= expected, still - expected


def test_the_scales_worked_numbers():
    assert rlog(999_000, 1_000_000) == pytest.approx(0)
    assert rlog(0, 1e6) == pytest.approx(math.log(1e-3) / 4)
    assert rlog(10**15, 1e6) == 2 and clog(0) == 0 and clog(65_535) == 4 == clog(10**9)


# -- the rows


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("rows", [8, 16])
def test_which_contenders_are_shown(env_id, rows):
    """Who wants or holds, the vacancies, the extremes, one of each stretch of recency; ordered by slot."""
    tape = workload("hyperexponential", threads=40) if env_id == "sos/CPU-v0" else None
    env = SosEnv(env_id, workload=tape, rows=rows, **({"frames": 50} if env_id == "sos/System-v0" else {}))
    crowded = 0
    for _ in decisions_of(env, 500):
        seen, shown = Seen(env), env.candidates
        contenders = env.simulation.contenders.tolist()
        assert len(set(shown)) == len(shown) and set(shown) <= set(contenders)
        places = [(-1 - e if e < 0 else seen.entities["slot"][e], e) for e in shown]
        assert places == sorted(places)
        if len(contenders) <= rows:
            assert set(shown) == set(contenders)
            continue
        assert len(shown) == rows
        if seen.d["entity"] in contenders:
            assert seen.d["entity"] in shown
        assert {e for e in contenders if e < 0} <= set(shown)
        held = [e for e in contenders if e >= 0]
        if rows < 16 or len(held) > SAMPLE:
            continue
        crowded += 1
        evicts = seen.d["kind"] == Kind.EVICT
        for measure in ("use_seq", "payoff", "uses"):  # of who can spare its slot; in ADMIT of who needs one
            value = {e: payoff(seen, e) if measure == "payoff" else seen.entities[measure][e] for e in held}
            best = max if evicts == (measure == "payoff") else min
            assert best(value[e] for e in shown if e >= 0) == best(value.values())
        held.sort(key=lambda e: seen.entities["use_seq"][e] if evicts else -seen.entities["want_seq"][e])
        assert held[-1] in shown
        stretches = np.array_split(held, max(1, rows - 11))  # at least so many are left for draws
        assert all(set(stretch.tolist()) & set(shown) for stretch in stretches)
    assert crowded > 50 or rows < 16


def sample_of(env, seen) -> tuple[list[int], int]:
    """64 contenders drawn by place, those rejected who may not go or were drawn before; and how many came by a draw."""
    record, d, sample = seen.record, seen.d, []
    evicts = d["kind"] == Kind.EVICT
    contenders = {e for e in env.simulation.contenders.tolist() if e >= 0 and e != d["entity"]}
    places = seen.slots["holder"][seen.instance["first_slot"] :][: seen.instance["size"]].tolist()
    places = places if evicts else env.simulation.contenders.tolist()
    for draw in range(16 * SAMPLE):
        place = int(uniform(int(record["rows_seed"]), int(d["number"]), 1_000_003 + draw) * len(places))
        if places[place] in contenders and places[place] not in sample and len(sample) < SAMPLE:
            sample.append(places[place])
    drawn = len(sample)
    while len(sample) < SAMPLE:  # few of many places: whoever comes next
        place = (place + 1) % len(places)
        if places[place] in contenders and places[place] not in sample:
            sample.append(places[place])
    return sample, drawn


PLENTY = {"nodes": 1, "frames": 600, "scan_ns": None}
SPARSE = {"nodes": 2, "frames": (80, 4_000), "scan_ns": None, "rows": 32, "reclaim": "global"}  # most are free


@pytest.mark.parametrize("settings", [PLENTY, SPARSE], ids=["plenty", "sparse"])
def test_above_the_sample_rows_come_from_a_sample_drawn_by_place(settings):
    """Extremes are those of the sample, all else is drawn from it; nearly every page comes up."""
    env = SosEnv("sos/Memory-v0", workload=workload("zipf", pages=3_000, references=8_000), **settings)
    found, checked, by_draw = set(), 0, []
    for number, _ in enumerate(decisions_of(env, 2_500)):
        if env.simulation.decision["count"] <= SAMPLE + 2:
            continue
        assert len(env.candidates) == env.settings.rows
        found |= set(env.candidates)
        if number % 20:
            continue
        seen, checked = Seen(env), checked + 1
        sample, drawn = sample_of(env, seen)
        by_draw.append(drawn)
        assert {e for e in env.candidates if e >= 0} <= {*sample, int(seen.d["entity"])}
        oldest = min(sample, key=lambda e: seen.entities["use_seq"][e])
        assert {oldest, max(sample, key=lambda e: seen.entities["use_seq"][e])} <= set(env.candidates)
        assert any(payoff(seen, e) == max(payoff(seen, one) for one in sample) for e in env.candidates if e >= 0)
    assert checked > 50 and len(found) > 60
    assert (min(by_draw) < SAMPLE) == (settings is SPARSE)


def test_the_draws_depend_on_seed_and_decision():
    shown = []
    for seed in (0, 1):
        env = SosEnv("sos/Memory-v0", workload=workload("phases", 0))
        choice = []
        for _ in decisions_of(env, 40, seed):
            choice.append(tuple(env.candidates))
        shown.append(choice)
    assert shown[0] != shown[1]


# -- the future


def forked(seed: int) -> tuple[Tape, Tape, int]:
    """Two tapes that begin with the same ops per thread, and how many."""
    rng, pages, same, tapes = np.random.default_rng(seed), 80, 260, []
    first = [(Op.COLD, page) for page in range(pages)]  # names all pages, does nothing

    def ops(rng, count):
        kinds = rng.choice([Op.READ, Op.WRITE, Op.COMPUTE, Op.SLEEP], count, p=(0.6, 0.25, 0.1, 0.05))
        hot = rng.integers(0, pages, 25)
        arg = {Op.COMPUTE: lambda: int(rng.integers(1, 900_000)), Op.SLEEP: lambda: int(rng.integers(1, 300_000))}
        return [(Op(k), arg.get(Op(k), lambda: int(rng.choice(hot)))()) for k in kinds]

    begin = [first + ops(rng, same - pages) for _ in range(6)]
    for way in (1, 2):
        after = np.random.default_rng([seed, way])
        tapes.append(
            Tape.build([part + ops(after, int(after.integers(20, 200))) for part in begin], owner=[0, 0, 1, 1, 2, 2])
        )
    private = {"private": 0}
    return (*(Tape(t.ops, t.threads, _with(t.pages, **private), t.owners, t.channels) for t in tapes), same)


def _with(table, **columns):
    changed = table.copy()
    for name, value in columns.items():
        changed[name] = value
    return changed


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("reward", ["progress", "stall"])
def test_no_column_knows_the_future(env_id, reward):
    """As long as all threads are in what two tapes share, observation, reward and info are the same to the bit."""
    keywords = {"frames": (12, 10), "scan_ns": 100_000} if env_id == "sos/Memory-v0" else {}
    keywords |= {"sos/System-v0": {"frames": 30}, "sos/Tier-v0": {"frames": (12, 200)}}.get(env_id, {})
    compared, parted = 0, False
    for seed in range(3):
        *tapes, same = forked(seed)
        assert tapes[0] != tapes[1]
        envs = [SosEnv(env_id, reward=reward, workload=tape, advisors=("lru", "gap"), **keywords) for tape in tapes]
        found = [(*env.reset(seed=1), 0.0) for env in envs]
        rng = np.random.default_rng(seed)
        while True:
            threads = envs[0].simulation.arrays["threads"]
            if (threads["pc"] >= threads["first"] + same).any():
                break
            (one, info, paid), (two, other, got) = found
            assert all(a.tobytes() == b.tobytes() for a, b in zip(one.values(), two.values(), strict=True))
            masks = [told.pop("action_mask").tolist() for told in (info, other)]
            assert masks[0] == masks[1] and info == other and paid == got
            compared += 1
            row = int(rng.choice(np.flatnonzero(one["action_mask"])))
            steps = [env.step(row) for env in envs]
            found = [(step[0], step[4], step[1]) for step in steps]
        parted |= (
            found[0][0]["candidates"].tobytes() != found[1][0]["candidates"].tobytes() or found[0][2] != found[1][2]
        )
    assert compared > 100


# -- what sixteen rows cost


def clairvoyant_row(env) -> int:
    """The row that the clairvoyant would choose had it only these."""
    entities, d = env.simulation.arrays["entities"], env.simulation.decision
    rows = list(enumerate(env.candidates))
    vacant = [row for row, e in rows if e < 0]
    if d["kind"] == Kind.EVICT:
        if vacant:
            return max(vacant, key=lambda row: env.candidates[row])
        return max(rows, key=lambda r: (entities["future"][r[1]], r[1] == d["entity"], -entities["use_seq"][r[1]]))[0]
    held = [(row, e) for row, e in rows if e >= 0]
    return min(held, key=lambda r: (entities["future"][r[1]], r[1] != d["entity"], entities["want_seq"][r[1]]))[0]


def limited(env_id: str, seed: int, rows: int) -> float:
    env = SosEnv(env_id, rows=rows, reward="foresight")  # which makes the engine bring `future` up to date
    _, info = env.reset(seed=seed)
    over = not info["decision"]["open"]
    while not over:
        _, _, terminated, truncated, info = env.step(clairvoyant_row(env))
        over = terminated or truncated
    return info["metrics"]["stall_ns"]


def test_clairvoyant_rows_choose_as_the_clairvoyant():
    """With all contenders shown the plain rule is the compiled one, to the ns."""
    for env_id in ("sos/CPU-v0", "sos/Memory-v0"):
        assert limited(env_id, 0, 64) == evaluate(env_id, "clairvoyant", seed=0)[0]["stall_ns"]


@pytest.mark.parametrize("env_id", IDS)
def test_sixteen_rows_lose_under_a_tenth(env_id):
    seeds = range(10)
    full = sum(run["stall_ns"] for run in evaluate(env_id, "clairvoyant", episodes=len(seeds)))
    shown = sum(limited(env_id, seed, 16) for seed in seeds)
    assert shown / full < 1.1, f"{shown / full - 1:+.1%}"


# -- few rows

SENTINEL = -12345


@numba.njit
def _select(sims, room, rows):
    return select(sims[0], sims[0].decision[0], part_of(table_of(room), 0, rows))


@pytest.mark.parametrize("env_id", PRESETS)
def test_the_least_number_of_rows_holds_no_more(env_id):
    """Who asks and three extremes fill four rows: nothing is written behind them."""
    env, rng, full = SosEnv(env_id, rows=4), np.random.default_rng(0), 0
    observation, _ = env.reset(seed=0)
    for _ in range(300):
        room = np.full(8, SENTINEL, np.int32)
        rows = _select(env.simulation.record, room, 4)
        assert rows == observation["action_mask"].sum() == len(set(env.candidates)) <= 4
        assert (room[4:] == SENTINEL).all()
        full += rows == 4 < env.simulation.decision["count"]
        observation, *_ = env.step(int(rng.choice(np.flatnonzero(observation["action_mask"]))))
    assert full > 100
