"""Families and recordings."""

import hashlib
import sys
from collections import Counter

import numpy as np
import pytest
from extending import example, extending

from sos_gym.resource import Op
from sos_gym.workload import SPLITS, Tape, TapeError, families, workload, workloads
from sos_gym.workload.discovery import import_modules
from sos_gym.workload.families.draws import systematic, zipf_ranks
from sos_gym.workload.families.graph import _search
from sos_gym.workload.families.programs import stretch
from sos_gym.workload.families.registry import FAMILIES, Parameter
from sos_gym.workload.families.threads import bounded_pareto_ns
from sos_gym.workload.forecast import forecast
from sos_gym.workload.recordings import FOLDER, SPLIT_OF

FAMILY_NAMES = sorted(FAMILIES)
SYNTHETIC = [name for name in FAMILY_NAMES if not FAMILIES[name].by_split]
RECORDED = sorted(name for name, card in workloads().items() if card.recorded)
MS = 1_000_000


def args(tape: Tape, op: Op) -> np.ndarray:
    return tape.ops["arg"][tape.ops["op"] == op]


# -- the registry


def test_names_and_sides():
    sides = {name: card.side for name, card in workloads().items()}
    expected = {
        "memory": "get_scan key_value localities loop phases recorded_memory rounds scan zipf "
        "awk bc bzip2 compile diff folding fourier git grep gzip join matrix merge node perl python rank redis sort "
        "sqlite stencil tree vim",
        "tier": "graph tiered",
        "cpu": "bimodal bounded_pareto diurnal hyperexponential interactive_batch inversion recorded_cpu request_reply "
        "schbench archive database history hunt make mixed pipeline search tests web workers",
        "joint": "overcommitted recorded_joint thrashing working_sets barrier pigz pool stages xz zstd",
    }
    assert sides == {name: side for side, names in expected.items() for name in names.split()}


MODULE = example("A family")


@pytest.fixture
def more_families(tmp_path, monkeypatch):
    """A folder whose modules belong to the package of families; afterwards they were never there."""
    before = dict(FAMILIES)
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    yield tmp_path
    FAMILIES.clear()
    FAMILIES.update(before)
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(f"{families.__name__}.{path.stem}", None)


def test_a_module_among_the_families_is_found(more_families):
    (more_families / "uniform.py").write_text(MODULE)
    import_modules(families.__name__)
    assert list(FAMILIES)[-1] == "uniform" and workloads()["uniform"].side == "memory"
    tape = workload("uniform", references=1000, pages=30)
    assert (len(tape), len(tape.pages)) == (1000, 30)
    assert set(forecast(tape)["value"].tolist()) == {30}
    with pytest.raises(TapeError, match="did you mean 'uniform'"):
        workload("unform")


def test_the_family_on_the_page_has_as_many_lines_as_it_says():
    assert f"`uniform.py`, {len(MODULE.splitlines())} lines" in extending()


