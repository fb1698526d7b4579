"""An episode in detail: what became of each thread and owner, and the log of all that happened to slots.

Shares of owners and resident sets of Belady's MIN can be read off it; see docs/write-a-policy.md.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from sos_gym.engine.simulation import Simulation
from sos_gym.metrics import STALLS
from sos_gym.policy.plain import PlainPolicy, listener
from sos_gym.resource import NONE, Resource, Why

REASONED = ("want", "hold", "release")  # verbs with a reason


class Event(NamedTuple):
    """What a policy is told of: entity `e` wants, holds, moves to, uses, cools in or releases a slot."""

    now_ns: int
    verb: str
    resource: str  # "cpu": e is a thread and slot a core; "memory": e - threads is a page and slot a frame
    e: int
    slot: int  # that it has, or NONE (-1)
    why: str  # of a want, a hold or a release: a word of resource.Why in lower case; else ""


def _noting(verb: str) -> Callable:
    """A verb that writes itself down."""

    def note(self: Any, my: Any, e: int) -> None:
        why = Why(my.why).name.lower() if verb in REASONED else ""
        event = Event(my.now, verb, self.resource.name.lower(), e, my.entities[e].slot, why)
        self.shared.events.append(event)

    return note


class _Log(PlainPolicy):
    """Hears everything and decides nothing."""

    def start(self) -> None:
        self.shared.events = []

    want, hold, move, use, cool, release = map(_noting, ("want", "hold", "move", "use", "cool", "release"))


LOG = listener(_Log)


def detail(simulation: Simulation) -> dict[str, list]:
    """Of an episode that was made with `LOG` as a listener: per thread, per owner, and all events in order.

    threads: name, owner, weight, arrival_ns, exit_ns (or None), and the partition of its time: service_ns, sleep_ns and
    the seven stalls. owners: number, weight, threads, work_ns (service of its threads), stall_ns, and slot_ns held of
    "cpu" and "memory". events: `Event`, in the order of time.
    """
    logs = [mind.player for mind in simulation.minds if mind is not None and mind.kind is _Log]
    return {
        "threads": _threads(simulation),
        "owners": _owners(simulation),
        "events": list(logs[0].shared.events) if logs else [],
    }


def _threads(simulation: Simulation) -> list[dict[str, Any]]:
    entities, found = simulation.arrays["entities"], []
    for t, thread in enumerate(simulation.arrays["threads"]):
        about = {"name": simulation.tape.thread_name(t), "owner": int(entities["owner"][t])}
        about |= {"weight": int(entities["weight"][t]), "arrival_ns": int(thread["arrival_ns"])}
        about["exit_ns"] = None if thread["exit_ns"] == NONE else int(thread["exit_ns"])
        found.append(about | {f"{name}_ns": int(thread[name]) for name in ("service", "sleep", *STALLS)})
    return found


def _owners(simulation: Simulation) -> list[dict[str, Any]]:
    now, of_resource = int(simulation.record["now"][0]), simulation.arrays["owners"].reshape(len(Resource), -1)
    threads = simulation.tape.threads["owner"].tolist()
    found = []
    for number, owner in enumerate(of_resource[Resource.CPU]):
        held = {
            f"{resource.name.lower()}_slot_ns": int(own["service"] + own["holding"] * (now - own["since"]))
            for resource in Resource
            for own in [of_resource[resource][number]]
        }
        about = {"owner": number, "weight": int(owner["weight"]), "threads": threads.count(number)}
        found.append(about | {"work_ns": int(owner["work_ns"]), "stall_ns": int(owner["stall_ns"])} | held)
    return found
