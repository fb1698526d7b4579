"""Multi-generation LRU against lists in plain Python, after mm/vmscan.c of Linux 6.6, and on paper."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import host, misses, run

from sos_gym import Tape, evaluate
from sos_gym.engine.simulation import Simulation
from sos_gym.resource import Op, Resource, Why
from sos_gym.settings.environment import build_settings

ANON, FILE = 0, 1
MAX_NR_GENS, MIN_NR_GENS, MAX_NR_TIERS = 4, 2, 4
SPECS = (
    {},
    {"swappiness": 2},
    {"swappiness": 198},
    {"batch": 1},
    {"batch": 3},
    {"descriptors": 1},
    {"descriptors": 1, "batch": 1},
)


class Lruvec:
    """The kernel's lists: index 0 is the head, where pages join, -1 the tail, from which they are taken."""

    def __init__(self, frames, files=(), swappiness=60, batch=64, descriptors=0):
        self.frames, self.files, self.swappiness, self.batch = frames, set(files), swappiness, batch
        self.read = self.files if descriptors else set()  # through file descriptors
        self.max_seq, self.min_seq = MIN_NR_GENS + 1, [0, 0]
        self.lists = defaultdict(list)  # (seq modulo MAX_NR_GENS, type) -> pages
        self.seq, self.stands = {}, {}  # page -> its sequence number; the list it stands in
        self.young, self.refs, self.referenced = set(), Counter(), set()
        self.shadows = {}  # page -> (type, min_seq, refs)
        self.refaulted, self.evicted, self.protected = Counter(), Counter(), Counter()  # by (type, tier)
        self.avg_refaulted, self.avg_total = Counter(), Counter()
        self.victims = []

    # -- what happens to pages

    def touch(self, page):
        if page not in self.seq:
            if len(self.seq) == self.frames:
                self.evict(self.find_victim(), shadow=True, counts=True)
            self.fault_in(page)
        if page in self.read:
            if page in self.referenced:
                self.refs[page] = min(self.refs[page] + 1, 4)
            self.referenced.add(page)
        else:
            self.young.add(page)

    def fault_in(self, page):
        kind, shadow = self.type(page), self.shadows.pop(page, None)
        self.forget(page)
        if shadow is not None and shadow[0] == self.min_seq[kind]:
            self.refaulted[kind, self.tier(shadow[1])] += 1
            if page not in self.read or shadow[1] >= 3:
                self.refs[page] = 4
        self.add(page, self.inactive(FILE) if page in self.read else self.max_seq)

    def cool(self, page):
        if page in self.seq:
            self.young.discard(page)
            self.forget(page)
            self.move(page, self.inactive(self.type(page)), head=True)

    def evict(self, page, shadow, counts=False):
        kind = self.type(page)
        refs = self.refs[page] if page in self.referenced else 0
        self.lists[self.stands.pop(page)].remove(page)
        del self.seq[page]
        self.young.discard(page)
        if counts:
            self.victims.append(page)
            self.try_to_inc_min_seq()
        self.shadows.pop(page, None)
        if shadow:
            self.shadows[page] = (self.min_seq[kind], refs)
            self.evicted[kind, self.tier(refs)] += 1

    def inactive(self, kind):
        if kind == ANON:
            return self.max_seq - 1
        low = self.min_seq[FILE]
        return low if low + MIN_NR_GENS >= self.max_seq else low + 1

    # -- lists

    def type(self, page):
        return FILE if page in self.files else ANON

    @staticmethod
    def tier(refs):
        return math.ceil(math.log2(refs + 1))

    def forget(self, page):
        self.refs[page] = 0
        self.referenced.discard(page)

    def add(self, page, seq):
        self.seq[page], self.stands[page] = seq, (seq % MAX_NR_GENS, self.type(page))
        self.lists[self.stands[page]].insert(0, page)

    def move(self, page, seq, head):
        self.lists[self.stands[page]].remove(page)
        self.seq[page], self.stands[page] = seq, (seq % MAX_NR_GENS, self.type(page))
        self.lists[self.stands[page]].insert(0 if head else len(self.lists[self.stands[page]]), page)

    def oldest(self, kind):
        return self.lists[self.min_seq[kind] % MAX_NR_GENS, kind]

    def nr_gens(self, kind):
        return self.max_seq - self.min_seq[kind] + 1

    def inc_gen(self, page):
        """folio_inc_gen and list_move_tail."""
        seq = self.seq[page]
        if seq == self.min_seq[self.type(page)]:
            seq += 1
            self.forget(page)
        self.move(page, seq, head=False)

    # -- feedback

    def ctrl_pos(self, kind, tier, gain):
        at = kind, tier
        total = self.avg_total[at] + self.evicted[at] + (self.protected[at] if tier else 0)
        return self.avg_refaulted[at] + self.refaulted[at], total, gain

    def positive_ctrl_err(self, sp, pv):
        return pv[0] < self.batch or pv[0] * (sp[1] + self.batch) * sp[2] <= (sp[0] + 1) * pv[1] * pv[2]

    def reset_ctrl_pos(self, kind):
        for tier in range(MAX_NR_TIERS):
            at = kind, tier
            self.avg_refaulted[at] = (self.avg_refaulted[at] + self.refaulted[at]) // 2
            self.avg_total[at] = (self.avg_total[at] + self.evicted[at] + self.protected[at]) // 2
            self.refaulted[at] = self.evicted[at] = self.protected[at] = 0

    def tier_idx(self, kind, sp, gain):
        for tier in range(1, MAX_NR_TIERS):
            if not self.positive_ctrl_err(sp, self.ctrl_pos(kind, tier, gain)):
                return tier - 1
        return MAX_NR_TIERS - 1

    def own_tier_idx(self, kind):
        return self.tier_idx(kind, self.ctrl_pos(kind, 0, 1), 2)

    # -- generations

    def try_to_inc_min_seq(self):
        found = []
        for kind in (ANON, FILE):
            seq = self.min_seq[kind]
            while seq + MIN_NR_GENS <= self.max_seq and not self.lists[seq % MAX_NR_GENS, kind]:
                seq += 1
            found.append(seq)
        found[ANON] = min(found)
        found[FILE] = max(found[ANON], self.min_seq[FILE])
        for kind in (ANON, FILE):
            if found[kind] != self.min_seq[kind]:
                self.reset_ctrl_pos(kind)
                self.min_seq[kind] = found[kind]

    def should_run_aging(self):
        low = self.min_seq[ANON]
        if low + MIN_NR_GENS > self.max_seq:
            return True
        if low + MIN_NR_GENS < self.max_seq:
            return False
        count = Counter(self.seq.values())
        young, old, total = count[self.max_seq], count[self.max_seq - MIN_NR_GENS], len(self.seq)
        return young * MIN_NR_GENS > total or old * (MIN_NR_GENS + 2) < total

    def age(self):
        for page in self.young:  # in any order: numbers change, lists do not
            self.seq[page] = self.max_seq
            self.forget(page)
        self.young.clear()
        for kind in (FILE, ANON):
            if self.nr_gens(kind) == MAX_NR_GENS:
                while self.oldest(kind):
                    self.inc_gen(self.oldest(kind)[-1])
                self.reset_ctrl_pos(kind)
                self.min_seq[kind] += 1
        self.max_seq += 1

    # -- eviction

    def find_victim(self):
        while True:
            if self.should_run_aging():
                self.age()
            page = self.isolate()
            if page is not None:
                return page
            self.try_to_inc_min_seq()

    def isolate(self):
        gain = {ANON: self.swappiness, FILE: 200 - self.swappiness}
        if self.min_seq[ANON] < self.min_seq[FILE]:
            kind, tier = ANON, self.own_tier_idx(ANON)
        else:
            sp, pv = self.ctrl_pos(ANON, 0, gain[ANON]), self.ctrl_pos(FILE, 0, gain[FILE])
            kind = FILE if self.positive_ctrl_err(sp, pv) else ANON
            tier = self.tier_idx(kind, self.ctrl_pos(1 - kind, 0, gain[1 - kind]), gain[kind])
        page = self.scan(kind, tier)
        return page if page is not None else self.scan(1 - kind, self.own_tier_idx(1 - kind))

    def scan(self, kind, tier_idx):
        if self.nr_gens(kind) == MIN_NR_GENS:
            return None
        while self.oldest(kind):
            page = self.oldest(kind)[-1]
            tier = self.tier(self.refs[page])
            if self.seq[page] != self.min_seq[kind]:
                self.move(page, self.seq[page], head=True)
            elif tier > tier_idx or self.refs[page] == 4:
                self.protected[kind, tier] += 1
                self.inc_gen(page)
            elif page not in self.young:
                return page
            else:
                self.young.discard(page)
                self.forget(page)
                self.move(page, self.max_seq, head=True)
                self.look_around()
        return None

    def look_around(self):
        """All pages of these tests are neighbours."""
        for page in self.young:
            self.seq[page] = self.max_seq
            self.forget(page)
        self.young.clear()


