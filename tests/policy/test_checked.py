"""Policies from outside: every mistake is an error in words, and the checks change no result."""

import ctypes
import dataclasses
import multiprocessing
import os
import random
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numba
import numpy as np
import pytest

import sos_gym
from sos_gym import PolicyError, SettingError, Tape
from sos_gym.engine.hosts import Host
from sos_gym.kernel.checked import checked
from sos_gym.policy import policies, policy_named
from sos_gym.policy.words import Policy, kernel, pick_by_claim, pick_by_victim, queue, uniform

pytestmark = pytest.mark.usefixtures("names_given_back")
SAID = dict.fromkeys(("summary", "on_cores", "on_frames", "reads", "source"), "")
TAPE = Tape.from_references([k * k % 23 for k in range(300)])


def card(**given) -> Policy:
    return Policy(name="mine", **SAID, **{"claim": strength, **given})


def run(policy, **settings):
    return sos_gym.evaluate("sos/Memory-v0", policy, TAPE, frames=5, **settings)[0]


def outcome(policy, env="sos/Memory-v0", seed=0):
    found = sos_gym.evaluate(env, policy, seed=seed)[0]
    return {name: value for name, value in found.items() if name != "policy"}


@kernel
def strength(my, entity):
    return float(entity.use_seq), 0.0


# -- mistakes when it runs


@kernel
def picks_a_stranger(my, decision):
    return 99_999


@kernel
def picks_the_wanter(my, decision):
    return decision.entity


@kernel
def picks_a_slot_that_is_held(my, decision):
    return -1


@kernel
def writes_before_the_table(my, e):
    my.each[-1].count += 1


@kernel
def writes_behind_the_table(my, e):
    my.each[my.entities.size].count += 1


@kernel
def writes_behind_a_list(my, e):
    my.own.hands[e + 1_000] = 1


@kernel
def names_a_queue_that_it_has_not(my, e):
    queue.push_back(my, 10**6, e)


@kernel
def never_ends(my, e):
    while e >= 0:
        e = -e if e < 0 else e


@kernel
def spins(my, e):
    k = e
    while True:
        k += 1
        if k < 0:
            return


@kernel
def never_ends_in_a_helper(my, e):
    spins(my, e)


@kernel
def asks_a_helper_without_my(my, e):
    my.each[e].count = loops_alone(e)


@kernel
def loops_alone(e):
    while True:
        e += 1
        if e < 0:
            return e


@kernel
def is_nan(my, entity):
    return np.nan, 0.0


@kernel
def is_nan_in_the_second_place(my, entity):
    return 0.0, np.inf - np.inf


@kernel
def picks_by_claim(my, decision):
    return pick_by_claim(my, decision)


@kernel
def picks_by_victim(my, decision):
    return pick_by_victim(my, decision)


@kernel
def raises(my, e):
    raise ValueError("I give up")


COUNT = {"each": {"count": 0}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"pick": picks_a_stranger}, "returned 99999, which is no contender"),
        ({"pick": picks_the_wanter}, r"pick on frames, entity \d+ \(page \d+\), decision 0: it returned \d+, which is"),
        ({"pick": picks_a_slot_that_is_held}, "returned -1, which is no contender"),
        ({"victim": picks_a_stranger}, "victim on frames.* returned 99999, which is no contender"),
        ({"hold": writes_before_the_table, **COUNT}, r"hold on frames.* index -1 is not in my.each .*in 0\.\.12;"),
        (
            {"hold": writes_behind_the_table, **COUNT},
            r"index 13 is not in my.each \(test_checked.py:\d+\): it must be in",
        ),
        (
            {"use": writes_behind_a_list, "own": {"hands": [0, 0]}},
            r"index 10\d\d is not in my.own.hands \(test_checked.py:\d+\): it must be in 0..1;",
        ),
        ({"hold": names_a_queue_that_it_has_not, "queues": 1}, r"index 1\d+ is not in my.links \(queue.py:\d+\)"),
        ({"use": never_ends}, r"too many turns, the last one \(test_checked.py:\d+\)"),
        ({"release": never_ends_in_a_helper}, r"release on .*too many turns"),
        ({"use": asks_a_helper_without_my, **COUNT}, "too many turns"),
        ({"claim": is_nan}, "the claim is not a number"),
        ({"claim": is_nan_in_the_second_place}, "the claim is not a number"),
        ({"pick": picks_by_claim, "claim": None}, "its claim was asked for, and it has none"),
        ({"pick": picks_by_victim, "claim": strength}, "its victim was asked for, and it has none"),
        ({"victim": picks_by_victim}, "its victim calls itself"),
        ({"hold": raises}, r"ValueError: I give up \(test_checked.py:\d+\)"),
    ],
    ids=lambda value: next((part.__name__ for part in value.values() if part), "") if isinstance(value, dict) else "",
)
def test_a_mistake_is_an_error_that_names_policy_part_and_reason(given, said):
    with pytest.raises(PolicyError, match=said) as found:
        run(card(**given))
    assert str(found.value).startswith("policy 'mine', ")


