"""Policies in pure Python: the same results as compiled ones, on every id; mistakes are errors in words."""

import copy
import dataclasses
import pickle
from collections import OrderedDict

import pytest

import sos_gym
from sos_gym import PlainPolicy, PolicyError, SettingError, Tape
from sos_gym.policy import policies, policy_named, policy_of
from sos_gym.policy.words import Parameter
from sos_gym.resource import NONE, Kind, Resource
from sos_gym.settings.presets import PRESETS

pytestmark = pytest.mark.usefixtures("names_given_back")
TAPE = Tape.from_references([k * k % 23 for k in range(300)])


class Lru(PlainPolicy):
    """What was used last stays."""

    def claim(self, my, entity):
        return entity.use_seq


class Turns(PlainPolicy):
    """Everybody holds a slot in turn."""

    def claim(self, my, entity):
        if entity.slot == NONE:
            return float(my.now - entity.want_ns), -entity.want_seq
        if not entity.turn_over:
            return float("inf"), 0
        return -float(my.now - entity.hold_ns), entity.hold_seq


class Sieve(PlainPolicy):
    """SIEVE on frames, with lists of Python; on cores the two levels that its card tells of."""

    def start(self):
        self.ring, self.cooled, self.mark, self.hand = OrderedDict(), OrderedDict(), {}, NONE

    def want(self, my, e):
        self.mark[e] = 0

    def hold(self, my, e):
        self.ring[e] = None

    def use(self, my, e):
        if e in self.cooled:
            self.leave(e)
            self.ring[e] = None
        else:
            self.mark[e] = 1

    def cool(self, my, e):
        if self.resource == Resource.MEMORY:
            self.leave(e)
            self.cooled[e] = None
            self.mark[e] = 0

    def release(self, my, e):
        self.leave(e)

    def leave(self, e):
        if self.hand == e:
            self.hand = self.behind(e)
        self.ring.pop(e, None)
        self.cooled.pop(e, None)

    def behind(self, e):
        members = list(self.ring)
        place = members.index(e) + 1
        return members[place] if place < len(members) else NONE

    def claim(self, my, entity):
        level = -1 if entity.id in self.cooled else self.mark.get(entity.id, 0) * my.use_is_credit
        if my.use_is_credit > 0:
            return level, entity.use_seq
        return level, Turns.claim(self, my, entity)[0]

    def pick(self, my, decision):
        contenders = my.contenders[: decision.count]
        if decision.kind == Kind.EVICT and not decision.may_wait:
            if contenders[0] < 0:
                return decision.vacancy if decision.vacancy < 0 else -1 - decision.vacancy
            legal = {*contenders}
            for e in self.cooled:
                if e in legal:
                    return e
            return self.next_victim(legal)
        return strongest(self, my, decision, contenders)

    def next_victim(self, legal):
        e = self.hand
        while True:
            if e == NONE:
                e = next(iter(self.ring))
            if e in legal:
                if not self.mark[e]:
                    self.hand = e
                    return e
                self.mark[e] = 0
            e = self.behind(e)


def strongest(policy, my, decision, contenders):
    """What a policy without a pick of its own chooses, from its definition in contract.py."""
    evict = decision.kind == Kind.EVICT
    vacant = [contender for contender in contenders if contender < 0]
    if evict and vacant:
        return vacant[0]
    sign = -1 if evict else 1

    def strength(e):
        entity = my.entities[e]
        first, second = policy.claim(my, entity)
        seq = entity.use_seq if evict else entity.want_seq
        return sign * first, sign * second, e == decision.entity, -seq

    return max((contender for contender in contenders if contender >= 0), key=strength)


class FairShare(PlainPolicy):
    """Owners by slot time for their weight, then their threads or pages."""

    def start(self):
        self.debt = {}

    def served(self, my, owner):
        account = my.owners[owner]
        held = account.service + account.holding * (my.now - account.since)
        return self.debt.get(owner, 0.0) + held / account.weight

    def want(self, my, e):
        owner = my.entities[e].owner
        if my.owners[owner].active > 1:
            return
        others = [self.served(my, k) for k in range(my.owners.size) if k != owner and my.owners[k].active > 0]
        if others:
            self.debt[owner] = self.debt.get(owner, 0.0) + max(0.0, min(others) - 0.0 - self.served(my, owner))

    def claim(self, my, entity):
        first = -self.served(my, entity.owner)
        return first, entity.use_seq if my.use_is_credit > 0 else -entity.service / entity.weight


