"""Search: it finds what is least, its measure is what it says, and everything follows from the seed."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import cases
import configuration
import numpy as np
import pytest
import search
from cases import Case, Measure, Outcome, best_of, cases_of, drawn, log_ratios, played, played_by
from minimizers import Cma, CrossEntropy
from on_val import OnVal, standings
from run_folder import RunFolder
from shapes import Linear, Mlp

from sos_gym import LearnedClaim, SettingError, evaluate, workload, workloads
from sos_gym.envs.env import SosEnv
from sos_gym.leaderboard.grid import SIDES
from sos_gym.learned import INPUTS
from sos_gym.resource import Op
from sos_gym.settings.presets import PRESETS
from sos_gym.workload.recordings import SPLIT_OF

MEMORY, CPU, SYSTEM, TIER = PRESETS
TINY = {"algorithm": "search", "name": "tiny", "envs": [CPU], "workloads": ["hyperexponential(bursts=5)"]}
TINY |= {"baselines": ["turns", "cfs"], "look_episodes": 1, "val_episodes": 2, "check": 1}
STAGES = [{"generations": 2, "population": 6, "elite": 2}, {"generations": 1, "hidden": 3, "population": 5, "elite": 2}]


def training(**changed) -> search.Training:
    return configuration.checked(search.Training, TINY | {"stages": STAGES} | changed, "a test")


def vectors_after(given: search.Training, generations: int) -> np.ndarray:
    with ThreadPoolExecutor(given.threads) as pool:
        searcher = search.Searcher(given, pool)
        for _ in range(generations):
            searcher.update()
        return searcher.minimizer.mean


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


# -- minimizers

BOTTOM = np.array([3.0, -1.0, 0.5])
MINIMIZERS = {
    "cross-entropy": lambda: CrossEntropy(np.zeros(3), 1.0, 40, 8, 0.3, 60, seed=0),
    "cma": lambda: Cma(np.zeros(3), 1.0, 20, separable=False, seed=0),
    "separable cma": lambda: Cma(np.zeros(3), 1.0, 20, separable=True, seed=0),
}


@pytest.mark.parametrize("make", MINIMIZERS.values(), ids=MINIMIZERS)
def test_the_bottom_of_a_bowl_is_found(make):
    """The bowl is 25 times as steep along one axis as along another, and its level moves over time."""
    minimizer, steep = make(), np.array([1.0, 25.0, 4.0])
    for generation in range(60):
        vectors = minimizer.drawn()
        minimizer.learn(vectors, ((vectors - BOTTOM) ** 2 * steep).sum(axis=1) + 10 * np.sin(generation))
    assert minimizer.mean == pytest.approx(BOTTOM, abs=0.01)


@pytest.mark.parametrize("make", MINIMIZERS.values(), ids=MINIMIZERS)
def test_a_minimizer_follows_its_seed_and_leaves_the_global_generator_alone(make):
    before = np.random.get_state()[1].copy()  # noqa: NPY002, it is this one that must stay
    assert np.array_equal(make().drawn(), make().drawn())
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("make", MINIMIZERS.values(), ids=MINIMIZERS)
def test_a_minimizer_that_was_pickled_goes_on_the_same(make):
    whole, half = make(), make()
    for _ in range(3):
        half = pickle.loads(pickle.dumps(half))
        vectors = whole.drawn()
        assert np.array_equal(half.drawn(), vectors)
        for one in (whole, half):
            one.learn(vectors, ((vectors - BOTTOM) ** 2).sum(axis=1))


# -- cases


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("env", PRESETS)
def test_all_families_and_the_recordings_of_a_split_are_cases(env, split):
    found = cases_of([env], ["families", "recordings"], split)
    fitting = [card for card in workloads().values() if card.side in SIDES[env]]
    drawn = [card.name for card in fitting if not card.recorded and not card.diagnostic]
    families = {name for name in drawn if not name.startswith("recorded_")}
    recorded = {card.name for card in fitting if card.recorded and SPLIT_OF[card.name] == split}
    assert {case.workload for case in found} == families | recorded and len(found) == len(families | recorded)
    assert all(case.settings for case in found if case.recorded)


def test_long_tapes_are_cut_where_it_is_asked_and_those_with_channels_are_not():
    """Each seed another stretch, under the frames of the whole; threads that wait for each other stay whole."""
    cut = {case.workload: case for case in cases_of([MEMORY, SYSTEM], ["recordings"], "train", references=5000)}
    episodes = [cut["gzip"].episode(seed) for seed in (0, 1, 0)]
    touched = [episode.tape.ops["op"] != Op.COMPUTE for episode in episodes]
    assert all(abs(int(some.sum()) - 5000) < 500 for some in touched)
    assert episodes[0].tape == episodes[2].tape != episodes[1].tape
    assert episodes[0].settings == {"frames": round(0.25 * len(workload("gzip").pages))}
    assert cut["stages"].episode(3).tape == workload("stages")
    family = Case(MEMORY, "zipf", "train", references=700).episode(4)
    assert len(family.tape.ops) == 700 and family.settings == {}
    whole = cases_of([MEMORY], ["recordings"], "train")[0]
    assert whole.episode(0).tape == workload(whole.workload)


def test_a_named_family_is_taken_where_it_fits():
    found = cases_of([MEMORY, CPU, TIER], ["default", "loop", "phases"], "train")
    names = ["Memory phases", "Memory loop", "CPU hyperexponential", "Tier tiered", "Tier loop", "Tier phases"]
    assert list(map(str, found)) == names


def test_a_family_that_is_named_later_takes_the_place_of_the_plain_one():
    found = cases_of([SYSTEM], ["families", "thrashing(bursts=1)"], "train")
    assert [case.workload for case in found] == ["working_sets", "overcommitted", "thrashing(bursts=1)"]


@pytest.mark.parametrize(
    "envs, words, said", [(["sos/X"], ["default"], "envs"), ([CPU], ["zipf"], "zipf"), ([CPU], ["make"], "recordings")]
)
def test_what_is_no_case_is_refused(envs, words, said):
    with pytest.raises(SettingError, match=said):
        cases_of(envs, words, "train")


def test_outcomes_are_those_of_evaluate_whatever_the_workers(pool):
    found = drawn(cases_of([CPU, MEMORY], ["default", "loop(references=500)"], "train"), [4, 5])
    outcome = played(["turns", "lru"], found, pool)
    with ThreadPoolExecutor(1) as alone:
        assert np.array_equal(played(["turns", "lru"], found, alone).stall_ns, outcome.stall_ns)
    for p, policy in enumerate(("turns", "lru")):
        for c, (env, name) in enumerate([(CPU, None), (MEMORY, None), (MEMORY, "loop(references=500)")]):
            runs = evaluate(env, policy, name, 4, 2, split="train")
            assert outcome.stall_ns[p, c].tolist() == [run["weighted_stall_ns"] for run in runs]
            assert outcome.jain[p, c].tolist() == [run["jain"] for run in runs]
    best = outcome.stall_ns.sum(axis=2).argmin(axis=0)
    assert best_of(["turns", "lru"], found, pool) == [("turns", "lru")[k] for k in best]
    assert np.array_equal(played_by(["turns", "lru", "turns"], found, pool), outcome.stall_ns[[0, 1, 0], [0, 1, 2]])


# -- the measure

ONE, OTHER = Case(MEMORY, "zipf", "train"), Case(CPU, "bimodal", "train")


def outcome_of(stall, jain) -> Outcome:
    return Outcome(np.array([stall], float), np.array([jain], float))


def test_the_ratio_of_a_case_is_that_of_sums():
    ratios = log_ratios(np.array([[[2.0, 4.0], [0.0, 0.0]]]), np.array([[1.0, 2.0], [5.0, 5.0]]))
    assert ratios == pytest.approx(np.array([[np.log(2), -np.log(10)]]))  # no stall counts as 1 ns


def test_each_id_weighs_the_same_and_each_case_of_an_id():
    measure = Measure([ONE, ONE, OTHER])
    found = measure.of(outcome_of([[1], [4], [8]], [[1], [1], [1]]), np.ones((3, 1)))
    assert found == pytest.approx([(np.log(4) / 2 + np.log(8)) / 2])


@pytest.mark.parametrize("jain, paid", [((0.7, 0.7), 1.0), ((0.6, 0.8), 1.0), ((0.8, 0.8), 0.0), ((0.95, 0.7), 0.0)])
def test_unfairness_below_the_floor_is_paid_for(jain, paid):
    found = Measure([ONE], jain_floor=0.8, jain_price=10.0).of(outcome_of([[2, 4]], [jain]), np.array([[1, 2]]))
    assert found == pytest.approx([np.log(2) + paid])


# -- shapes


@pytest.mark.parametrize("env_id", [MEMORY, SYSTEM])
def test_hidden_units_begin_as_the_linear_claim(env_id):
    shape, rng = Mlp(16), np.random.default_rng(1)
    linear = rng.normal(size=Linear().size)
    start = shape.start(linear, seed=0)
    claims = Linear().claim(linear, "linear"), shape.claim(start, "mlp")
    env = SosEnv(env_id)
    observation, info = env.reset(seed=0)
    for _ in range(300):
        rows = [claim(observation, info) for claim in claims]
        assert rows[0] == rows[1]
        observation, _, _, _, info = env.step(rows[0])
    moved = start.copy()
    moved[-4] = 5.0  # the output weight of a unit that had no say
    assert shape.claim(moved, "mlp").weights.tolist() != claims[1].weights.tolist()
    assert np.array_equal(shape.start(start, seed=0), start) and not np.array_equal(shape.start(linear, 1), start)


def test_a_linear_vector_is_the_claim_of_its_columns():
    vector = np.zeros(Linear().size)
    vector[0], vector[-2:] = 2.0, (3.0, 4.0)
    claim, same = Linear().claim(vector, "x"), LearnedClaim.linear({"holder": 2.0, "bind_cost": 3.0, "distance": 4.0})
    assert np.array_equal(claim.weights, same.weights) and np.array_equal(claim.pair_costs, same.pair_costs)


@pytest.mark.parametrize(
    "shape", [Linear(), Mlp(3), Linear(("since_use",)), Mlp(2, ("since_use", "psi_some"))], ids=repr
)
def test_a_vector_comes_back_from_its_claim_and_what_it_may_not_use_weighs_nothing(shape):
    vector = np.random.default_rng(3).normal(size=shape.size)
    claim = shape.claim(vector, "x")
    assert shape.vector(claim) == pytest.approx(vector, rel=1e-6)
    weights = claim.layers[0][0]
    used = {name for name, row in zip(INPUTS, weights, strict=True) if row.any()}
    assert used == {INPUTS[k] for k in shape.inputs} and not used & {*shape.without}


# -- the search


def test_a_search_goes_on_from_a_claim(tmp_path, pool):
    """Its start is that claim to the last bit, or the linear one that its hidden units then begin as."""
    before = Mlp(3).claim(np.random.default_rng(1).normal(size=Mlp(3).size), "before")
    path = str(before.save(tmp_path / "before.npz"))
    begun = search.Searcher(training(stages=STAGES[1:], start=path), pool).claim()
    assert np.array_equal(begun.weights, before.weights) and np.array_equal(begun.pair_costs, before.pair_costs)
    with pytest.raises(SettingError, match=r"stages\[0\].hidden=0 .* 3, as before"):
        search.Searcher(training(start=path), pool)
    linear = LearnedClaim.linear({"since_use": -1.0, "bind_cost": 2.0})
    begun = search.Searcher(training(start=str(linear.save(tmp_path / "linear.npz"))), pool).claim()
    assert np.array_equal(begun.weights, linear.weights) and np.array_equal(begun.pair_costs, linear.pair_costs)


def test_a_search_without_columns_leaves_them_alone(pool):
    given = training(without=["payoff", "psi_some"])
    searcher = search.Searcher(given, pool)
    for _ in range(searcher.total):
        searcher.update()
    weights = dict(zip(INPUTS, searcher.claim().layers[0][0], strict=True))
    assert not weights["payoff"].any() and not weights["psi_some"].any() and weights["since_use"].all()
    with pytest.raises(SettingError, match="did you mean 'payoff'"):
        search.Searcher(training(without=["payof"]), pool)


@pytest.mark.parametrize(
    "stages, said",
    [
        ([{"elite": 50}], r"stages\[0\].elite=50 .* at most the population, 40"),
        ([{}, {"hidden": 1}], r"stages\[1\].hidden=1 .* 0, or 2 and more"),
        ([{"hidden": 4}, {"hidden": 8}], r"stages\[1\].hidden=8 .* 4, as before"),
        ([{"hidden": 4}, {}], r"stages\[1\].hidden=0 .* 4, as before"),
    ],
)
def test_stages_that_do_not_fit_are_refused(stages, said, pool):
    with pytest.raises(SettingError, match=said):
        search.Searcher(training(stages=stages), pool)


@pytest.mark.parametrize("method", ["cross_entropy", "cma", "separable_cma"])
def test_a_search_follows_its_seed_whatever_the_workers(method):
    stages = [{**stage, "method": method} for stage in STAGES]
    one, two, other = (
        vectors_after(training(stages=stages, seed=seed, workers=workers), 3)
        for seed, workers in ((1, 1), (1, 3), (2, 2))
    )
    assert np.array_equal(one, two) and not np.array_equal(one, other)
    assert len(one) == Mlp(3).size


def test_the_train_split_alone_is_touched(monkeypatch, pool):
    """By the search itself; judging is a look at val, with seeds of its own."""
    played_on = []

    def spy(env, policy, tape, seed, **settings):
        played_on.append(SPLIT_OF.get(tape.card["name"]) or tape.card["split"])
        return evaluate(env, policy, tape, seed, **settings)

    monkeypatch.setattr(cases, "evaluate", spy)
    given = training(workloads=["hyperexponential(bursts=5)", "recordings"])
    searcher = search.Searcher(given, pool)
    for _ in range(searcher.total):
        searcher.update()
    assert {*played_on} == {"train"} and len(played_on) > 90
    played_on.clear()
    OnVal(given, pool)(searcher.claim())
    assert {*played_on} == {"val"}


def test_a_generation_draws_as_many_cases_of_each_id_as_asked(pool):
    given = training(envs=[CPU, MEMORY], workloads=["hyperexponential(bursts=5)", "families"], cases=2)
    searcher = search.Searcher(given, pool)
    found = [searcher._some_cases(np.random.default_rng(seed)) for seed in range(40)]
    assert all([case.env for case in some] == [CPU, CPU, MEMORY, MEMORY] for some in found)
    assert all(len({*map(str, some)}) == 4 for some in found)
    assert {str(case) for some in found for case in some} == {*map(str, searcher.cases)}


def test_a_stage_may_play_more_cases_than_the_others(pool):
    stages = [STAGES[0] | {"generations": 1}, STAGES[1] | {"cases": 0}]
    given = training(workloads=["hyperexponential(bursts=5)", "bimodal(requests=20)"], cases=1, stages=stages)
    searcher, counts = search.Searcher(given, pool), []
    for _ in range(2):
        searcher.update()
        counts.append(len(searcher._some_cases(np.random.default_rng(0))))
    assert counts == [1, 2]


def test_a_share_of_the_budget_is_a_share_of_each_stage(pool):
    given = training(stages=[{"generations": 30}, {"generations": 4, "hidden": 2}], share=0.1)
    assert [stage.generations for stage in given.shortened] == [3, 1]
    assert search.Searcher(given, pool).total == 4
    with pytest.raises(SettingError, match="share"):
        training(share=0)


def test_a_floor_of_fairness_is_trained_for_and_judged_by(pool):
    free, bound = training(jain_floor=0.0), training(jain_floor=1.0, jain_price=300.0)
    claim = Linear().claim(np.ones(Linear().size), "x")
    assert OnVal(free, pool)(claim) < 10 < OnVal(bound, pool)(claim)
    assert not np.array_equal(vectors_after(free, 3), vectors_after(bound, 3))


def test_the_best_of_mean_and_last_generation_is_kept(tmp_path):
    given = training()
    best = search.train(given, RunFolder(tmp_path, given))
    with ThreadPoolExecutor(2) as pool:
        judge = OnVal(given, pool)
        assert judge(best.claim) == best.score
        assert judge(LearnedClaim.load(tmp_path / "tiny-0" / "claim.npz")) == best.score


def test_a_claim_stands_beside_the_best_of_each_case(pool):
    given = training(envs=[CPU, MEMORY], workloads=["hyperexponential(bursts=5)", "loop(references=300)"])
    claim = Linear().claim(np.ones(Linear().size), "x")
    for one in standings(claim, cases_of(given.envs, given.workloads, "val"), given.baselines, 2, pool):
        env, name = (CPU, given.workloads[0]) if one.case.startswith("CPU") else (MEMORY, given.workloads[1])
        sums = {
            policy: sum(run["weighted_stall_ns"] for run in evaluate(env, policy, name, 0, 2, split="val"))
            for policy in (*given.baselines, claim)
        }
        own = sums.pop(claim)
        assert one.base == min(sums, key=sums.get) and one.ratio == pytest.approx(own / min(sums.values()))
