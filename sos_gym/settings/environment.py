"""The numbers of an environment: each with unit, range, default and source.

`Settings` joins what `cpu.py` and `memory.py` say about their resource with what belongs to neither; every field is a
keyword of `gym.make`.
"""

import dataclasses
import math
import numbers
from collections.abc import Iterable
from typing import Any

from sos_gym.settings.cpu import LONGEST_NS, LONGEST_WARM_NS, CpuSettings
from sos_gym.settings.memory import MemorySettings
from sos_gym.settings.ranges import SettingError, UnknownSetting, did_you_mean, setting

MOST_ROWS = 1024
MOST_NODES = 15  # an affinity mask is an int16
REWARDS = ("progress", "stall", "foresight")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpisodeSettings:
    """What belongs to neither resource."""

    nodes: int = setting(2, "nodes", 1, MOST_NODES, "NUMA nodes; cores and frames are split evenly over them")
    rows: int = setting(16, "rows", 4, MOST_ROWS, "K, candidates shown per decision")
    reward: str = setting("progress", "", choices=REWARDS, help="what a step pays, see docs/environments.md")
    reward_scale_ns: int = setting(1_000_000, "ns", 1, 1 << 50, "ns of weighted stall that cost 1")
    discount_ns: int = setting(100_000_000, "ns", 1, 1 << 50, "tau of info['discount'] = exp(-dt/tau)")
    discount_service_ns: int = setting(
        3_000_000,
        "ns",
        1,
        1 << 50,
        "tau of info['service_discount'] = exp(-service/tau): beyond it what one decision does is lost in the noise of "
        "the return (docs/learning.md)",
    )
    stall_per_service: float = setting(
        0.5, "", 0.0, 1e6, "rho, reward per ns of service in 'progress': the stall per service under lottery"
    )
    decision_ns: int = setting(
        0,
        "ns",
        0,
        1 << 50,
        "what a decision takes, charged once when it is raised (engine.md, N19); it is the policy's and no cost of the "
        "machine, hence `cost_scale` leaves it alone",
    )
    horizon_ns: int | None = setting(None, "ns", 1, 1 << 60, "simulated time after which an episode is truncated")
    cost_scale: tuple | None = setting(
        None, "", help="(low, high): each cost is multiplied by a log-uniform draw per episode"
    )

    def __post_init__(self) -> None:
        if self.cost_scale is None:
            return
        allowed = "two numbers 0 < low <= high"
        try:
            low, high = map(float, self.cost_scale)
        except (TypeError, ValueError):
            raise SettingError("cost_scale", self.cost_scale, allowed, "pass e.g. (0.5, 2.0)") from None
        if not (math.isfinite(low) and math.isfinite(high) and 0 < low <= high):
            raise SettingError("cost_scale", self.cost_scale, allowed, "pass e.g. (0.5, 2.0)")
        object.__setattr__(self, "cost_scale", (low, high))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(CpuSettings, MemorySettings, EpisodeSettings):
    """All numbers of one environment."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, field.metadata["accept"](field.name, getattr(self, field.name)))
        EpisodeSettings.__post_init__(self)
        for name in ("cores", "frames"):
            object.__setattr__(self, name, self._per_node(name))
        for name, most in (("move_ns", LONGEST_NS), ("warm_ns", LONGEST_WARM_NS)):
            object.__setattr__(self, name, self._near_and_far(name, most))
        self._refuse_livelock()

    @property
    def cores_by_node(self) -> tuple[int, ...]:
        """Cores of each node; zeros when they are plenty."""
        return self.cores or (0,) * self.nodes  # type: ignore[return-value]  # a tuple since __post_init__

    @property
    def frames_by_node(self) -> tuple[int, ...]:
        """Frames of each node; zeros when they are plenty."""
        return self.frames or (0,) * self.nodes  # type: ignore[return-value]

    @property
    def move_near_ns(self) -> int:
        return self.move_ns[0]  # type: ignore[index]

    @property
    def move_far_ns(self) -> int:
        return self.move_ns[1]  # type: ignore[index]

    def _near_and_far(self, name: str, most: int) -> tuple[int, int]:
        given = getattr(self, name)
        pair = tuple(given) if isinstance(given, Iterable) else (given, given)
        if len(pair) != 2 or not all(_is_count(ns) and ns <= most for ns in pair):
            raise SettingError(name, given, f"0..{most} ns, or two of them", "pass (same node, another node)")
        return int(pair[0]), int(pair[1])

    def _refuse_livelock(self) -> None:
        """Overhead that fills every slice, or every scan, would leave no time for service."""
        if self.cores is not None and self.tick_ns is not None:
            nodes = sum(count > 0 for count in self.cores_by_node)
            move = self.move_far_ns if nodes > 1 else self.move_near_ns if sum(self.cores_by_node) > 1 else 0
            overhead = self.switch_ns + move + self.decision_ns
            if self.tick_ns <= overhead:
                raise SettingError(
                    "tick_ns",
                    self.tick_ns,
                    f"more than the {overhead} ns that switch_ns, move_ns and decision_ns can take of a slice",
                    "lengthen the tick or lower switch_ns, move_ns and decision_ns",
                )
        if self.frames is None:
            return
        look_ns = self.look_ns if self.sight == "scanned" else 0
        walk = sum(self.frames_by_node) * look_ns
        moves = 2 * self.page_move_ns + self.shootdown_ns + 64 * self.shootdown_core_ns
        busy = self.nodes * (moves + self.decision_ns + self.rows * look_ns)
        if self.scan_ns is not None and self.scan_ns <= busy:
            raise SettingError(
                "scan_ns",
                self.scan_ns,
                f"more than the {busy} ns that the moves, decisions and looks of one scan can take",
                "scan less often, or lower page_move_ns, shootdown_ns, decision_ns and look_ns",
            )
        rest = 1.0 if self.scan_ns is None else 1.0 - busy / self.scan_ns
        if walk and self.harvest_ns is not None and self.harvest_ns * rest <= walk:
            raise SettingError(
                "harvest_ns",
                self.harvest_ns,
                f"more than the {math.ceil(walk / rest)} ns that reading all accessed bits can take of it",
                "harvest less often, or lower look_ns",
            )

    def _per_node(self, name: str) -> tuple[int, ...] | None:
        """`cores` and `frames` as one number per node."""
        given = getattr(self, name)
        if given is None:
            return None
        counts = tuple(given) if isinstance(given, Iterable) else _split(given, self.nodes)
        if len(counts) != self.nodes or not all(map(_is_count, counts)) or sum(counts) < 1:
            raise SettingError(
                name, given, f"a total >= 1, or {self.nodes} numbers >= 0 with a sum >= 1", "one number per node"
            )
        return tuple(map(int, counts))

    @property
    def costs(self) -> tuple[str, ...]:
        """Names of the settings that `cost_scale` randomises."""
        return tuple(f.name for f in dataclasses.fields(self) if f.metadata["cost"])


def _is_count(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= 0


def _split(total: int, nodes: int) -> tuple[int, ...]:
    """As even as it goes, the first nodes take the rest: 5 over 2 nodes is (3, 2)."""
    return tuple(total // nodes + (node < total % nodes) for node in range(nodes))


def build_settings(given: dict[str, Any]) -> Settings:
    """Settings from keywords; an unknown one gets did-you-mean.

    Raises:
        UnknownSetting: there is none of that name.
        SettingError: a value that makes no sense.
    """
    for name in given:
        if name not in SETTINGS:
            remedy = did_you_mean(name, SETTINGS) or "see sos_gym.settings.Settings"
            raise UnknownSetting(name, given[name], remedy)
    return Settings(**given)


SETTINGS = tuple(field.name for field in dataclasses.fields(Settings))
