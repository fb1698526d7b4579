"""A policy that writes down what it is told."""

import numba

from sos_gym.engine.records import PICK_SIGNATURE, VERB_SIGNATURE
from sos_gym.engine.simulation import Host
from sos_gym.kernel import address_of
from sos_gym.resource import Why

NAMES = ("want", "hold", "use", "release")
LOG = 1 << 16


def scribe() -> Host:
    def verb(number):
        def write(my, entity, argument, why, now):
            at = my.ints[0]
            my.ints[0] += 1
            for i, value in enumerate((number, entity, argument, why, now)):
                my.ints[1 + 5 * at + i] = value

        return numba.njit(write)

    def pick(my, decision):
        return my.contenders[0]

    verbs = [address_of(verb(number), VERB_SIGNATURE) for number in range(4)]
    return Host("scribe", (*verbs, address_of(numba.njit(pick), PICK_SIGNATURE)), ints=(LOG, 0, 0), needs_list=True)


def log_of(simulation, resource):
    """(verb, entity, home or slot or service, why, now)"""
    ints = simulation.arrays[f"ints {resource}"]
    for verb, e, argument, why, now in ints[1 : 1 + 5 * ints[0]].reshape(-1, 5).tolist():
        name = NAMES[verb]
        if name == "use" and why == Why.COLD:
            yield "cool", e, 0, 0, now
        elif name == "use":
            yield "use", e, argument if resource == 1 else 0, 0, now
        elif name == "hold" and why == Why.MOVE:
            yield "move", e, argument, 0, now
        elif name == "release":
            yield "release", e, 0, why, now
        else:
            yield name, e, argument, why, now
