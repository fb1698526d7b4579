"""From what people write to the policy that is meant."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sos_gym.baseline import RANDOM_ROW, RandomRow
from sos_gym.evaluation import wishes_of
from sos_gym.learned import LearnedClaim
from sos_gym.loading.content import content_of
from sos_gym.loading.model import model_in
from sos_gym.loading.script import Decider, existing, policy_in
from sos_gym.loading.spec import KINDS, InFile, halves_of, in_file
from sos_gym.policy import is_policy, policy_named, policy_of
from sos_gym.policy.contract import Policy
from sos_gym.policy.pairing import Pair
from sos_gym.settings.ranges import SettingError
from sos_gym.settings.written import parts_of
from sos_gym.shipped import SHIPPED


@dataclass(frozen=True)
class Found:
    """A policy, what it is called, and what tells it from others of its name."""

    policy: Any  # for `evaluate`: a Policy, a Pair, a LearnedClaim, or a callable
    spec: str  # distinct: its name with parameters that differ from their default, or mine.py:LRU
    called: str  # the same with the alias that was used
    content: str | None  # see `content_of`
    settings: Mapping[str, Any] = field(default_factory=dict)  # `rows` and `advisors` that a callable asks for

    @property
    def is_callable(self) -> bool:
        """Whether it is asked step by step, or learned: no policy of the engine."""
        return not isinstance(self.policy, (Policy, Pair))

    @property
    def privileged(self) -> bool:
        return not self.is_callable and self.policy.privileged

    @property
    def is_of_the_package(self) -> bool:
        return self.content == ""


def found(spec: str) -> Found:
    """The policy that is meant: a name, "s3fifo(small=0.2)", "eevdf + sieve", or one in a file.

    "mine.py:LRU" runs that file; LRU is a Policy, a Pair, a PlainPolicy class, what `sos_gym.claim` decorated, a name
    that the file registers, or a callable (observation, info) -> row. "claim.npz" is a saved `LearnedClaim`,
    "model.zip" or "model.zip:MaskablePPO" a model of Stable-Baselines3 or sb3-contrib, which holds code that is run.

    Raises:
        SettingError: there is no such policy, or its file fails; with what to do.
    """
    halves = halves_of(spec)
    if len(halves) == 2 and any(map(in_file, halves)):
        return _pair(found(halves[0]), found(halves[1]), spec)
    asked = in_file(spec)
    if asked is None:
        _refuse_unmarked(spec)
        if spec.strip() == RANDOM_ROW:
            return Found(RandomRow(), RANDOM_ROW, RANDOM_ROW, "")
        if spec.strip() in SHIPPED:
            return Found(SHIPPED[spec.strip()], spec.strip(), spec.strip(), content_of(SHIPPED[spec.strip()]))
        policy = policy_named(spec)
        return Found(policy, policy.spec, _called(spec, policy), content_of(policy))
    return _IN[asked.kind](asked)


def _refuse_unmarked(spec: str) -> None:
    """What looks like a file, and is not written like one."""
    word = spec.partition(":")[0].strip()
    if any(kind in spec for kind in KINDS) or (word != spec and Path(f"{word}.py").is_file()):
        allowed = "a name, or FILE.py:NAME, FILE.npz, FILE.zip"
        raise SettingError("policy", spec, allowed, "say the whole name of the file, and a colon before NAME")


def found_as(given: Any) -> Found:
    """What is written, or a policy, a pair, a claim or a callable itself.

    Raises:
        SettingError: none of these.
    """
    if isinstance(given, (Found, str)):
        return found(given) if isinstance(given, str) else given
    if is_policy(given):
        policy = policy_of(given)
        return Found(policy, policy.spec, policy.spec, content_of(policy))
    if not callable(given):
        allowed = "a name, a policy, or a callable (observation, info) -> row"
        raise SettingError("policies", given, allowed, "see `sos-gym policies`")
    name = getattr(given, "__name__", type(given).__name__)
    return Found(given, name, name, content_of(given), wishes_of(given))


def _called(spec: str, policy: Policy | Pair) -> str:
    """Its spec with the names that were used: LRU(k=3) + fifo."""
    halves = halves_of(spec)
    if isinstance(policy, Pair):
        return " + ".join(map(_called, halves, (policy.cores, policy.frames)))
    word = spec.partition("(")[0].strip()
    return policy.spec if word.lower() == policy.name else word + policy.spec.removeprefix(policy.name)


def _pair(cores: Found, frames: Found, spec: str) -> Found:
    for half in (cores, frames):
        if not isinstance(half.policy, Policy):
            allowed = "a policy that the engine calls, on either side of the +"
            raise SettingError("policy", half.spec, allowed, f"in {spec!r}: no pair, learned claim or callable")
    policy = Pair(cores.policy, frames.policy)
    names = f"{cores.spec} + {frames.spec}", f"{cores.called} + {frames.called}"
    return Found(policy, *names, content_of(policy))


# -- in files


def _in_script(asked: InFile) -> Found:
    policy, name = policy_in(asked)
    if isinstance(policy, Decider):
        wishes = wishes_of(policy.decide)
        return Found(policy, policy.__name__, policy.__name__, None, wishes | policy.own_advisors(wishes))
    if asked.parameters and isinstance(policy, Pair):
        allowed = "one policy, where parameters follow"
        raise SettingError("policy", f"{asked.path}:{name}{asked.parameters}", allowed, "that is a pair")
    if asked.parameters:
        policy = policy.with_values(parts_of("policy", f"it{asked.parameters}", "mine.py:LRU(k=3)")[1])
    spec = f"{asked.path}:{name}" + ("" if isinstance(policy, Pair) else policy.spec.removeprefix(policy.name))
    return Found(policy, spec, spec, content_of(policy))


def _saved_claim(asked: InFile) -> Found:
    if asked.name or asked.parameters:
        allowed = "a .npz alone: it holds one claim, without parameters"
        raise SettingError("policy", f"{asked.path}:{asked.name}{asked.parameters}", allowed, f"write {asked.path}")
    try:
        policy = LearnedClaim.load(existing(asked.path))
    except zipfile.BadZipFile as error:
        raise SettingError("policy", asked.path, "a file that LearnedClaim.save wrote", f"{error}") from error
    policy.__name__ = asked.path
    return Found(policy, asked.path, asked.path, content_of(policy))


def _saved_model(asked: InFile) -> Found:
    policy = model_in(asked)
    return Found(policy, policy.__name__, policy.__name__, policy.content, {"rows": policy.rows})


_IN = {".py": _in_script, ".npz": _saved_claim, ".zip": _saved_model}