class MadeByHand(Turns):
    """Turns, chosen by the definition and not by the engine's scan."""

    def pick(self, my, decision):
        return strongest(self, my, decision, my.contenders[: decision.count])


def outcome(policy, env, seed=3):
    found = sos_gym.evaluate(env, policy, seed=seed)[0]
    return {name: value for name, value in found.items() if name != "policy"}


@pytest.mark.parametrize("env", PRESETS)
@pytest.mark.parametrize(
    ("plain", "compiled"),
    [
        (Lru, "recency"),
        (Turns, "turns"),
        (Sieve, dataclasses.replace(policy_named("sieve"), fast_only=False)),
        (FairShare, "fair_share"),
        (MadeByHand, "turns"),
    ],
)
def test_the_plain_form_and_the_compiled_one_give_the_same_bits(env, plain, compiled):
    assert outcome(plain, env) == outcome(compiled, env)


def test_both_ways_and_an_advisor_give_the_same_bits():
    inside, outside = (sos_gym.evaluate("sos/System-v0", Sieve, seed=1, through=way) for way in ("engine", "gym"))
    assert inside == outside and inside[0]["policy"] == "sieve"


class Counts(PlainPolicy):
    """Takes the entity whose number and count are least; chance would show in the order of calls."""

    parameters = {"step": Parameter(1, "", 1, 9, "counts faster")}  # noqa: RUF012

    def start(self):
        self.count, self.shared.told = {}, 0

    def hold(self, my, e):
        self.count[e] = self.count.get(e, 0) + self.parameters.step
        self.shared.told += 1

    def claim(self, my, entity):
        return self.count.get(entity.id, 0) * 100 + (entity.id * 7919 + self.shared.told) % 1000


def goes_on(env, info, steps=200):
    trace = []
    for _ in range(steps):
        _, reward, terminated, truncated, info = env.step(info["advice"].get("counts", 0))
        trace.append((reward, dict(info["advice"])))
        if terminated or truncated:
            break
    return trace


def test_what_a_plain_policy_keeps_is_copied_with_the_episode():
    env = sos_gym.SosEnv("sos/System-v0", advisors=(Counts, "lru"))
    _, info = env.reset(seed=5)
    for _ in range(30):
        *_, info = env.step(info["advice"]["counts"])
    state, twin, other = env.state(), copy.deepcopy(env), pickle.loads(pickle.dumps(env))
    first = goes_on(env, info)
    env.restore(state)
    assert goes_on(twin, info) == goes_on(other, info) == goes_on(env, info) == first


def test_plain_policies_have_parameters_names_and_cards():
    fast = policy_of(Counts).with_values({"step": 5})
    assert fast.spec == "counts(step=5)" and outcome(fast, "sos/Memory-v0") != outcome(Counts, "sos/Memory-v0")
    sos_gym.register(Counts)
    assert policies()["counts"].summary.startswith("Takes the entity")
    assert outcome("counts(step=5)", "sos/Memory-v0") == outcome(fast, "sos/Memory-v0")
    assert outcome("turns + counts", "sos/Memory-v0") == outcome("counts", "sos/Memory-v0")


class TakesEveryName(Lru):
    """Names that the engine might want for itself are the policy's own."""

    def start(self):
        self.view = self.mistake = self.see = self.kind = self.error = self.seen = 0

    def use(self, my, e):
        self.view = self.mistake = self.kind = my.now


def test_a_plain_policy_may_use_any_name():
    assert outcome(TakesEveryName, "sos/System-v0") == outcome(Lru, "sos/System-v0")


def test_a_state_with_what_other_policies_keep_is_refused():
    env = sos_gym.SosEnv("sos/Memory-v0", TAPE, advisors=(Counts,), frames=5)
    env.reset(seed=0)
    for minds in (None, [], [None, None], env.simulation.minds[:1]):
        state = env.state()
        state["simulation"]["minds"] = minds
        with pytest.raises(SettingError, match=r"state\['minds'\]"):
            env.restore(state)


def wrong(part, function, base=Lru):
    return type("Wrong", (base,), {part: function})


