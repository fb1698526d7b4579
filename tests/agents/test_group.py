"""The same-tape policy gradient: advantages as defined, gradients where they belong, everything from the seed."""

from concurrent.futures import ThreadPoolExecutor
from math import exp

import configuration
import group
import numpy as np
import ppo
import pytest
import torch
from claim_network import ClaimNetwork, entropy_nats

from sos_gym import SettingError
from sos_gym.envs.env import SosEnv
from sos_gym.learned import PAIR
from sos_gym.settings.presets import PRESETS
from sos_gym.shipped import SHIPPED

TINY = {"algorithm": "group", "name": "tiny", "env": "sos/CPU-v0", "workload": "hyperexponential(bursts=10)"}
TINY |= {"baselines": ["turns"], "decisions": 2000, "update_decisions": 600, "tape_group": 2, "width": 4}


PPO = {"algorithm": "ppo", "name": "tiny", "env": "sos/CPU-v0", "baselines": ["turns"], "environments": 2, "width": 4}


def learner_of(pool, **changed) -> group.SameTape:
    return group.SameTape(configuration.checked(group.Training, TINY | changed, "a test"), pool)


def updated(workers: int, seed: int) -> group.SameTape:
    with ThreadPoolExecutor(workers) as pool:
        learner = learner_of(pool, seed=seed)
        for _ in range(2):
            learner.update()
    return learner


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


# -- advantages


def plain(stalls, works, horizon) -> list[list[float]]:
    """The definition: sums over pairs of decisions, and a line between two of another copy's."""
    ahead, before = [], []
    for stall, work in zip(stalls, works, strict=True):
        done = [sum(work[:k]) for k in range(len(work) + 1)]
        later = range(len(stall))
        ahead.append([-sum(stall[j] * exp(-(done[j] - done[k]) / horizon) for j in later if j >= k) for k in later])
        before.append(done[:-1])

    def at(service, j):
        if service <= before[j][0]:
            return ahead[j][0]
        for (a, b), (x, y) in zip(
            zip(before[j], before[j][1:], strict=False), zip(ahead[j], ahead[j][1:], strict=False), strict=True
        ):
            if a <= service <= b and b > a:
                return x + (y - x) * (service - a) / (b - a)
        return ahead[j][-1]

    copies = range(len(stalls))
    others = [[[at(service, j) for j in copies if j != k] for service in before[k]] for k in copies]
    return [[own - sum(x) / len(x) for own, x in zip(ahead[k], others[k], strict=True)] for k in copies]


def test_advantages_are_what_the_definition_says():
    rng = np.random.default_rng(0)
    stalls = [rng.exponential(size=n) for n in (7, 5, 9)]
    works = [rng.exponential(2.0, size=n) for n in (7, 5, 9)]
    found = group.advantages(stalls, works, [np.exp(-work / 1.5) for work in works])
    for own, expected in zip(found, plain(stalls, works, 1.5), strict=True):
        assert own == pytest.approx(np.array(expected))


def test_the_worked_number():
    first, second = group.advantages(
        [np.array([1.0, 0.0]), np.array([0.0, 1.0])], [np.full(2, 1e6)] * 2, [np.full(2, exp(-1))] * 2
    )
    assert first == pytest.approx([-1 + exp(-1), 1]) and second == pytest.approx([1 - exp(-1), -1])


def test_copies_that_did_the_same_have_no_advantage():
    assert (
        group.advantages([np.arange(4.0)] * 3, [np.ones(4)] * 3, [np.full(4, 0.5)] * 3)
        == [pytest.approx(np.zeros(4))] * 3
    )


def test_what_is_far_beyond_is_cut():
    found = group.standardised(np.array([0.0] * 99 + [1000.0]))
    assert found.max() == group.FARTHEST and abs(found[0]) < 0.2


def test_the_horizon_is_the_environments_unless_one_is_given(pool):
    own, shorter = learner_of(pool), learner_of(pool, discount_service_ns=1000)
    assert own.scenario.settings.discount_service_ns == PRESETS["sos/CPU-v0"].settings["discount_service_ns"]
    (first, _), (second, _) = (learner._played(np.random.default_rng(0))[0] for learner in (own, shorter))
    assert np.array_equal(first.taken["row"], second.taken["row"])
    assert second.taken["service_discount"] == pytest.approx(np.exp(-second.taken["work_ns"] / 1000))
    assert first.taken["service_discount"].mean() > second.taken["service_discount"].mean()


# -- the update


def test_the_loss_ends_where_the_ratio_is_clipped():
    ratio = torch.tensor([1.5, 1.5, 0.5, 1.1], requires_grad=True)
    loss = group.clipped(ratio, torch.tensor([1.0, -1.0, 1.0, 2.0]), 0.2)
    loss.backward()
    assert loss.item() == pytest.approx(-(1.2 - 1.5 + 0.5 + 2.2) / 4)
    assert ratio.grad.tolist() == pytest.approx([0.0, 0.25, -0.25, -0.5])