def test_a_mistake_of_an_advisor_ends_the_step_and_the_next_episode_is_whole():
    env = sos_gym.SosEnv("sos/Memory-v0", TAPE, advisors=(card(pick=picks_a_stranger),), frames=5)
    for _ in range(2):
        with pytest.raises(PolicyError, match="no contender"):
            env.reset(seed=0)
    env = sos_gym.SosEnv("sos/Memory-v0", TAPE, advisors=(card(use=fails_late, own={"count": 0}),), frames=5)
    env.reset(seed=0)
    with pytest.raises(PolicyError, match="index 1000"):
        while True:
            env.step(0)


@kernel
def fails_late(my, e):
    my.own.count += 1
    if my.own.count > 40:
        my.own.count = my.entities[1000].slot


# -- mistakes when it is compiled


@kernel
def returns_a_float(my, decision):
    return 1.7


@kernel
def returns_nothing(my, decision):
    my.own.count += 1


@kernel
def returns_one_number(my, entity):
    return 1.0


@kernel
def returns_something(my, e):
    return e


@kernel
def misspells(my, e):
    my.each[e].cuont += 1


@kernel
def moves_a_page(my, e):
    my.entities[e].slot = 3


@kernel
def stops_the_clock(my, e):
    my.now = 0


@kernel
def invents_a_contender(my, decision):
    my.contenders[0] = 1
    return 1


@kernel
def draws(my, entity):
    return np.random.rand(), 0.0  # noqa: NPY002


@kernel
def draws_from_the_other_module(my, entity):
    return random.random(), 0.0


@numba.njit
def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


@kernel
def recurses(my, e):
    my.each[e].count = factorial(e)


@numba.vectorize
def halved(x):
    return x / 2


@kernel
def calls_a_ufunc(my, e):
    my.each[e].count = halved(e)


in_c = ctypes.CDLL(None).abs


@kernel
def calls_c(my, e):
    my.each[e].count = in_c(e)


@numba.njit
def loops_and_calls(n):
    for _ in range(n):
        n += loops_alone(n)
    return n


@kernel
def asks_a_helper_that_loops_and_calls(my, e):
    my.each[e].count = loops_and_calls(e)


@kernel
def makes_room(my, e):
    my.each[e].count = np.zeros(1 << 60).size


@kernel
def repeats(my, e):
    my.each[e].count = len([e] * (1 << 60))


@kernel
def asks_python(my, e):
    with numba.objmode(x="int64"):
        x = id(my)
    my.each[e].count = x