@pytest.mark.parametrize(
    ("part", "function", "said"),
    [
        ("use", lambda self, my, e: my.entities[-1], "IndexError: index -1 must be in 0..12"),
        ("use", lambda self, my, e: my.entities[99], "IndexError: index 99 must be in 0..12"),
        ("use", lambda self, my, e: setattr(my.entities[e], "slot", 3), "slot is read only"),
        ("use", lambda self, my, e: my.colour, "my has no 'colour'; it has now"),
        ("use", lambda self, my, e: my.entities[e].colour, "no field 'colour'; it has use_seq"),
        ("use", lambda self, my, e: e, "a verb returns nothing"),
        ("hold", lambda self, my, e: 1 / 0, "hold on frames, entity 1 .page 0.* ZeroDivisionError"),
        ("pick", lambda self, my, decision: 1.5, "a contender, an int, not 1.5"),
        ("pick", lambda self, my, decision: None, "a contender, an int, not None"),
        ("pick", lambda self, my, decision: 10**30, "which 1000"),
        ("pick", lambda self, my, decision: 10**6, "returned 1000000, which is no contender"),
        ("claim", lambda self, my, entity: "much", "a claim returns a number, or two, not 'much'"),
        ("claim", lambda self, my, entity: (1, 2, 3), r"a claim returns a number, or two, not \(1, 2, 3\)"),
        ("claim", lambda self, my, entity: float("nan"), "not a number"),
    ],
)
def test_a_mistake_is_an_error_that_names_policy_part_and_reason(part, function, said):
    with pytest.raises(PolicyError, match=said) as found:
        sos_gym.evaluate("sos/Memory-v0", wrong(part, function), TAPE, frames=5)
    assert f"policy 'wrong', {part} on " in str(found.value)


def test_the_traceback_leads_to_the_line_that_failed():
    with pytest.raises(PolicyError) as found:
        sos_gym.evaluate("sos/Memory-v0", wrong("hold", lambda self, my, e: 1 / 0), TAPE, frames=5)
    assert isinstance(found.value.__cause__, ZeroDivisionError)
    assert found.value.__cause__.__traceback__.tb_next.tb_frame.f_code.co_filename == __file__


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_no_mistake(interruption):
    def interrupted(self, my, e):
        raise interruption

    with pytest.raises(interruption):
        sos_gym.evaluate("sos/Memory-v0", wrong("use", interrupted), TAPE, frames=5)


def test_what_belongs_to_the_engine_cannot_be_kept_in_a_copy():
    def keeps(self, my, e):
        self.last = my.entities[e]

    env = sos_gym.SosEnv("sos/Memory-v0", TAPE, advisors=(wrong("use", keeps),), frames=5)
    env.reset(seed=0)
    for _ in range(20):
        env.step(0)
    with pytest.raises(TypeError, match="keep the number of an entity"):
        copy.deepcopy(env)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"claim": lambda self, my: 0}, "claim of policy 'odd'.*a method"),
        ({"hold": lambda self, my, e: None}, "a policy with a claim, or with a pick"),
        ({"claim": lambda self, my, entity: 0, "parameters": {"x": 3}}, r"parameters\['x'\] of Odd=3"),
    ],
)
def test_a_class_that_cannot_work_is_refused(given, said):
    with pytest.raises(SettingError, match=said):
        policy_of(type("Odd", (PlainPolicy,), given))


def test_an_event_log_changes_nothing_and_tells_all():
    for through in ("engine", "gym"):
        with_log = sos_gym.evaluate("sos/System-v0", "eevdf + sieve", seed=2, through=through, detail=True)[0]
        without = sos_gym.evaluate("sos/System-v0", "eevdf + sieve", seed=2, through=through)[0]
        threads, owners, events = (with_log.pop(name) for name in ("threads", "owners", "events"))
        assert with_log == without
        assert sum(thread["service_ns"] for thread in threads) == without["service_ns"]
        assert sum(owner["work_ns"] for owner in owners) == without["service_ns"]
        assert sum(owner["stall_ns"] for owner in owners) == without["stall_ns"]
        evicted = [event for event in events if event.verb == "release" and event.why == "evicted"]
        assert len(evicted) == without["evictions"]
        assert sum(event.verb == "want" and event.resource == "memory" for event in events) == without["faults"]
        assert [event.now_ns for event in events] == sorted(event.now_ns for event in events)


def test_belady_keeps_what_the_log_says():
    """Of 0, 1 and 2, at the reference to 3, page 2 is the one that is never used again; at the exit all are dropped."""
    tape, resident, sets = Tape.from_references([0, 1, 2, 0, 1, 3, 0, 1]), set(), []
    run = sos_gym.evaluate("sos/Memory-v0", "clairvoyant", tape, frames=3, detail=True)[0]
    for event in run["events"]:
        if event.resource == "memory" and event.verb in ("hold", "release"):
            (resident.add if event.verb == "hold" else resident.remove)(event.e - 1)
            sets.append(sorted(resident))
    assert run["faults"] == 4 and sets[:5] == [[0], [0, 1], [0, 1, 2], [0, 1], [0, 1, 3]] and sets[-1] == []