def test_a_module_that_is_broken_is_not_passed_over(more_families):
    (more_families / "broken.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
        import_modules(families.__name__)


def test_two_families_of_one_name_are_refused(more_families):
    (more_families / "uniform.py").write_text(MODULE.replace('"uniform"', '"zipf"'))
    with pytest.raises(ValueError, match=r"'zipf' is taken: .*pages"):
        import_modules(families.__name__)


def test_families_stand_in_the_order_of_their_modules():
    """Alphabetical, but after what a module imports: arrivals needs threads, graph needs pages."""
    order = list(dict.fromkeys(entry.draw.__module__.rpartition(".")[2] for entry in FAMILIES.values()))
    shipped = ["threads", "arrivals", "pages", "graph", "joint", "programs", "stores"]
    assert [module for module in order if module in shipped] == shipped
    assert list(workloads()) == [*FAMILIES, *RECORDED]


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_cards_are_complete(name):
    card = workloads()[name]
    assert card.name == name and card.summary.endswith(".") and card.source and not card.recorded
    for key, parameter in card.parameters.items():
        assert parameter.low <= parameter.default <= parameter.high, key
        assert parameter.effect, key
        assert key.endswith("_ns") == (parameter.unit == "ns") or key == "ns_per_reference", key


@pytest.mark.parametrize("name", SYNTHETIC)
def test_the_same_seed_gives_the_same_tape_and_another_seed_another(name):
    tapes = [workload(name, seed) for seed in range(5)]
    assert workload(name, 3) == tapes[3]
    assert len({tape.hash() for tape in tapes}) == 5
    assert tapes[3].card["parameters"] == {k: p.default for k, p in FAMILIES[name].card.parameters.items()}
    assert (tapes[3].card["seed"], tapes[3].card["family"]) == (3, name)


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_every_parameter_can_take_its_least_value(name):
    """Not all at once: a family without any thread is empty."""
    for key, parameter in FAMILIES[name].card.parameters.items():
        workload(name, **{key: parameter.low})


def test_splits_and_names_have_streams_of_their_own():
    tapes = [workload("phases", 0, split) for split in (None, "train", "val", "test", "ood")]
    assert len({tape.hash() for tape in tapes}) == 5
    assert workload("phases", 0, "val") == tapes[2]
    assert tapes[2].card["split"] == "val"


def test_streams_never_change():
    """A changed draw would silently change every published number."""
    assert {name: workload(name, 7).hash() for name in SYNTHETIC} == {
        "bimodal": "4230107c6bf95a4d",
        "bounded_pareto": "cee7d027bc9da9d6",
        "diurnal": "7caf1f298c7895bd",
        "get_scan": "118c1b4f8cc761ed",
        "graph": "10cbaa6ee1a2cfda",
        "hyperexponential": "bbb783ee21eef49a",
        "interactive_batch": "1ad71cccca53d9b3",
        "inversion": "d4622f71e7f4a218",
        "key_value": "6da0cf52961b9444",
        "localities": "afbb8cbdb8213ab2",
        "loop": "7e7006b6b1a0c5a9",
        "overcommitted": "a9ec83bedeee7da7",
        "phases": "122ebc409f83bb68",
        "request_reply": "a1758d13b1f51102",
        "rounds": "dc89032144042b6a",
        "scan": "c1734bb86af34c5c",
        "schbench": "f42b684deb8cce58",
        "thrashing": "9fd5d9d346d0acab",
        "tiered": "06fe657ae77de80c",
        "working_sets": "b2159eb122f2cce9",
        "zipf": "75894349b1d8cb8d",
    }


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("zip", {}, "did you mean 'zipf'"),
        ("qqq", {}, "known: .*phases.*sort"),
        ("zipf", {"alhpa": 1}, "no parameter 'alhpa'; did you mean 'alpha'"),
        ("zipf", {"alpha": -0.1}, r"alpha .*=-0\.1 is not .* a number from 0\.0 to 5\.0; the default is 0\.99"),
        ("zipf", {"alpha": float("nan")}, "alpha .*=nan is not allowed"),
        ("zipf", {"alpha": "1"}, "alpha .*='1' is not allowed"),
        ("zipf", {"pages": 0}, "pages .*=0 is not .* a whole number from 1 to .* pages"),
        ("zipf", {"pages": 2.5}, r"pages .*=2\.5 is not allowed"),
        ("zipf", {"pages": True}, "pages .*=True is not allowed"),
        ("zipf", {"pages": None}, "pages .*=None is not allowed"),
        ("zipf", {"seed": -1}, "seed is -1"),
        ("zipf", {"seed": 1.0}, r"seed is 1\.0"),
        ("zipf", {"split": "tset"}, "split is 'tset'.*did you mean 'test'"),
        ("sort", {"pages": 3}, "is a recording and takes no pages"),
        ("sort", {"split": "test"}, "is a recording and takes no split"),
    ],
)
def test_wrong_requests_say_what_would_do(name, arguments, words):
    with pytest.raises(TapeError, match=words):
        workload(name, **arguments)