# -- random strings

TOUCH, COLD, PAGEOUT, DONTNEED = Op.READ, Op.COLD, Op.PAGEOUT, Op.DONTNEED
ops = st.sampled_from([TOUCH] * 12 + [COLD, PAGEOUT, DONTNEED])
strings = st.lists(st.tuples(ops, st.integers(0, 9)), min_size=1, max_size=120)


def victims_of(program, files, frames, spec):
    """In order, as pages of the program."""
    order = list(dict.fromkeys(page for _, page in program))  # pages are numbered as they first stand in a tape
    tape = Tape.build([program], pages={page: {"file": 1} for page in files if page in order})
    simulation = Simulation(tape, build_settings({"nodes": 1, "frames": frames}), [host(spec)], seed=1)
    simulation.advance()
    found = []
    while simulation.undecided:
        choice = int(simulation.arrays["advice"][0])
        found.append(order[choice - 1])
        simulation.advance(choice)
    return found, simulation


def in_plain_lists(program, files, frames, **parameters):
    lruvec = Lruvec(frames, files, **parameters)
    for op, page in program:
        if op == TOUCH:
            lruvec.touch(page)
        elif op == COLD:
            lruvec.cool(page)
        elif page in lruvec.seq:
            lruvec.evict(page, shadow=op == PAGEOUT)
        elif op == DONTNEED:
            lruvec.shadows.pop(page, None)
    return lruvec


