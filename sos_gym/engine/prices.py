"""What a raised decision takes, and who pays for it: N19, and N23 for looks."""

from sos_gym.engine.account import charge
from sos_gym.engine.events import put_off
from sos_gym.engine.frames import charge_move
from sos_gym.kernel import inlined, kernel
from sos_gym.resource import NEVER, NONE, Kind, Resource, Why


@kernel
def _looks_of_driver(sim, most):
    """How many pages who decides has looked at since it last paid for it; `most` at a time, the others later."""
    if sim.driver == NONE:
        return sim.rows_looked
    looks = 0
    for k in range(sim.hosted):
        my = sim.policies[2 * k + Resource.MEMORY]
        if sim.voices[2 * k + Resource.MEMORY] == sim.driver:
            looks = min(my.looks, most)
            my.looks -= looks
    return looks


@kernel
def _price(sim, decision):
    """What a raised decision takes, ns: N19; one on pages also the looks that were made for it, N23."""
    if sim.views == 0 or decision.resource == Resource.CPU:
        return sim.decision_ns
    looks = _looks_of_driver(sim, sim.scan_looks if decision.cause == Why.SCAN else NEVER)
    sim.looks += looks
    return sim.decision_ns + looks * sim.look_ns


@kernel
def pay(sim, decision, choice):
    """Charge a raised decision to whom it concerns; see N19."""
    price, paid = _price(sim, decision), True
    if price == 0:
        return
    if decision.resource == Resource.CPU:
        paid = _pay_as_switch(sim, decision, choice, price)
    elif decision.cause == Why.FAULT:
        sim.decided_ns = price
    else:
        page = decision.entity if decision.cause == Why.HINT else choice
        paid = page >= 0 and charge_move(sim, sim.entities[page].last_user, price)
    if paid:
        sim.deciding_ns += price


@kernel
def _pay_as_switch(sim, decision, choice, price):
    """A holder that stays pays at once, who gets the core or asked for it with its next switch; a vacancy does not."""
    if decision.kind == Kind.EVICT:
        sim.threads[decision.entity].owed += price
    elif choice < 0:
        return False
    elif choice == decision.entity:
        charge(sim, choice)
        sim.threads[choice].switch_left += price
        put_off(sim, choice)
    else:
        sim.threads[choice].owed += price
    return True


@inlined
def is_paid(sim):
    """Whether decisions, or looks, may cost, or are counted at the least."""
    return sim.decision_ns > 0 or sim.views > 0
