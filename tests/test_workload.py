"""Families and recordings."""

from collections import Counter

import numpy as np
import pytest

from sos_gym.resource import Op
from sos_gym.workload import Tape, TapeError, workload, workloads
from sos_gym.workload.family import FAMILIES, Parameter, systematic, zipf_ranks
from sos_gym.workload.threads import pareto_ns

FAMILY_NAMES = sorted(FAMILIES)
RECORDED = sorted(name for name, card in workloads().items() if card.recorded)
MS = 1_000_000


def args(tape: Tape, op: Op) -> np.ndarray:
    return tape.ops["arg"][tape.ops["op"] == op]


# -- the registry


def test_names_and_sides():
    sides = {name: card.side for name, card in workloads().items()}
    assert sides == {
        "bounded_pareto": "cpu",
        "hyperexponential": "cpu",
        "interactive_batch": "cpu",
        "loop": "memory",
        "make": "cpu",
        "overcommitted": "joint",
        "phases": "memory",
        "request_reply": "cpu",
        "scan": "memory",
        "sort": "memory",
        "sqlite": "memory",
        "tiered": "tier",
        "working_sets": "joint",
        "zipf": "memory",
    }


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_cards_are_complete(name):
    card = workloads()[name]
    assert card.name == name and card.summary.endswith(".") and card.source and not card.recorded
    for key, parameter in card.parameters.items():
        assert parameter.low <= parameter.default <= parameter.high, key
        assert parameter.effect, key
        assert key.endswith("_ns") == (parameter.unit == "ns") or key == "ns_per_reference", key


@pytest.mark.parametrize("name", FAMILY_NAMES)
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
    tapes = [workload("phases", 0, split) for split in (None, "train", "val", "test")]
    assert len({tape.hash() for tape in tapes}) == 4
    assert workload("phases", 0, "val") == tapes[2]
    assert tapes[2].card["split"] == "val"


def test_streams_never_change():
    """A changed draw would silently change every published number."""
    assert {name: workload(name, 7).hash() for name in FAMILY_NAMES} == {
        "bounded_pareto": "e833d2a5ff45349e",
        "hyperexponential": "bbb783ee21eef49a",
        "interactive_batch": "1ad71cccca53d9b3",
        "loop": "7e7006b6b1a0c5a9",
        "overcommitted": "d6d44448390a98a9",
        "phases": "a18c98c9f196ffed",
        "request_reply": "a1758d13b1f51102",
        "scan": "c1734bb86af34c5c",
        "tiered": "524daac91d2362af",
        "working_sets": "6f53bd6351767592",
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


# -- what the families draw


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


def test_pareto_quantiles():
    assert pareto_ns(np.array([0.0, 0.5, 1.0]), 1.0, 1, 100) == pytest.approx([1, 1.9802, 100], rel=1e-4)


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
    if card["side"] == "memory":
        touches = np.isin(tape.ops["op"], (Op.READ, Op.WRITE))
        assert card["references"] == np.count_nonzero(touches)
        assert card["footprint_pages"] == len(tape.pages)
        assert 0 <= card["instructions"] - args(tape, Op.COMPUTE).sum() < 100_000
        assert card["references"] <= card["runs"] <= card["accesses"]
        assert set(tape.ops["lines"][touches].tolist()) <= set(range(1, 65))
        assert 0 < tape.pages["file"].mean() < 1
    else:
        assert card["processes"] == len(tape.owners)
        assert card["waits"] + card["threads"] - 1 == len(args(tape, Op.WAIT)) == len(args(tape, Op.SIGNAL))
        assert card["sleeps"] == len(args(tape, Op.SLEEP))
        assert card["work_ns"] == args(tape, Op.COMPUTE).sum()


def test_recordings_never_change():
    assert {name: workload(name).hash() for name in RECORDED} == {
        "make": "c296d6fe8c21dbe3",
        "sort": "8caf4a9bb9252cb9",
        "sqlite": "00e1a538c78fc107",
    }


def test_recorded_channels_have_one_waker_and_one_sleeper():
    tape = workload("make")
    thread = tape.op_thread()
    for op in (Op.WAIT, Op.SIGNAL):
        of = tape.ops["op"] == op
        pairs = set(zip(tape.ops["arg"][of].tolist(), thread[of].tolist(), strict=True))
        assert len(pairs) == len(tape.channels)