def test_numpy_numbers_are_numbers():
    assert workload("zipf", np.int64(3), pages=np.int32(50), alpha=1) == workload("zipf", 3, pages=50, alpha=1.0)


def test_a_whole_parameter_stays_whole():
    accepted = Parameter(3, "pages", 1, 9, "more").accept("pages", 4.0)
    assert accepted == 4 and isinstance(accepted, int)


# -- splits


@pytest.mark.parametrize("name", SYNTHETIC)
def test_ood_is_drawn_from_ranges_without_the_default(name):
    card = FAMILIES[name].card
    ranges = {key: parameter.ood for key, parameter in card.parameters.items() if parameter.ood}
    assert ranges and all(not low <= card.parameters[key].default <= high for key, (low, high) in ranges.items())
    assert all(
        card.parameters[key].low <= low < high <= card.parameters[key].high for key, (low, high) in ranges.items()
    )
    cards = [workload(name, seed, "ood").card["parameters"] for seed in range(8)]
    for key, parameter in card.parameters.items():
        drawn = [given[key] for given in cards]
        if key in ranges:
            assert all(ranges[key][0] <= value <= ranges[key][1] for value in drawn) and len(set(drawn)) > 1
            assert type(drawn[0]) is type(parameter.default)
        else:
            assert drawn == [parameter.default] * 8
    key, (low, _) = next(iter(ranges.items()))
    assert workload(name, 0, "ood", **{key: low}).card["parameters"][key] == low
    assert workload(name, 0, "ood") == workload(name, 0, "ood")


def test_train_and_test_share_no_tape():
    for name in ("phases", "hyperexponential"):
        tapes = {split: {workload(name, seed, split).hash() for seed in range(20)} for split in SPLITS}
        assert len(set().union(*tapes.values())) == 80


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("side", ["memory", "cpu", "joint"])
def test_recordings_are_drawn_from_their_split(side, split):
    drawn = {workload(f"recorded_{side}", seed, split).card["recording"]["name"] for seed in range(120)}
    assert drawn == {name for name in RECORDED if workloads()[name].side == side and SPLIT_OF[name] == split}
    assert drawn and {workload(f"recorded_{side}", seed).card["recording"]["name"] for seed in range(240)} > drawn


def test_every_recording_is_in_one_split():
    assert set(SPLIT_OF) == set(RECORDED) and set(SPLIT_OF.values()) == set(SPLITS)


def test_a_stretch_is_a_part_of_the_recording():
    tape = workload("recorded_memory", 4, "test", references=500)
    whole = workload(tape.card["recording"]["name"])
    touched = np.isin(tape.ops["op"], (Op.READ, Op.WRITE))
    assert 400 < touched.sum() < 700
    assert workload("recorded_memory", 4, "test", references=10**8) == whole
    ops, size = tape.ops.copy(), len(tape.ops)
    windows = np.flatnonzero(
        (whole.ops["op"][: len(whole) - size + 1] == ops["op"][0])
        & (whole.ops["lines"][: len(whole) - size + 1] == ops["lines"][0])
    )
    of_page = {True: 1, False: 0}

    def same(at: int) -> bool:
        part = whole.ops[at : at + size]
        if not np.array_equal(part["op"], ops["op"]) or not np.array_equal(part["lines"], ops["lines"]):
            return False
        pairs = set(zip(part["arg"][touched].tolist(), ops["arg"][touched].tolist(), strict=True))
        files = all(of_page[bool(whole.pages["file"][a])] == tape.pages["file"][b] for a, b in pairs)
        return len(pairs) == len(tape.pages) and files

    assert any(same(int(at)) for at in windows)