def spec_of(parameters):
    given_parameters = ", ".join(f"{name}={value}" for name, value in parameters.items())
    return f"mglru({given_parameters})" if parameters else "mglru"


def agree(program, files, frames, parameters):
    """The same victims, generations and counts."""
    found, simulation = victims_of(program, files, frames, spec_of(parameters))
    plain = in_plain_lists(program, files, frames, **parameters)
    assert found == plain.victims
    own = simulation.kept("own", 0, Resource.MEMORY)
    assert own["generations"]["youngest"][0] == plain.max_seq
    assert own["generations"]["oldest"][0].tolist() == plain.min_seq
    counts = {"came_back": plain.refaulted, "evicted": plain.evicted, "protected": plain.protected}
    for name, plain_counts in counts.items():
        flat = [plain_counts[kind, tier] for kind in (ANON, FILE) for tier in range(MAX_NR_TIERS)]
        assert own["refaults"][name][0].tolist() == flat


@pytest.mark.parametrize("parameters", SPECS, ids=spec_of)
def test_it_evicts_as_the_kernels_lists_do(parameters):
    @settings(max_examples=250, deadline=None, derandomize=True)
    @given(strings, st.sets(st.integers(0, 9)), st.integers(2, 7))
    def check(program, files, frames):
        agree(program, files, frames, parameters)

    check()


