"""What only a clairvoyant reads: own-thread work, ns, to the next use of a page or to the end of a burst.

Nothing is kept up while the tape runs: a page's pointers move forward along its chain of uses when they are asked for.
"""

from ..kernel import kernel
from ..resource import NEVER


@kernel
def work_done(sim, t):
    """Work of the tape before where thread `t` stands, ns."""
    thread = sim.threads[t]
    if not thread.started:
        return sim.work[thread.pc]
    return sim.work[thread.pc + 1] - thread.service_left


@kernel
def _to_next_use(sim, p):
    nearest = NEVER
    for u in range(sim.first_user[p], sim.first_user[p + 1]):
        user = sim.page_users[u]
        thread = sim.threads[user.thread]
        while user.position >= 0 and user.position < thread.pc + thread.started:
            user.position = sim.next_use[user.position]
        if user.position >= 0:
            nearest = min(nearest, sim.work[user.position] - work_done(sim, user.thread))
    return nearest


@kernel
def foresee(sim, contenders):
    """Bring `future` of the listed contenders up to date."""
    for i in range(contenders):
        e = sim.contenders[i]
        if e >= sim.threads_count:
            sim.entities[e].future = _to_next_use(sim, e - sim.threads_count)
        elif e >= 0:
            sim.entities[e].future = sim.work[sim.burst_end[sim.threads[e].pc]] - work_done(sim, e)