def test_a_stretch_keeps_what_is_said_of_its_threads_and_pages():
    programs = [[(Op.READ, 3 + i % 2) for i in range(10)], [(Op.WRITE, 9)] * 10]
    said = dict(think_ns=[5, 6], deadline_ns=[70, -1], owner=[1, 0], weight=[8, 9], affinity=[1, 2])
    pages = {9: {"pinned": 1, "affinity": 2}, 4: {"file": 1}}
    tape = Tape.build(programs, pages=pages, **said)
    assert stretch(tape, 0.4, 1.0) == Tape.build([part[-4:] for part in programs], pages=pages, **said)


# -- weights and affinity, in all families


@pytest.mark.parametrize("name", ["phases", "hyperexponential", "working_sets", "graph"])
def test_weights_spread_and_threads_are_bound(name):
    plain, spread = workload(name, 2), workload(name, 2, weight_spread=16)
    assert np.array_equal(plain.ops, spread.ops) and np.array_equal(plain.pages, spread.pages)
    weights = spread.owners["weight"]
    if len(weights) > 1:
        assert weights.max() / weights.min() == pytest.approx(16, rel=0.02) and len(set(weights.tolist())) == len(
            weights
        )
        assert np.sqrt(weights.max() * weights.min()) == pytest.approx(1024, rel=0.02)
        assert any(not np.array_equal(workload(name, seed, weight_spread=16).owners, spread.owners) for seed in (3, 4))
    assert np.array_equal(spread.threads["weight"], weights[spread.threads["owner"]])
    bound = workload(name, 2, bound_share=0.5)
    masks = Counter(bound.threads["affinity"].tolist())
    assert masks[-1] == len(bound.threads) - masks[1] - masks[2] and abs(masks[-1] - len(bound.threads) / 2) <= 1
    assert 0 <= masks[1] - masks[2] <= 1 and np.array_equal(bound.ops, plain.ops)
    assert set(workload(name, 2, bound_share=1.0).threads["affinity"].tolist()) <= {1, 2}


# -- what the families draw


def test_keys_are_looked_up_in_the_index_first():
    tape = workload("key_value", 1, servers=2, requests=4000, scan_share=0.0, update_share=0.25)
    assert len(tape) == 2 * 2 * 4000 and len(tape.owners) == 2 and tape.pages["private"].all()
    leaf, value = tape.ops[0::2], tape.ops[1::2]
    assert (leaf["op"] == Op.READ).all() and not set(leaf["arg"].tolist()) & set(value["arg"].tolist())
    assert len(set(leaf["arg"].tolist())) == 2 * 10  # 1200 keys in leaves of 128
    assert (value["op"] == Op.WRITE).mean() == pytest.approx(0.25, abs=0.02)
    counts = np.sort(np.bincount(value["arg"][:4000]))[::-1]
    assert counts[0] / 4000 > 1 / np.sum(np.arange(1, 1201) ** -0.99)  # the page of the most popular key


def test_scans_read_consecutive_values():
    tape = workload("key_value", 1, servers=1, requests=300, scan_share=1.0, scan_keys=80, keys=8000, alpha=0.0)
    first = np.flatnonzero(
        np.isin(tape.ops["arg"], tape.ops["arg"][:1])
    )  # of the leaf of the first key, one may be a start
    assert 0 in first and (tape.ops["op"] == Op.READ).all()
    assert len(tape) / 300 - 1 == pytest.approx(5.5, abs=0.6)  # 1 to 80 keys in pages of 8, rounded up


def test_scanners_do_not_come_back_soon():
    tape = workload("get_scan", 0, scanners=1, scan_pages=300, pages=300, scanned=900)
    scanned = tape.ops[tape.threads["first"][-1] :]["arg"]
    assert tape.thread_name(3) == "scanner 0" and len(tape.owners) == 1
    assert [len(set(part.tolist())) for part in np.split(scanned, 3)] == [300] * 3
    assert (np.diff(np.argsort(np.argsort(scanned[:300]))) != 0).all()


