"""Pairs: one policy for the cores, another for the frames."""

import pytest

import sos_gym
from sos_gym import SettingError
from sos_gym.policy import policies, policy_named
from sos_gym.policy.pairing import named_pair


def outcome(policy, env="sos/System-v0", seed=0, **ways):
    found = sos_gym.evaluate(env, policy, seed=seed, **ways)[0]
    return {name: value for name, value in found.items() if name != "policy"}


@pytest.mark.parametrize("name", policies())
def test_a_policy_paired_with_itself_is_that_policy(name):
    for env in ("sos/System-v0", "sos/Tier-v0"):
        assert outcome(f"{name} + {name}", env) == outcome(name, env)


def test_each_decides_on_its_own_resource():
    memory, cpu = "sos/Memory-v0", "sos/CPU-v0"
    assert outcome("lottery + sieve", memory) == outcome("sieve", memory) != outcome("lottery", memory)
    assert outcome("eevdf + sieve", cpu) == outcome("eevdf", cpu) != outcome("sieve", cpu)
    assert outcome("turns + lru") == outcome("spare_next(coupling=0)") != outcome("lru + turns")


def test_a_pair_is_an_advisor_like_others():
    assert outcome("eevdf + sieve", through="gym") == outcome("eevdf + sieve", through="engine")
    env = sos_gym.SosEnv("sos/System-v0", advisors=("eevdf", "eevdf + sieve", "sieve"))
    _, info = env.reset(seed=1)
    for _ in range(300):
        advice, resource = info["advice"], info["decision"]["resource"]
        assert advice["eevdf + sieve"] == advice["eevdf" if resource == "cpu" else "sieve"]
        *_, terminated, truncated, info = env.step(advice["eevdf + sieve"])
        if terminated or truncated:
            break


def test_pairs_are_made_of_names_and_objects():
    pair = sos_gym.pair("s3fifo(small=0.2)", policy_named("lru"))
    assert pair.spec == "s3fifo(small=0.2) + recency" == policy_named("s3fifo(small=0.2)+lru").spec
    assert outcome(pair) == outcome("s3fifo(small=0.2) + lru")
    assert policy_named("lru + clairvoyant").privileged and not pair.privileged


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("eevdf + ", "policy=' '"),
        ("eevdf + sive", "did you mean 'sieve'"),
        ("a + b + c", "one name, or two"),
        ("lru + lruk(history=1e+3)", None),
    ],
)
def test_names_of_pairs_are_read_carefully(name, said):
    if said is None:
        assert policy_named(name).spec == "recency + lruk(history=1000)"
        return
    with pytest.raises(SettingError, match=said):
        policy_named(name)


def test_a_pair_of_pairs_is_refused():
    with pytest.raises(SettingError, match="one policy, no pair"):
        sos_gym.pair("lru", "eevdf + sieve")


@pytest.mark.parametrize(("cores", "frames"), [("s3fifo", "second_chance"), ("sieve", "eevdf"), ("stride", "recency")])
def test_a_named_pair_decides_as_the_pair_of_its_halves(cores, frames):
    one = named_pair("of_two", policy_named(cores), policy_named(frames), summary="a test")
    assert one.needs_list == policy_named(frames).needs_list
    for env in ("sos/System-v0", "sos/Tier-v0"):
        assert outcome(one, env) == outcome(f"{cores} + {frames}", env)


def test_the_halves_of_a_named_pair_keep_their_parameters_and_make_other_pairs():
    assert policy_named("stock(swappiness=100, slice_ns=1_000_000)").spec == "linux(slice_ns=1e+06, swappiness=100)"
    assert outcome("linux + sieve") == outcome("linux_eevdf + sieve") != outcome("linux")