@pytest.mark.parametrize("parameters", SPECS, ids=spec_of)
def test_it_evicts_as_the_kernels_lists_do_for_long(parameters):
    """Pages of three working sets, used unequally often, half of them of files; 30 are all neighbours of each other."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        sets = [rng.choice(30, 12, replace=False) for _ in range(3)]
        pages = [int(sets[i // 300 % 3][int(12 * rng.random() ** 2)]) for i in range(3_000)]
        kinds = rng.choice([TOUCH, COLD, PAGEOUT, DONTNEED], 3_000, p=(0.94, 0.02, 0.02, 0.02))
        program = [(Op(op), page) for op, page in zip(kinds.tolist(), pages, strict=True)]
        agree(program, range(0, 30, 2), 5 + 2 * seed, parameters)


# -- on paper


def test_generations_by_hand():
    """Four frames, generations 0 to 3. Pages 0 to 3 come in the youngest, 3. At 4 nobody is old: two walks, the second
    finds nobody used; 3 is the oldest of 3 to 5, and 0 goes. 1 is used: at 5 the hand sends it to generation 5, and 2
    goes. At 2 most are young: a walk opens 6, and 3 goes, the last of its generation; the oldest is 5. At 3 another one
    opens 7, and 4 goes. 3 left when 5 was the oldest, which it is: a refault."""
    found, simulation = victims_of([(TOUCH, page) for page in (0, 1, 2, 3, 4, 1, 5, 2, 3)], (), 4, "mglru")
    assert found == [0, 2, 3, 4]
    own = simulation.kept("own", 0, Resource.MEMORY)
    assert (own["generations"]["youngest"][0], own["generations"]["oldest"][0].tolist()) == (7, [5, 5])
    assert own["refaults"]["came_back"][0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]


def mixed(length=3_000):
    """30 anonymous pages and as many of files, at random: in 40 frames all come back."""
    drawn = np.random.default_rng(0).integers(0, 60, length).tolist()
    return [(TOUCH, page) for page in drawn], range(30, 60)


def test_swappiness_says_whose_pages_go():
    """Where one refault counts. Where 64 in a generation are few, file pages go first, whatever it says."""
    program, files = mixed()
    shares = {}
    for parameters in ("swappiness=2, batch=1", "batch=1", "swappiness=198, batch=1", "swappiness=198"):
        found, _ = victims_of(program, files, 40, f"mglru({parameters})")
        shares[parameters] = sum(page < 30 for page in found) / len(found)
    few, some, many, unheard = shares.values()
    assert few < some < many - 0.02 and unheard <= few


@pytest.mark.parametrize(
    ("refaults", "evictions", "batch", "kind"),
    [
        (0, 1, 1, FILE),
        (1, 2, 1, FILE),
        (3, 1, 1, ANON),
        (3, 2, 1, FILE),
        (7, 3, 1, FILE),
        (8, 3, 1, ANON),
        (63, 9, 64, FILE),
    ],
)
def test_refaults_say_of_which_kind_by_hand(refaults, evictions, batch, kind):
    """Of n file pages sent away r came back, of anonymous ones none: file pages go while r is less than a batch, or
    r * (0 + batch) * 60 <= (0 + 1) * n * 140, that is r <= 7 / 3 n where the batch is one page."""
    lruvec = Lruvec(4, files=[9], batch=batch)
    lruvec.refaulted[FILE, 0], lruvec.evicted[FILE, 0] = refaults, evictions
    lruvec.max_seq, lruvec.min_seq = 5, [3, 3]
    lruvec.add(1, 3)
    lruvec.add(9, 3)
    assert lruvec.type(lruvec.isolate()) == kind


def test_pages_that_are_read_again_and_again_are_protected():
    """File pages through descriptors, in four frames: 0 is read five times at a time, the others once. Where its tier
    comes back more often than the first one it is protected, and so misses less than under FIFO."""
    rounds = [[10] * 5 + [11 + (3 * k + i) % 40 for i in range(3)] for k in range(60)]
    program, files = [(TOUCH, page) for pages in rounds for page in pages], range(10, 51)
    found, _ = victims_of(program, files, 4, "mglru(descriptors=1, batch=1)")
    assert found.count(10) < 59 / 2


def test_a_use_between_walks_is_all_the_same_for_it():
    """How often a page is used between two walks, and in which order, does not matter."""
    once = [(TOUCH, page) for page in (0, 1, 2, 3, 0, 1, 4, 2, 5, 0, 6, 1)]
    often = [(TOUCH, page) for page in (0, 1, 2, 3, 1, 0, 0, 0, 1, 4, 2, 5, 0, 6, 1)]
    assert victims_of(once, (), 4, "mglru")[0] == victims_of(often, (), 4, "mglru")[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=60))
def test_where_all_fit_nobody_goes(references):
    assert misses(references, "mglru", 8) == len(set(references))


def test_on_cores_who_has_run_waits_for_who_has_not():
    """Three threads of 3 ms, slices of 1 ms: each has one before anybody has a second."""
    tape = Tape.build([[(Op.COMPUTE, 3_000_000)]] * 3)
    free = {"switch_ns": 0, "move_ns": 0}
    threads = run(tape, "mglru", cores=1, horizon_ns=3_000_000, **free).arrays["threads"]
    assert threads["service"].tolist() == [1_000_000] * 3


@pytest.mark.parametrize(
    ("pages", "hot_ns", "farther"),
    [
        ((0, 1, 2, 2), 200_000, [2]),
        ((0, 1, 2, 2, 2), 200_000, [2, 2]),
        ((0, 1, 2, 2, 2, 2), 200_000, [2, 2, 0]),
        ((0, 1, 2, 2, 2, 0, 2), 200_000, [2, 2, 1]),
        ((0, 1, 2, 2, 2, 2, 2), 1, [2, 2, 2, 2]),
    ],
)
def test_of_the_fast_pages_an_unused_one_makes_room(pages, hot_ns, farther):
    """Two fast frames. At its first hint 2 is not hot. At the second all were used since they came: the walk clears the
    marks, and 2 stays. At the third one who was not used since goes, of two the one that came first."""
    tape = Tape.build([[(Op.READ, page) for page in pages]])
    made = build_settings({"nodes": 2, "tiers": True, "frames": (2, 1), "hint_ns": 1})
    simulation, found = Simulation(tape, made, [host(f"mglru(hot_ns={hot_ns})")], seed=1), []
    simulation.advance()
    while simulation.undecided:
        choice = int(simulation.arrays["advice"][0])
        if simulation.decision["cause"] == Why.HINT:
            found.append(choice - 1)
        simulation.advance(choice)
    assert found == farther


def test_linux_decides_as_its_two_halves():
    for env in ("sos/System-v0", "sos/Tier-v0"):
        one, two = (evaluate(env, policy, seed=3)[0] for policy in ("linux", "linux_eevdf + mglru"))
        assert {**one, "policy": ""} == {**two, "policy": ""}