def test_stays_have_their_sizes():
    """Without deviation each stay uses at most `size_mean` pages; circles have reuse distance size - 1."""
    tape = workload("localities", 0, threads=1, references=4000, size_mean=20, size_deviation=0.0, cyclic_share=1.0)
    pages = tape.ops["arg"].tolist()
    last, gaps = {}, []
    for i, page in enumerate(pages):
        gaps.append(i - last.get(page, -(10**6)))
        last[page] = i
    assert Counter(gaps).most_common(1)[0][0] == 20 and np.mean(np.array(gaps) == 20) > 0.7


def test_searches_reach_what_a_plain_search_reaches():
    """Level by level: edge pages in order, and the page of every neighbour, written where it is discovered."""
    first, ends = np.array([0, 2, 3, 5, 5]), np.array([1, 2, 3, 0, 3])  # 0 -> 1, 2; 1 -> 3; 2 -> 0, 3
    ops = _search(0, first, ends, 1, 2, 4)  # a vertex per page, two edges per page behind them
    assert [(int(op["op"]), int(op["arg"])) for op in ops] == [
        (Op.WRITE, 0),
        (Op.READ, 4),
        (Op.WRITE, 1),
        (Op.WRITE, 2),
        (Op.READ, 5),
        (Op.WRITE, 3),
        (Op.READ, 0),
        (Op.READ, 6),
        (Op.READ, 3),
    ]
    tape = workload("graph", 0, threads=1, references=10**5, vertices=300)
    assert len(tape) == 10**5 and len(tape.pages) <= 19 + 19


def test_every_wake_is_answered():
    tape = workload("schbench", messengers=2, workers=3, rounds=5)
    waits, signals = Counter(args(tape, Op.WAIT).tolist()), Counter(args(tape, Op.SIGNAL).tolist())
    assert waits == signals == Counter(dict.fromkeys(range(12), 5))
    assert tape.threads["owner"].tolist() == [0, 1, 0, 0, 0, 1, 1, 1] and tape.thread_name(7) == "worker 5"


def test_bimodal_arrivals_are_poisson_with_their_load():
    """Gaps have mean and deviation alike; work per time is `load` cores; both within 4 standard errors."""
    loads, ratios = [], []
    for seed in range(60):
        tape = workload("bimodal", seed, connections=8, requests=400, long_share=0.05)
        due = args(tape, Op.SLEEP_UNTIL).reshape(8, 400)
        gaps = np.diff(due, axis=1, prepend=0)
        loads.append(args(tape, Op.COMPUTE).sum() / due[:, -1].mean())
        ratios.append(gaps.std() / gaps.mean())
    for values, expected in ((loads, 3.2), (ratios, 1.0)):
        assert np.mean(values) == pytest.approx(expected, abs=4 * np.std(values) / np.sqrt(60) + 0.01 * expected)


def test_owners_come_by_day():
    """With full swing hardly anybody comes around midnight; without it as many as at noon."""
    for swing, expected in ((1.0, 0.02), (0.0, 0.2)):
        tape = workload("diurnal", 0, owners=4000, threads=1, bursts=1, swing=swing)
        hour = tape.threads["arrival_ns"] % (250 * MS) / (250 * MS)
        night = np.mean((hour < 0.1) | (hour > 0.9))
        assert night == pytest.approx(expected, abs=0.02)
    tape = workload("diurnal", 1, owners=300)
    assert np.mean(tape.owners["weight"] == 4096) == pytest.approx(0.3, abs=0.1)
    assert set(tape.owners["weight"].tolist()) == {1024, 4096} and len(tape.threads) == 900


