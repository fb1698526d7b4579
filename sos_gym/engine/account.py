"""Where every nanosecond of a thread goes, and how many threads stall."""

from ..kernel import kernel
from ..resource import NEVER, NONE, Status

RUNNING, CPU_WAIT, SLEEPING = int(Status.RUNNING), int(Status.CPU_WAIT), int(Status.SLEEPING)
BLOCKED, FAULTING = int(Status.BLOCKED), int(Status.FAULTING)
EXACT_BELOW, STEPS_BIT = 64, 5  # waits under 64 ns are counted exactly, longer ones in 32 steps per octave


@kernel
def left(thread):
    """What it has left to consume before the op in progress is complete, ns."""
    return thread.switch_left + thread.move_left + thread.remote_left + thread.service_left


@kernel
def _consume(sim, t, elapsed):
    """A holder's overhead is consumed first: switch, move, remote, service."""
    thread = sim.threads[t]
    part = min(elapsed, thread.switch_left)
    thread.switch_left -= part
    thread.switch += part
    stall, rest = part, elapsed - part
    part = min(rest, thread.move_left)
    thread.move_left -= part
    thread.move += part
    stall, rest = stall + part, rest - part
    part = min(rest, thread.remote_left)
    thread.remote_left -= part
    thread.remote += part
    stall, rest = stall + part, rest - part
    thread.service_left -= rest
    thread.service += rest
    sim.service_ns += rest
    entity = sim.entities[t]
    sim.owners[sim.owners.size // 2 + entity.owner].work_ns += rest
    entity.attained += rest
    entity.service = thread.service
    return stall


@kernel
def charge(sim, t):
    """Charge thread `t` up to now."""
    thread = sim.threads[t]
    elapsed = sim.now - thread.since
    if elapsed == 0:
        return
    thread.since = sim.now
    status = thread.status
    stall = elapsed
    if status == RUNNING:
        stall = _consume(sim, t, elapsed)
    elif status == CPU_WAIT:
        thread.cpu_wait += elapsed
    elif status == FAULTING:
        thread.fault_wait += elapsed
    else:
        stall = 0
        if status == SLEEPING or status == BLOCKED:  # not NEW, not EXITED
            thread.sleep += elapsed
    owner = sim.owners[sim.owners.size // 2 + sim.entities[t].owner]
    owner.stall_ns += stall
    sim.stall_ns += stall
    sim.stall_weighted += stall * sim.entities[t].weight


@kernel
def count_pressure(sim):
    """Integrate up to now in how much time some, or all, threads that are awake stalled."""
    elapsed = sim.now - sim.psi_since
    sim.psi_since = sim.now
    if sim.stalled > 0:
        sim.some_ns += elapsed
        if sim.running == 0:
            sim.full_ns += elapsed


@kernel
def log_wait(sim, resource, waited):
    """Count a stretch of waiting in its bucket, see `metrics.bucket_ns`."""
    bucket = waited
    if waited >= EXACT_BELOW:
        octave = STEPS_BIT + 1
        while waited >> (octave + 1):
            octave += 1
        step = (waited >> (octave - STEPS_BIT)) - (1 << STEPS_BIT)
        bucket = EXACT_BELOW + ((octave - STEPS_BIT - 1) << STEPS_BIT) + step
    sim.waits[resource * (sim.waits.size // 2) + bucket] += 1


@kernel
def become(sim, t, status):
    """Give thread `t` another status, charged up to now under the old one."""
    charge(sim, t)
    count_pressure(sim)
    thread = sim.threads[t]
    old = thread.status
    thread.status = status
    thread.since = sim.now
    sim.running += (status == RUNNING) - (old == RUNNING)
    was, now = old == CPU_WAIT or old == FAULTING, status == CPU_WAIT or status == FAULTING
    sim.stalled += int(now) - int(was)
    if was:
        log_wait(sim, 0 if old == FAULTING else 1, sim.now - thread.wait_since)
    if now:
        thread.wait_since = sim.now


@kernel
def begin_burst(sim, t, start):
    thread, entity = sim.threads[t], sim.entities[t]
    thread.burst_start = start
    entity.attained = 0
    entity.deadline = start + thread.deadline_ns if thread.deadline_ns != NONE else NEVER


@kernel
def end_burst(sim, t):
    """Log response and service of the burst; its length becomes the thread's last gap."""
    thread, entity = sim.threads[t], sim.entities[t]
    burst = sim.bursts[sim.bursts_used]
    sim.bursts_used += 1
    burst.thread, burst.start, burst.end, burst.attained = t, thread.burst_start, sim.now, entity.attained
    entity.prev_gap, entity.last_gap = entity.last_gap, entity.attained
    entity.gaps = min(entity.gaps + 1, 2)
