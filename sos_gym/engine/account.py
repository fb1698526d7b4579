"""Where every nanosecond of a thread goes, and how many threads stall."""

from sos_gym.engine.uses import publish
from sos_gym.kernel import bit_length, inlined, kernel
from sos_gym.resource import NEVER, NONE, Resource, Status

EXACT_BELOW, STEPS_BIT = 64, 5  # waits under 64 ns are counted exactly, longer ones in 32 steps per octave


@inlined
def left(thread):
    """What it has left to consume before the op in progress is complete, ns."""
    return _overhead_left(thread) + thread.service_left


@inlined
def _overhead_left(thread):
    return thread.switch_left + thread.move_left + thread.minor_left + thread.remote_left


@inlined
def work_of(sim, t, op):
    """Service of a READ or WRITE, ns: the thread's own work and local accesses."""
    return sim.threads[t].think_ns + op.lines * sim.local_line_ns


@inlined
def account_of(sim, t):
    """Where service and stall of thread `t`'s owner are kept."""
    return sim.owners[sim.owners.size // 2 + sim.entities[t].owner]


@kernel
def _consume_overhead(sim, thread, elapsed):
    """A holder's overhead is consumed before service: switch, move, minor, remote; how much of `elapsed` it takes."""
    switch = min(elapsed, thread.switch_left)
    thread.switch_left -= switch
    thread.switch += switch
    move = min(elapsed - switch, thread.move_left)
    thread.move_left -= move
    thread.move += move
    minor = min(elapsed - switch - move, thread.minor_left)
    thread.minor_left -= minor
    thread.minor += minor
    remote = min(elapsed - switch - move - minor, thread.remote_left)
    thread.remote_left -= remote
    thread.remote += remote
    sim.remote_ns += remote
    return switch + move + minor + remote


@inlined
def _serve(sim, t, served):
    thread, entity = sim.threads[t], sim.entities[t]
    thread.service_left -= served
    thread.service += served
    entity.service = thread.service
    entity.attained += served
    publish(sim, t)
    sim.service_ns += served
    account_of(sim, t).work_ns += served


@inlined
def charge_stall(sim, t, stall):
    """Charge `stall` ns to the sums of thread `t`'s owner and of all."""
    account_of(sim, t).stall_ns += stall
    sim.stall_ns += stall
    sim.stall_weighted += stall * sim.entities[t].weight


@kernel
def _charge(sim, t, elapsed):
    thread = sim.threads[t]
    status = thread.status
    if status == Status.RUNNING:
        stall = 0
        if _overhead_left(thread) > 0:
            stall = _consume_overhead(sim, thread, elapsed)
            charge_stall(sim, t, stall)
        _serve(sim, t, elapsed - stall)
    elif status == Status.CPU_WAIT:
        thread.cpu_wait += elapsed
        charge_stall(sim, t, elapsed)
    elif status == Status.FAULTING:
        thread.fault_wait += elapsed
        charge_stall(sim, t, elapsed)
    elif status == Status.LOCK_WAIT:
        thread.lock_wait += elapsed
        charge_stall(sim, t, elapsed)
    elif status == Status.SLEEPING or status == Status.BLOCKED:  # not NEW, not EXITED
        thread.sleep += elapsed


@inlined
def charge(sim, t):
    """Charge thread `t` up to now."""
    elapsed = sim.now - sim.threads[t].since
    if elapsed > 0:
        sim.threads[t].since = sim.now
        _charge(sim, t, elapsed)


@inlined
def count_pressure(sim):
    """Integrate up to now in how much time some, or all, threads that are awake stalled, and how many ran."""
    elapsed = sim.now - sim.psi_since
    sim.psi_since = sim.now
    sim.running_ns += sim.running * elapsed
    if sim.stalled > 0:
        sim.some_ns += elapsed
        if sim.running == 0:
            sim.full_ns += elapsed


@inlined
def log_wait(sim, resource, waited):
    """Count a stretch of waiting in its bucket, see `metrics.bucket_ns`."""
    bucket = waited
    if waited >= EXACT_BELOW:
        octave = bit_length(waited) - 1
        step = (waited >> (octave - STEPS_BIT)) - (1 << STEPS_BIT)
        bucket = EXACT_BELOW + ((octave - STEPS_BIT - 1) << STEPS_BIT) + step
    sim.waits[resource * (sim.waits.size // 2) + bucket] += 1


@inlined
def stall_in_place(sim, t, stall):
    """Thread `t` waits `stall` ns for a page, and nothing else happens meanwhile. It is charged up to now."""
    thread = sim.threads[t]
    count_pressure(sim)
    sim.running -= 1
    sim.stalled += 1
    sim.now += stall
    count_pressure(sim)
    sim.running += 1
    sim.stalled -= 1
    thread.since = sim.now
    thread.fault_wait += stall
    charge_stall(sim, t, stall)
    log_wait(sim, Resource.MEMORY, stall)


@kernel
def become(sim, t, status):
    """Give thread `t` another status, charged up to now under the old one."""
    charge(sim, t)
    count_pressure(sim)
    thread = sim.threads[t]
    old = thread.status
    thread.status = status
    thread.since = sim.now
    sim.running += (status == Status.RUNNING) - (old == Status.RUNNING)
    was, now = old == Status.CPU_WAIT or old == Status.FAULTING, status == Status.CPU_WAIT or status == Status.FAULTING
    sim.stalled += int(now) - int(was)
    if was:
        log_wait(sim, Resource.MEMORY if old == Status.FAULTING else Resource.CPU, sim.now - thread.wait_since)
    if now:
        thread.wait_since = sim.now


@kernel
def begin_burst(sim, t, start):
    """Count service and deadline from `start` on."""
    thread, entity = sim.threads[t], sim.entities[t]
    thread.burst_start = start
    entity.attained = 0
    entity.deadline = start + thread.deadline_ns if thread.deadline_ns != NONE else NEVER
    publish(sim, t)


@kernel
def end_burst(sim, t):
    """Log response and service of the burst; its length becomes the thread's last gap."""
    thread, entity = sim.threads[t], sim.entities[t]
    burst = sim.bursts[sim.bursts_used]
    sim.bursts_used += 1
    burst.thread, burst.start, burst.end, burst.attained = t, thread.burst_start, sim.now, entity.attained
    entity.prev_gap, entity.last_gap = entity.last_gap, entity.attained
    entity.gaps = min(entity.gaps + 1, 2)
    publish(sim, t)