def test_zipf_ranks_follow_the_law():
    """Slope -.99 of log count over log rank, and the first rank's share 1/H(1000, .99) = .1294."""
    ranks = zipf_ranks(np.random.default_rng(0), 1000, 0.99, 2_000_000)
    counts = np.bincount(ranks, minlength=1000)
    slope = np.polyfit(np.log(np.arange(1, 201)), np.log(counts[:200]), 1)[0]
    assert slope == pytest.approx(-0.99, abs=0.01)
    assert counts[0] / len(ranks) == pytest.approx(1 / np.sum(np.arange(1, 1001) ** -0.99), rel=0.01)
    assert (counts > 0).all()


def test_zipf_tape_keeps_the_counts():
    tape = workload("zipf", 1, references=200_000, alpha=0.99, write_ratio=0.25)
    counts = np.sort(np.bincount(tape.ops["arg"]))[::-1]
    assert np.polyfit(np.log(np.arange(1, 101)), np.log(counts[:100]), 1)[0] == pytest.approx(-0.99, abs=0.04)
    assert len(args(tape, Op.WRITE)) / 200_000 == pytest.approx(0.25, abs=0.005)


def test_zipf_threads_share_one_process():
    tape = workload("zipf", threads=3, references=100, pages=20)
    assert len(tape.owners) == 1 and len(tape.threads) == 3 and tape.pages["private"].all()


@pytest.mark.parametrize("pages", [1, 7, 80])
def test_loop_reuses_each_page_after_all_others(pages):
    tape = workload("loop", pages=pages, references=400, threads=2)
    for thread in tape.threads:
        touched = tape.ops["arg"][thread["first"] : thread["last"]].tolist()
        for i, page in enumerate(touched[pages:]):
            assert page == touched[i]
            assert len(set(touched[i + 1 : i + pages])) == pages - 1
    assert len(tape.pages) == 2 * pages


def test_scan_reads_its_file_in_order_and_keeps_its_hot_set():
    tape = workload("scan", scan_pages=60, hot_pages=80, file_pages=600)
    of_file = tape.pages["file"][tape.ops["arg"]] == 1
    assert len(tape) == 6000 and 0.2 < of_file.mean() < 0.5
    assert (tape.ops["op"][of_file] == Op.READ).all()
    starts = np.flatnonzero(np.diff(of_file.astype(int), prepend=0) == 1)
    ends = np.flatnonzero(np.diff(of_file.astype(int), append=0) == -1) + 1
    for start, end in zip(starts[:-1], ends[: len(starts) - 1], strict=True):
        assert end - start == 60 and len(set(tape.ops["arg"][start:end].tolist())) == 60
    assert np.count_nonzero(tape.pages["file"] == 0) <= 80


def test_phases_stay_within_a_working_set_that_drifts():
    tape = workload("phases", 2, threads=1, references=20_000, pages=90, working_set=20, phase_references=1000)
    touched = tape.ops["arg"]
    windows = [len(set(touched[i : i + 250].tolist())) for i in range(0, 20_000, 250)]
    assert np.median(windows) <= 20
    assert 60 < len(tape.pages) <= 90
    default = workload("phases")
    assert (len(default), len(default.threads), len(default.owners)) == (6000, 4, 4)
    assert default.pages["private"].all() and len(default.pages) <= 360


def test_without_turnover_the_working_set_never_changes():
    assert len(workload("phases", turnover=0.0, working_set=10, threads=1).pages) == 10


def test_phases_share_pages_on_request():
    tape = workload("phases", shared_pages=10, shared_ratio=0.3)
    assert np.count_nonzero(tape.pages["private"] == 0) == 10
    shared = tape.pages["private"][tape.ops["arg"]] == 0
    assert shared.mean() == pytest.approx(0.3, abs=0.03)


def test_tiered_hot_set_drifts():
    tape = workload("tiered", 1, threads=1, references=40_000)
    hot = [set(Counter(part.tolist()).most_common(8)[i][0] for i in range(8)) for part in np.split(tape.ops["arg"], 10)]
    assert len(hot[0] & hot[-1]) < 6
    still = workload("tiered", 1, threads=1, references=40_000, turnover=0.0)
    hot = [
        set(Counter(part.tolist()).most_common(3)[i][0] for i in range(3)) for part in np.split(still.ops["arg"], 10)
    ]
    assert all(part == hot[0] for part in hot)