def test_a_row_with_an_advantage_becomes_more_probable(pool):
    learner = learner_of(pool)
    groups = learner._played(np.random.default_rng(0))
    episodes = [episode for own in groups for episode in own]
    wanted = np.concatenate([episode.taken["row"] for episode in episodes]) % 2 == 0
    batch = group.Batch.of(episodes, wanted.astype(float))
    before, _ = shares_of(learner.network, batch)
    for _ in range(8):
        learner._descend(batch, torch.from_numpy(batch.open))
    after, _ = shares_of(learner.network, batch)
    assert after[batch.open][wanted[batch.open]].mean() > before[batch.open][wanted[batch.open]].mean()


def shares_of(network, batch):
    """Log probability of the rows taken, and mean entropy."""
    with torch.no_grad():
        log_shares = network.log_shares(batch.candidates, batch.context, batch.mask)
    return log_shares.gather(1, batch.rows[:, None]).squeeze(1).numpy(), entropy_nats(log_shares).mean().item()


def test_the_engine_drew_with_the_probabilities_that_torch_finds(pool):
    learner = learner_of(pool)
    episodes = [episode for own in learner._played(np.random.default_rng(0)) for episode in own]
    batch = group.Batch.of(episodes, np.zeros(sum(map(len, episodes))))
    found, _ = shares_of(learner.network, batch)
    assert found == pytest.approx(batch.log_then.numpy(), abs=1e-5)


def test_a_run_follows_its_seed_whatever_the_workers():
    torch.set_num_threads(1)
    one, two, other = (updated(*given) for given in ((1, 1), (3, 1), (2, 2)))
    weights = [learner.claim().weights for learner in (one, two, other)]
    assert np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[0], weights[2])
    assert one.done == two.done and one.tapes > 0


def test_copies_share_a_tape_and_differ_in_their_draws(pool):
    groups = learner_of(pool, tape_group=3)._played(np.random.default_rng(0))
    assert [len(own) for own in groups] == [3]
    first = [copy.candidates[0].tobytes() for copy in groups[0]]
    assert len({*first}) == 1 and len({copy.taken["row"][:50].tobytes() for copy in groups[0]}) == 3
    assert len({int(copy.taken["work_ns"].sum()) for copy in groups[0]}) == 1  # the tape's service


# -- the network


@pytest.mark.parametrize("env_id", PRESETS)
def test_the_claim_chooses_what_the_network_finds_best_whatever_its_scale(env_id):
    torch.manual_seed(0)
    network = ClaimNetwork(8, 2)
    torch.nn.init.normal_(network.pair_costs)
    claims = network.claim("x"), network.claim("y", scale=10.0)
    env, agreed = SosEnv(env_id), []
    observation, info = env.reset(seed=0)
    for _ in range(300):
        seen = [torch.from_numpy(observation[name])[None] for name in ("candidates", "context", "action_mask")]
        best = int(network.log_shares(*seen).argmax())
        rows = [claim(observation, info) for claim in claims]
        agreed.append(rows == [best, best])
        observation, _, _, _, info = env.step(rows[0])
    assert np.mean(agreed) > 0.99 and len(network.pair_costs) == len(PAIR)


def test_a_learner_begins_at_a_claim_of_its_shape_alone(pool, tmp_path):
    claim, path = ClaimNetwork(4, 2).claim("before"), str(tmp_path / "claim.npz")
    claim.save(path)
    begun = learner_of(pool, start=path).claim()
    assert np.array_equal(begun.weights, claim.weights) and np.array_equal(begun.pair_costs, claim.pair_costs)
    assert not np.array_equal(learner_of(pool).claim().weights, claim.weights)
    actor = ppo.Ppo(configuration.checked(ppo.Training, PPO | {"start": path}, "a test")).claim()
    assert np.array_equal(actor.weights, claim.weights)
    with pytest.raises(SettingError, match="change the width"):
        learner_of(pool, start=path, width=5)


def test_a_learner_begins_at_what_ships_for_its_id(pool):
    shipped = SHIPPED["learned"].on(TINY["env"])
    begun = learner_of(pool, start="learned", width=int(shipped.sizes[1])).claim()
    assert np.array_equal(begun.weights, shipped.weights)


def test_entropy_is_that_of_rows_that_are_alike():
    log_shares = torch.log_softmax(torch.tensor([[1.0, 1.0, -1e9], [50.0, 0.0, -1e9]]), dim=1)
    assert entropy_nats(log_shares).tolist() == pytest.approx([np.log(2), 0.0], abs=1e-6)