@kernel
def adds_a_word(my, e):
    my.each[e].count = "word" + e


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"pick": returns_a_float}, "pick: it returns float64, where an entity's number"),
        ({"pick": returns_nothing, "own": {"count": 0}}, "pick: it returns none"),
        ({"claim": returns_one_number}, r"claim: it returns float64, where two numbers"),
        ({"hold": returns_something}, "hold: it returns int64, where nothing"),
        ({"use": misspells, **COUNT}, r"no field 'cuont'; it has count \(test_checked.py:\d+\)"),
        ({"use": moves_a_page}, "field slot is read only"),
        ({"use": stops_the_clock}, r"my \(test_checked.py:\d+\), field now is read only"),
        ({"pick": invents_a_contender}, r"my.contenders \(test_checked.py:\d+\) is read only"),
        ({"claim": draws}, "global random state .*must follow from the seed"),
        ({"claim": draws_from_the_other_module}, "global random state"),
        ({"use": recurses, **COUNT}, "factorial calls itself"),
        ({"use": calls_a_ufunc, **COUNT}, "only functions under @kernel or njit can be checked"),
        ({"use": calls_c, **COUNT}, "only functions under @kernel or njit can be checked"),
        (
            {"use": asks_a_helper_that_loops_and_calls, **COUNT},
            "loops_and_calls loops and calls loops_alone .*, which loops too",
        ),
        ({"use": makes_room, **COUNT}, r"zeros \(test_checked.py:\d+\): what it makes may be of any size"),
        ({"use": repeats, **COUNT}, r"a sequence times a number \(test_checked.py:\d+\)"),
        ({"use": asks_python, **COUNT}, r"object mode \(test_checked.py:\d+\)"),
        ({"use": adds_a_word, **COUNT}, "use: adds_a_word.* does not compile: .*test_checked.py:"),
    ],
    ids=lambda value: next(part.__name__ for part in value.values()) if isinstance(value, dict) else "",
)
def test_what_cannot_be_compiled_is_said_in_a_line(given, said):
    with pytest.raises(PolicyError, match=said) as found:
        card(**given).host()
    assert "\n" not in str(found.value) and "\x02" not in str(found.value)


# -- mistakes when the card is made


def uncompiled(my, e):
    pass


@kernel
def takes_three(my, e, why):
    pass


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"hold": uncompiled}, "hold of policy 'mine'=.*a compiled kernel"),
        ({"hold": takes_three}, r"hold of policy 'mine'='\(my, e, why\)'.*two parameters, \(my, e\)"),
        ({"claim": None}, "a policy with a claim, or with a pick of its own"),
        ({"pick": 3}, "pick of policy 'mine'=3"),
    ],
)
def test_a_card_that_cannot_work_is_refused(given, said):
    with pytest.raises(SettingError, match=said):
        card(**given)


# -- the checks change no result


@pytest.mark.parametrize("name", ["recency", "sieve", "eevdf", "lottery", "cacheus", "resident_first"])
def test_checked_policies_do_what_they_do_unchecked(name):
    twin = dataclasses.replace(policy_named(name), checked=True)
    for env in ("sos/Memory-v0", "sos/System-v0", "sos/Tier-v0"):
        assert outcome(twin, env) == outcome(name, env)
    assert twin.host().guarded and not policy_named(name).host().guarded


def test_policies_of_the_package_are_trusted_and_others_are_not():
    assert not any(policy.checked for policy in policies().values() if policy.origin == "")
    assert card().checked and not card(checked=False).host().guarded
    assert run(card()) == run(card(checked=False))


@kernel
def sums(my, e):
    total = 0.0
    for k in range(my.entities.size):
        total += my.entities[k].uses / (1.0 + k)
    my.each[e].count = total


def test_checks_keep_the_ways_of_the_compiler():
    fast = numba.njit(fastmath=True)(sums.py_func)
    assert checked(fast).targetoptions["fastmath"] is True
    assert run(card(use=sums, each={"count": 0.0})) == run(card(use=sums, each={"count": 0.0}, checked=False))


# -- where it is found


def test_registered_policies_are_found_by_name_and_alias():
    mine = dataclasses.replace(card(), name="outsider", aliases=("Stranger",))
    sos_gym.register(mine, checked=False)
    assert policy_named("stranger").name == "outsider" and not policy_named("outsider").checked
    assert sos_gym.register(mine) is mine  # defined again: it takes its own place
    assert run("outsider + stranger")["policy"] == "outsider + outsider"
    with pytest.raises(SettingError, match="not taken"):
        sos_gym.register(dataclasses.replace(card(claim=is_nan), name="outsider"))
    for name in ("lru", "recency", "informed"):
        with pytest.raises(SettingError, match="not taken"):
            sos_gym.register(dataclasses.replace(card(), name=name))
    with pytest.raises(SettingError, match="joins two policies"):
        sos_gym.register(dataclasses.replace(card(), name="a+b"))