def test_hyperexponential_means_lie_in_their_intervals():
    """Mean 2 ms and short share .6 within 4 standard errors over 200 tapes, threads as the independent units."""
    means, shorts, sleeps = [], [], []
    for seed in range(200):
        tape = workload("hyperexponential", seed)
        bursts = args(tape, Op.COMPUTE).reshape(12, 60) / MS
        means.append(bursts.mean())
        shorts.append((bursts.mean(axis=1) < 2).mean())
        sleeps.append(args(tape, Op.SLEEP).mean() / MS)
    for values, expected in ((means, 2.0), (shorts, 0.6), (sleeps, 4.0)):
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        assert np.mean(values) == pytest.approx(expected, abs=4 * error)


def test_hyperexponential_threads_keep_their_character():
    """The correlation of thread means between halves is high; with loyalty 0 there is none."""

    def recurrence(loyalty: float) -> float:
        tape = workload("hyperexponential", 0, threads=200, loyalty=loyalty)
        bursts = args(tape, Op.COMPUTE).reshape(200, 60)
        return np.corrcoef(bursts[:, :30].mean(axis=1), bursts[:, 30:].mean(axis=1))[0, 1]

    assert recurrence(0.9) > 0.8
    assert abs(recurrence(0.0)) < 0.25


def test_systematic_draws_have_their_share_exactly_on_average():
    draws = [systematic(np.random.default_rng(seed), 12, 0.6).sum() for seed in range(4000)]
    assert set(draws) == {7, 8}
    assert np.mean(draws) == pytest.approx(7.2, abs=4 * 0.4 / np.sqrt(4000))


def pareto_ns(quantile, shape, shortest_ns, longest_ns):
    """The bounded Pareto's burst at each quantile: at .5, shape 1, from 1 to 100 it is 1.98."""
    tail = (shortest_ns / longest_ns) ** shape
    return shortest_ns * (1 - quantile * (1 - tail)) ** (-1 / shape)


def test_pareto_quantiles():
    quantile = np.array([0.0, 0.5, 0.75, 1.0])
    assert bounded_pareto_ns(1.0, 1, 100).at(quantile).tolist() == [1, 2, 4, 100]
    exact = pareto_ns(quantile, 1.1, 300_000, 40 * MS)
    assert bounded_pareto_ns(1.1, 300_000, 40 * MS).at(quantile) == pytest.approx(exact, rel=2e-6)


def test_bounded_pareto_bursts_follow_the_distribution():
    """Kolmogorov's distance to the bounded Pareto over many threads is small, with loyalty or without."""
    for loyalty in (0.0, 0.5, 1.0):
        tape = workload("bounded_pareto", 5, threads=500, bursts=100, loyalty=loyalty)
        bursts = np.sort(args(tape, Op.COMPUTE))
        expected = pareto_ns((np.arange(len(bursts)) + 0.5) / len(bursts), 1.1, 300_000, 40 * MS)
        quantiles = np.searchsorted(bursts, expected) / len(bursts)
        assert np.abs(quantiles - (np.arange(len(bursts)) + 0.5) / len(bursts)).max() < 0.012
        assert bursts[0] >= 300_000 and bursts[-1] <= 40 * MS


def test_requests_match_replies():
    tape = workload("request_reply", clients=5, requests=20, permits=2)
    waits, signals = Counter(args(tape, Op.WAIT).tolist()), Counter(args(tape, Op.SIGNAL).tolist())
    assert waits == signals == Counter(dict.fromkeys(range(10), 20) | {10: 100})
    assert tape.channels.tolist() == [0] * 10 + [2]
    assert tape.threads["owner"].tolist() == [0, 1, 2, 3, 4] + [5] * 5
    assert (tape.thread_name(0), tape.thread_name(9)) == ("client 0", "server 4")


