"""The page of workloads: what each family draws, with its parameters; the recordings by name."""

from sos_gym.markdown import number, table
from sos_gym.workload import workloads
from sos_gym.workload.families.registry import OF_ALL
from writer.policies import span

INTRODUCTION = (
    "Written by `make docs` from the cards; `sos-gym workloads NAME` shows one. "
    "`sos_gym.workload(NAME, seed, split, **parameters)` is a tape; the same arguments give the same one "
    "everywhere. The splits `train`, `val`, `test` have seeds of their own; `ood` also draws the parameters that "
    'have a range for it. They are named the same on every id: `env.reset(options={"workload": "test"})`, or '
    '`split="ood"` in `gym.make`. '
    "A parameter that is given is never drawn. How much there is to gain on each: [bounds.md](bounds.md)."
)


def page() -> str:
    """docs/workloads.md."""
    parts = ["# Workloads", INTRODUCTION]
    for card in workloads().values():
        if not card.recorded:
            parts += _family(card)
    return "\n\n".join((*parts, *_shared(), *_recordings())) + "\n"


def _family(card) -> list[str]:
    heads = ("parameter", "default", "unit", "range", "ood", "more of it")
    rows = [
        (f"`{name}`", number(of.default), of.unit, span(of.low, of.high), span(*of.ood) if of.ood else "", of.effect)
        for name, of in card.parameters.items()
        if name not in OF_ALL
    ]
    said = [f"## {card.name} ({card.side})", card.summary, f"Source: {card.source}."]
    return [*said, table(heads, rows)] if rows else said


def _shared() -> list[str]:
    rows = [(f"`{name}`", number(of.default), span(of.low, of.high), of.effect) for name, of in OF_ALL.items()]
    return ["## In all families", table(("parameter", "default", "range", "more of it"), rows)]


def _recordings() -> list[str]:
    rows = [(f"`{card.name}`", card.side, card.summary) for card in workloads().values() if card.recorded]
    looks = "What each looks like: [recordings.md](recordings.md)."
    return ["## Recordings", looks, table(("name", "side", "what"), rows)]
