"""A policy that writes down what it is told and what it is asked."""

import dataclasses
from functools import cache

from sos_gym.engine.records import Verb
from sos_gym.kernel import kernel
from sos_gym.policy.contract import Policy, Records
from sos_gym.policy.words import look
from sos_gym.resource import NONE, Resource
from sos_gym.settings.ranges import Parameter

MODULUS = 1_000_003
MOST = 1 << 12  # events of an episode, per resource; those beyond are counted, and refused when they are read


@kernel
def _write(my, verb, e, what, why):
    event = my.events[min(my.own.events, MOST - 1)]
    my.own.events += 1
    event.verb, event.e, event.what, event.why, event.now = verb, e, what, why, my.now


@kernel
def want(my, e):
    _write(my, Verb.WANT, e, my.entities[e].home, my.why)


@kernel
def hold(my, e):
    _write(my, Verb.HOLD, e, my.entities[e].slot, my.why)


@kernel
def move(my, e):
    _write(my, Verb.MOVE, e, my.entities[e].slot, 0)


@kernel
def use(my, e):
    """Of a thread also how much: its service since the last report."""
    used = 0
    if my.use_is_credit < 0:
        used = my.entities[e].service - my.each[e].told
        my.each[e].told = my.entities[e].service
    _write(my, Verb.USE, e, used, 0)


@kernel
def cool(my, e):
    _write(my, Verb.COOL, e, 0, 0)


@kernel
def release(my, e):
    _write(my, Verb.RELEASE, e, 0, my.why)


@kernel
def _next_page(my, decision, e):
    """The contender that is a page of the least number above `e`, or NONE."""
    least = NONE
    for i in range(decision.count):
        c = my.contenders[i]
        if c > e and c >= my.threads.size and (least == NONE or c < least):
            least = c
    return least


@kernel
def _look_at_some(my, decision):
    """Every second page, see `looked_at`."""
    e = _next_page(my, decision, NONE)
    while e != NONE:
        if (e + decision.number) % 2 and my.entities[e].slot != NONE:
            look(my, e)
        e = _next_page(my, decision, e)


@kernel
def _add(total, number):
    return (total * 31 + number) % MODULUS


@kernel
def _digest(my, decision):
    """One number for all that it sees of the pages among the contenders, see `digest`."""
    total, e = 0, _next_page(my, decision, NONE)
    while e != NONE:
        page, before, other = my.entities[e], 0, _next_page(my, decision, NONE)
        while other != NONE:
            before += my.entities[other].use_seq < page.use_seq
            other = _next_page(my, decision, other)
        total = _add(_add(_add(total, page.uses), page.uses_total), page.last_use)
        total = _add(_add(_add(total, page.last_gap), page.prev_gap), page.gaps)
        total = _add(_add(_add(total, page.last_user), page.home), page.state)
        total = _add(_add(_add(total, page.dirty), page.slot), page.want_ns)
        total = _add(_add(total, page.hold_ns), before)
        e = _next_page(my, decision, e)
    return total


def looked_at(number: int, pages: list) -> list[int]:
    """The numbers of the pages that the scribe looks at, of those that contend; None: at none."""
    return [p.id for p in sorted(pages, key=lambda p: p.id) if number % 3 and (p.id + number) % 2 and p.slot != NONE]


def digest(pages: list) -> int:
    """What the scribe makes of the contending pages, given as the plain engine has them."""
    total, pages = 0, sorted(pages, key=lambda p: p.id)
    for p in pages:
        seen, before = p.seen, sum(other.seen.use_seq < p.seen.use_seq for other in pages)
        known = [seen.uses, seen.uses_total, seen.last_use, seen.last_gap, seen.prev_gap, seen.gaps]
        known += [seen.last_user, seen.home, p.state, p.dirty, p.slot, p.want_ns, p.hold_ns, before]
        for x in known:
            total = (total * 31 + int(x)) % MODULUS
    return total


@kernel
def pick(my, decision):
    """The contender of a rank that scatters, see `chosen`; what was asked is written down."""
    rank = (decision.number * 2654435761 + int(my.parameters.seed) * 40503) % 65521 % decision.count
    choice = my.contenders[0]
    for i in range(decision.count):
        below = 0
        for j in range(decision.count):
            below += my.contenders[j] < my.contenders[i]
        if below == rank:
            choice = my.contenders[i]
    if decision.number % int(my.parameters.looks + 1):
        _look_at_some(my, decision)
    asked = my.questions[min(decision.number, MOST - 1)]
    asked.seen = _digest(my, decision)
    asked.number, asked.now, asked.kind, asked.cause = decision.number, decision.now, decision.kind, decision.cause
    asked.resource, asked.entity, asked.slot, asked.choice = decision.resource, decision.entity, decision.slot, choice
    my.shared.asked = decision.number + 1
    return choice


SCRIBE = Policy(
    name="scribe",
    summary="writes down what it is told and asked, and chooses as if by chance",
    on_cores="the same",
    on_frames="the same",
    reads="all",
    source="tests",
    want=want,
    hold=hold,
    move=move,
    use=use,
    cool=cool,
    release=release,
    pick=pick,
    own={"events": 0},
    each={"told": 0},
    shared={"asked": 0},
    tables={
        "events": Records(dict.fromkeys(("verb", "e", "what", "why", "now"), 0), fixed=MOST),
        "questions": Records(
            dict.fromkeys(("number", "now", "kind", "cause", "resource", "entity", "slot", "choice", "seen"), 0),
            fixed=MOST,
            shared=True,
        ),
    },
    parameters={
        "seed": Parameter(0, "", 0, 99, "another choice"),
        "looks": Parameter(0, "", 0, 2, "2: it looks at some pages in two decisions of three"),
    },
)


@cache
def scribe(seed: int = 0, looks: int = 0, fast_only: bool = False):
    """The scribe as the engine hosts it."""
    return dataclasses.replace(SCRIBE, fast_only=fast_only).with_values({"seed": seed, "looks": looks}).host()


def chosen(number: int, seed: int, contenders: list[int]) -> int:
    """The contender that the scribe chooses: it depends on nothing else."""
    return sorted(contenders)[(number * 2654435761 + seed * 40503) % 65521 % len(contenders)]


def events_of(simulation, resource: Resource, host: int = 0) -> list[tuple]:
    """(verb, entity, what, why, now); what: home of a want, slot of a hold or move, ns of a thread's use."""
    count = simulation.kept("own", host, resource)["events"][0]
    assert count < MOST
    rows = simulation.kept("events", host, resource)[:count].tolist()
    return [(Verb(verb).name.lower(), *rest) for verb, *rest in rows]


def questions_of(simulation, host: int = 0) -> list[tuple]:
    """(number, now, kind, cause, resource, entity, slot, choice, seen) of all decisions."""
    count = simulation.kept("shared", host)["asked"][0]
    assert count < MOST
    return simulation.kept("questions", host)[:count].tolist()
