"""Locks: LOCK and UNLOCK, handed over first come, first served."""

from sos_gym.engine.account import become, left
from sos_gym.engine.cores import leave_core, want_core
from sos_gym.engine.events import Event, due
from sos_gym.engine.queues import join_queue, leave_queue
from sos_gym.kernel import kernel
from sos_gym.resource import NONE, Status, Why


@kernel
def _take(sim, t, lock):
    """Thread `t` holds a lock that is nobody's."""
    sim.locks[lock].holder, sim.locks[lock].below = t, sim.threads[t].held
    sim.threads[t].held = lock


@kernel
def acquire(sim, t, lock):
    """LOCK: take it, if it is nobody's; else thread `t` waits for it off its core, and its burst goes on."""
    if sim.locks[lock].holder == NONE:
        _take(sim, t, lock)
        return True
    sim.threads[t].lock = lock
    join_queue(sim, sim.locks[lock], t)
    if not sim.plenty_cores:
        leave_core(sim, t, Why.LOCK)
    become(sim, t, Status.LOCK_WAIT)
    return False


@kernel
def _let_go(sim, t, lock):
    """Thread `t` holds the lock no more."""
    before, held = NONE, sim.threads[t].held
    while held != lock and held != NONE:
        before, held = held, sim.locks[held].below
    if before == NONE:
        sim.threads[t].held = sim.locks[lock].below
    else:
        sim.locks[before].below = sim.locks[lock].below
    sim.locks[lock].holder = sim.locks[lock].below = NONE


@kernel
def hand_over(sim, t, lock):
    """UNLOCK: who has waited longest has the lock at once: nobody can come in between."""
    _let_go(sim, t, lock)
    heir = leave_queue(sim, sim.locks[lock])
    if heir == NONE:
        return
    _take(sim, heir, lock)
    sim.threads[heir].lock = NONE
    if sim.plenty_cores:
        become(sim, heir, Status.RUNNING)
        due(sim, heir, sim.now + left(sim.threads[heir]), Event.COMPLETION)
    else:
        become(sim, heir, Status.CPU_WAIT)
        want_core(sim, heir, Why.LOCK)