def test_a_claim_has_parameters_and_follows_them():
    @sos_gym.claim("blend", parameters={"weight": 0.0})
    def blend(entity, now, parameters):
        """Recency, and frequency by a weight."""
        return entity.use_seq + parameters.weight * entity.uses_total

    assert policy_named("blend").summary == "Recency, and frequency by a weight."

    @sos_gym.claim("resident")
    def resident(entity, now):
        return entity.slot >= 0  # a claim may be a truth

    assert outcome("resident")["decisions"] > 0
    assert outcome("blend") == outcome(blend) == outcome("recency")
    assert outcome("blend(weight=1000)") != outcome("blend")
    with pytest.raises(SettingError, match="share of policy 'blend'"):
        policy_named("blend(share=1)")


def test_a_claim_that_loops_for_ever_or_reads_a_wrong_field_says_so():
    @sos_gym.claim("endless")
    def endless(entity, now):
        while now >= 0:
            now += 0
        return now

    @sos_gym.claim("misread")
    def misread(entity, now):
        return entity.colour

    with pytest.raises(PolicyError, match=r"policy 'endless', claim on frames.*too many turns"):
        run("endless")
    with pytest.raises(PolicyError, match=r"policy 'misread', claim.*no field 'colour'"):
        run("misread")


@numba.njit
def doubled(n):
    return n + n


@numba.njit
def loops_and_calls_what_does_not(n):
    for k in range(3):
        n = doubled(n) % 97 + k
    return n


def test_helpers_without_my_may_call_what_does_not_loop():
    @sos_gym.claim("hashed")
    def hashed(entity, now):
        return loops_and_calls_what_does_not(entity.id)

    assert run("hashed") == run(dataclasses.replace(policy_named("hashed"), checked=False))


def test_what_is_drawn_by_the_seed_is_allowed():
    mine = card(claim=by_lot)
    assert run(mine) == run(mine) and run(mine, seed=1) != run(mine)


@kernel
def by_lot(my, entity):
    return uniform(my.seed, my.number, entity.id), 0.0


# -- interruptions, and ways of Numba that do not work

PROGRAM = """
import os, signal, threading, time
import numpy as np
from sos_gym import Tape
from sos_gym.scenario import Scenario
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us in the background had it ignored
tape = Tape.from_references(np.arange(6_000_000) % 5_000)
scenario = Scenario.of("sos/Memory-v0", tape, advisors=("lru",), frames=400)
scenario.under({"workload": Tape.from_references([0, 1, 2, 0])}).episode(0, driver=0).advance()  # compiles
episode = scenario.episode(0, driver=0)



def interrupt():
    while episode.record["now"][0] == 0:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)


threading.Thread(target=interrupt).start()
try:
    episode.advance()
except KeyboardInterrupt:
    print("in the middle" if not episode.over else "at the end")
"""


def test_an_interruption_is_heard_within_an_episode():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120)
    assert done.stdout == "in the middle\n", done.stderr


def test_without_the_compiler_it_says_what_to_do():
    surroundings = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    program = "import sos_gym; sos_gym.evaluate('sos/Memory-v0', 'lru')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=surroundings)
    assert done.returncode == 1
    assert "SettingError: NUMBA_DISABLE_JIT=1 is not allowed" in done.stderr and "PlainPolicy" in done.stderr


# -- in other processes, and made by hand


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_policies_from_outside_travel_to_other_processes(way):
    mine, here = card(use=counts, each={"count": 0}), run(card(use=counts, each={"count": 0}))
    with ProcessPoolExecutor(1, multiprocessing.get_context(way)) as pool:
        there = pool.submit(sos_gym.evaluate, "sos/Memory-v0", mine, TAPE, frames=5).result(timeout=300)[0]
    assert there == here


@kernel
def counts(my, e):
    my.each[e].count += 1


def test_a_host_made_by_hand_must_be_able_to_choose():
    parts = card().host().parts[0]
    with pytest.raises(SettingError, match="of which pick must not be 0"):
        Host("by hand", ((0,) * len(parts),) * 2)
    with pytest.raises(SettingError, match="addresses of want, hold"):
        Host("by hand", (parts[:-1], parts))