def test_interactive_threads_are_short_and_batch_threads_long():
    tape = workload("interactive_batch", batch_weight=256)
    bursts = [tape.ops[t["first"] : t["last"]] for t in tape.threads]
    means = [ops["arg"][ops["op"] == Op.COMPUTE].mean() / MS for ops in bursts]
    assert max(means[:10]) < 1 < 10 < min(means[10:])
    assert tape.threads["weight"].tolist() == [1024] * 10 + [256] * 4
    with pytest.raises(TapeError, match="empty"):
        workload("interactive_batch", interactive=0, batch=0)


@pytest.mark.parametrize(("name", "threads", "bursts"), [("working_sets", 8, 10), ("overcommitted", 24, 6)])
def test_joint_threads_sleep_then_touch(name, threads, bursts):
    tape = workload(name)
    card = FAMILIES[name].card
    assert len(tape.threads) == len(tape.owners) == threads
    assert len(args(tape, Op.SLEEP)) == threads * bursts
    references = len(tape) - threads * bursts
    assert references / (threads * bursts) == pytest.approx(card.parameters["burst_references"].default, rel=0.1)
    assert (tape.ops["op"][tape.threads["first"]] == Op.SLEEP).all()
    assert (tape.threads["think_ns"] == 20_000).all()
    assert tape.pages["private"].all()


# -- recordings


@pytest.mark.parametrize("name", RECORDED)
def test_recordings_match_their_cards(name):
    tape = workload(name)
    card = tape.card
    for key in ("program", "command", "date", "kernel", "kept", "dropped", "end", "summary"):
        assert card[key], key
    assert card["threads"] == len(tape.threads)
    assert workload(name, seed=5) == tape
    if card["side"] in ("memory", "joint"):
        touches = np.isin(tape.ops["op"], (Op.READ, Op.WRITE))
        assert card["references"] == np.count_nonzero(touches)
        assert card["footprint_pages"] == len(tape.pages)
        if card["side"] == "memory":
            assert 0 <= card["instructions"] - args(tape, Op.COMPUTE).sum() < 100_000 * card["threads"]
        assert card["references"] <= card["runs"] <= card["accesses"]
        assert set(tape.ops["lines"][touches].tolist()) <= set(range(1, 65))
        assert 0 < tape.pages["file"].mean() < 1
    if card["side"] in ("cpu", "joint"):
        assert card["processes"] == len(tape.owners)
        assert card["waits"] + card["threads"] - 1 == len(args(tape, Op.WAIT)) == len(args(tape, Op.SIGNAL))
        assert card["sleeps"] == len(args(tape, Op.SLEEP))
        accesses_ns = 85 * tape.ops["lines"].sum(dtype=int)
        assert args(tape, Op.COMPUTE).sum() <= card["work_ns"] <= args(tape, Op.COMPUTE).sum() + accesses_ns


def test_the_files_are_those_that_were_summed():
    told = dict(line.split()[::-1] for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    assert told == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("*.npz")}
    assert sum(path.stat().st_size for path in FOLDER.glob("*.npz")) < 4 << 20


def test_recordings_never_change():
    golden = {
        "make": "c296d6fe8c21dbe3",
        "sort": "8caf4a9bb9252cb9",
        "sqlite": "00e1a538c78fc107",
    }  # of the others the files are compared with their checksums
    assert {name: workload(name).hash() for name in golden} == golden


def test_recorded_channels_have_one_waker_and_one_sleeper():
    tape = workload("make")
    thread = tape.op_thread()
    for op in (Op.WAIT, Op.SIGNAL):
        of = tape.ops["op"] == op
        pairs = set(zip(tape.ops["arg"][of].tolist(), thread[of].tolist(), strict=True))
        assert len(pairs) == len(tape.channels)
