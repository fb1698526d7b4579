"""What only a clairvoyant reads: own-thread work, ns, to the next use of a page or to the end of a burst.

Each page has its next READ or WRITE by each thread that uses it. Those of resident pages are members of `awaited`, a
bitmap over the tape's ops, so that the page used farthest ahead by a thread is that of the greatest member.
"""

import numpy as np

from sos_gym.engine.account import work_of
from sos_gym.engine.bitmap import WORD_BITS, enter
from sos_gym.engine.uses import publish
from sos_gym.kernel import inlined, kernel, prefetch
from sos_gym.resource import NEVER, NONE, Op


@inlined
def look_ahead(sim, t, p, resident):
    """Thread `t` touches page number `p`: its next use is the one behind."""
    awaited = sim.awaited
    for u in range(sim.first_user[p], sim.first_user[p + 1]):
        user = sim.page_users[u]
        touching = user.thread == t
        if touching:
            user.position = sim.next_use[user.position]
        if user.position != NONE and (touching or not resident):
            enter(awaited, sim.ops.size, user.position)


@inlined
def expect_look_ahead(sim, op):
    """Bring to the processor's cache what `look_ahead` will read and write when `op`, a touch, is carried out."""
    prefetch(sim.page_users, sim.first_user[sim.ops[op].arg])
    prefetch(sim.awaited, sim.next_use[op] >> WORD_BITS)


@inlined
def used_again(view, p):
    """Whether anybody uses page number `p` after what is being carried out."""
    for u in range(view.first_user[p], view.first_user[p + 1]):
        if view.page_users[u].position != NONE:
            return True
    return False


@kernel
def work_done(view, t):
    """Work of the tape before where thread `t` stands, ns."""
    thread = view.threads[t]
    if not thread.started:
        return view.work[thread.pc]
    return view.work[thread.pc + 1] - thread.service_left


@kernel
def to_next_use(view, p):
    """From now to the next use of page number `p` by any thread."""
    nearest = NEVER
    for u in range(view.first_user[p], view.first_user[p + 1]):
        user = view.page_users[u]
        if user.position != NONE:
            nearest = min(nearest, view.work[user.position] - work_done(view, user.thread))
    return nearest


@kernel
def foresee(sim, contenders):
    """Bring `future` of the listed contenders up to date."""
    for i in range(contenders):
        e = sim.contenders[i]
        if e >= sim.threads_count:
            sim.entities[e].future = to_next_use(sim, e - sim.threads_count)
        elif e >= 0:
            sim.entities[e].future = sim.work[sim.burst_end[sim.threads[e].pc]] - work_done(sim, e)
        if e >= 0:
            publish(sim, e)


# -- what the generator knew


@inlined
def position(view, t):
    """The op that thread `t` begins next."""
    return view.threads[t].pc + view.threads[t].started


@kernel
def recall(sim):
    """Bring the forecasts up to date: of each thread those of the ops that it has reached."""
    for t in range(sim.threads_count):
        reached = min(position(sim, t), sim.threads[t].last - 1)
        row = sim.forecast_next[t]
        while row < sim.forecast_rows.size and sim.forecast_rows[row].at <= reached:
            told = sim.forecast_rows[row]
            known = sim.forecasts[told.entity]
            known.value, known.then = told.value, told.then
            row += 1
        sim.forecast_next[t] = row


# -- laid once, from the tape


@kernel
def lay_futures(sims):
    """What is walked along above: work before each op, next use of its page, end of its burst; users per page."""
    sim = sims[0]
    _lay_work(sim)
    _lay_users(sim)


@kernel
def _lay_work(sim):
    ops, done = sim.ops, 0
    for t in range(sim.threads_count):
        thread = sim.threads[t]
        for i in range(thread.first, thread.last):
            op = ops[i]
            sim.work[i] = done
            if op.op == Op.COMPUTE:
                done += op.arg
            elif op.op == Op.READ or op.op == Op.WRITE:
                done += work_of(sim, t, op)
        end = thread.last
        for i in range(thread.last - 1, thread.first - 1, -1):
            op = ops[i].op
            if op == Op.SLEEP or op == Op.SLEEP_UNTIL or op == Op.WAIT or op == Op.EXIT:
                end = i
            sim.burst_end[i] = end
    sim.work[ops.size], sim.burst_end[ops.size] = done, ops.size


@kernel
def _lay_users(sim):
    """Backwards twice: for the next uses and the number of users, then for the users and their first positions."""
    ops, pages = sim.ops, sim.page_table.size
    latest = np.full(pages, ops.size)
    for t in range(sim.threads_count - 1, -1, -1):
        thread = sim.threads[t]
        for i in range(thread.last - 1, thread.first - 1, -1):
            op = ops[i]
            if op.op == Op.READ or op.op == Op.WRITE:
                again = latest[op.arg]
                sim.next_use[i] = again if again < thread.last else NONE
                sim.first_user[op.arg + 1] += again >= thread.last
                latest[op.arg] = i
    for p in range(pages):
        sim.first_user[p + 1] += sim.first_user[p]
        latest[p] = sim.first_user[p + 1]
    for t in range(sim.threads_count - 1, -1, -1):
        thread = sim.threads[t]
        for i in range(thread.last - 1, thread.first - 1, -1):
            op = ops[i]
            if op.op == Op.READ or op.op == Op.WRITE:
                latest[op.arg] -= sim.next_use[i] == NONE
                user = sim.page_users[latest[op.arg]]
                user.thread, user.position = t, i
