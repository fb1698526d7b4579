"""How uses of pages are seen: computed on paper, by theorems, and against what everybody sees alone."""

import pickle

import numpy as np
import pytest
from runs import run

import sos_gym
from sos_gym.engine.mistakes import PolicyError
from sos_gym.engine.simulation import MOST_VIEWS, Simulation
from sos_gym.policy import policy_of
from sos_gym.policy.words import Policy, kernel, look
from sos_gym.resource import NONE, Op
from sos_gym.settings.environment import SettingError, build_settings
from sos_gym.workload import Tape

PLAIN = {"nodes": 1, "scan_ns": None}
SIGHTS = ("exact", "sampled", "scanned")


def references(seed, count=4_000, pages=60):
    """A trace with a changing working set, some of it hot."""
    draws = np.random.default_rng(seed)
    hot = draws.zipf(1.3, count) % pages
    return [int((page + step // 500 * 7) % pages) for step, page in enumerate(hot)]


def misses(policy, trace, frames, **settings):
    tape = Tape.from_references(trace, ns_per_reference=100)
    return sos_gym.evaluate("sos/Memory-v0", policy, workload=tape, frames=frames, **PLAIN, **settings)[0]["faults"]


# -- theorems


@pytest.mark.parametrize("seed", range(6))
def test_lru_that_only_reads_the_bit_of_who_is_to_go_is_clock(seed):
    """Its front is looked at: not used, it goes; used, it is the most recent now. That is second chance."""
    trace = references(seed)
    for frames in (7, 20):
        seen = misses("lru", trace, frames, sight="scanned", harvest_ns=None)
        assert seen == misses("clock", trace, frames)
        assert seen != misses("lru", trace, frames)


@pytest.mark.parametrize("name", ["clock", "sieve", "turns", "clairvoyant", "lottery"])
def test_who_reads_one_bit_at_its_hand_or_no_use_at_all_loses_nothing(name):
    for seed in range(3):
        trace = references(seed)
        assert misses(name, trace, 20, sight="scanned", harvest_ns=None) == misses(name, trace, 20)


@pytest.mark.parametrize("name", ["lru", "arc", "sieve", "lirs", "s3fifo"])
def test_unmapped_at_every_fault_all_first_touches_between_faults_are_seen(name):
    """Seen are the first touches after each fault. For LRU they are all that counts, but for the order within.

    A trace in which no page is touched twice between two faults leaves nothing unseen, for any policy.
    """
    trace = [page for start in range(0, 400, 2) for page in (start % 37, 40 + start // 2, start % 11)]
    assert misses(name, trace, 12, sight="sampled", sample_faults=1) == misses(name, trace, 12)


def test_less_is_seen_the_less_often_pages_are_unmapped():
    """Uses that are seen fall to none; then LRU is FIFO."""
    trace = references(1)
    seen = [looks(trace, sample_faults) for sample_faults in (1, 4, 16, 1 << 20)]
    assert seen == sorted(seen, reverse=True) and len(set(seen)) == 4 and seen[-1] == 0
    assert misses("lru", trace, 20, sight="sampled", sample_faults=1 << 20) == misses("fifo", trace, 20)


def looks(trace, sample_faults):
    tape = Tape.from_references(trace, ns_per_reference=100)
    given = {"workload": tape, "frames": 20, "sight": "sampled", "sample_faults": sample_faults, **PLAIN}
    return sos_gym.evaluate("sos/Memory-v0", "lru", **given)[0]["looks"]


# -- on paper

FREE = {name: 0 for name in ("first_touch_ns", "minor_fault_ns", "write_back_ns", "shootdown_ns", "shootdown_core_ns")}


def test_a_touch_of_an_unmapped_page_costs_and_is_seen():
    """3 frames, unmapped at each second fault. Pages 0 1 | 0 0 2: each access 10, each fault 0, a look 7.

    At the fault on 1 page 0 is unmapped: its next touch is seen, 20-37, the one after it is not, 37-47. Page 2 is new.
    """
    tape = Tape.build([[(Op.READ, page, 1) for page in (0, 1, 0, 0, 2)]])
    given = {**FREE, "local_line_ns": 10, "remote_line_ns": 10, "look_ns": 7, "sight": "sampled", "sample_faults": 2}
    simulation = run(tape, "lru", frames=3, **given)
    assert simulation.record["now"][0] == 5 * 10 + 7
    assert simulation.arrays["threads"]["minor"][0] == 7
    page = simulation.arrays["seen"][1]
    assert (page["uses"], page["uses_total"], page["last_use"], page["last_gap"]) == (2, 2, 20, 20)
    true = simulation.arrays["entities"][1]
    assert (true["uses"], true["last_use"], true["last_gap"]) == (3, 37, 17)
    assert simulation.record["looks"][0] == 1


def test_a_harvest_reads_all_bits_and_is_paid_by_who_used_the_page_last():
    """2 pages, each access 10; harvests at 35 and 70 read two bits each, 3 each.

    0 1 0 | 1 1 1: page 0 at 20 and 1 at 30 were used before 35: seen at 35. From then on page 1: 6 to pay at 35, of the
    thread. Ops end at 10, 20, 30, 40 + 6 = 46, 56, 66: over before 70.
    """
    tape = Tape.build([[(Op.READ, page, 1) for page in (0, 1, 0, 1, 1, 1)]])
    given = {**FREE, "local_line_ns": 10, "remote_line_ns": 10, "look_ns": 3, "sight": "scanned", "harvest_ns": 35}
    simulation = run(tape, "turns", frames=2, **given)
    assert simulation.record["now"][0] == 66 and simulation.arrays["threads"]["minor"][0] == 6
    seen = simulation.arrays["seen"].reshape(2, 3)
    assert seen["last_use"][:, 1].tolist() == [35, 35] and seen["uses"][:, 1].tolist() == [2, 2]
    assert seen["last_use"][:, 2].tolist() == [35, 35] and seen["uses"][:, 2].tolist() == [2, 2]
    assert (seen["use_seq"][:, 1] < seen["use_seq"][:, 2]).all()
    assert simulation.record["looks"][0] == 2


def test_a_look_costs_who_decides_and_not_who_advises():
    """Two frames, 0 1 0 2 0: clock's hand passes 0, which was used, and takes 1: two looks of 5 for the fault on 2."""
    tape = Tape.build([[(Op.READ, page, 1) for page in (0, 1, 0, 2, 0)]])
    given = {**FREE, "local_line_ns": 10, "remote_line_ns": 10, "look_ns": 5, "sight": "scanned", "harvest_ns": None}
    alone = run(tape, "clock", frames=2, **given)
    assert alone.record["now"][0] == 50 + 2 * 5 and alone.record["deciding_ns"][0] == 10
    assert alone.record["faults"][0] == 3  # 0 stayed
    settings = build_settings({"nodes": 1, "frames": 2, "tick_ns": None, **given})
    advised = Simulation(tape, settings, [policy_of(name).host() for name in ("fifo", "clock")], driver=0)
    advised.advance()
    assert advised.record["deciding_ns"][0] == 0 and advised.record["looks"][0] == 0
    assert advised.arrays["policies"]["looks"].tolist() == [0, 0, 2 + 1, 0]  # then 1, which was not used


def test_an_agent_pays_for_the_pages_that_it_is_shown():
    tape = Tape.build([[(Op.READ, page, 1) for page in (0, 1, 0, 2)]])
    given = {**FREE, "local_line_ns": 10, "remote_line_ns": 10, "look_ns": 5, "sight": "scanned", "harvest_ns": None}
    run_ = sos_gym.evaluate("sos/Memory-v0", lambda obs, info: 0, workload=tape, frames=2, **PLAIN, **given)[0]
    assert run_["elapsed_ns"] == 40 + 2 * 5 and run_["looks"] == 2


@kernel
def _look_at_all(my, e):
    for other in range(my.first_entity, my.entities.size):
        look(my, other)


@kernel
def _move_first(my, decision):
    return my.contenders[0]


CURIOUS = Policy("curious", "", "", "", "", "", pick=_move_first, move=_look_at_all)


def test_a_scan_pays_for_so_many_looks_as_there_are_rows_and_later_ones_for_the_rest():
    """Two nodes of 4 frames, 8 pages used from node 0; pages 4 to 7 are asked where to lie.

    At each scan two pages change places, and whoever is told so looks at all 8, twice. The scan at 500 has nothing to
    pay yet, those at 1 000 and 1 500 pay 4 looks each.
    """
    tape = Tape.build([[(Op.READ, page, 1) for page in range(8)] * 40])
    given = {**FREE, "local_line_ns": 10, "remote_line_ns": 10, "page_move_ns": 0, "nodes": 2, "frames": 8, "rows": 4}
    settings = build_settings(
        {**given, "look_ns": 5, "sight": "scanned", "harvest_ns": None, "scan_ns": 500, "horizon_ns": 1_700}
    )
    simulation = Simulation(tape, settings, [CURIOUS.host()], driver=0)
    simulation.advance()
    record, left = simulation.record[0], int(simulation.arrays["policies"]["looks"][0])
    assert (record["decisions"], record["looks"], left) == (4 + 3, 2 * 4, 3 * 2 * 8 - 2 * 4)


# -- who sees what


NAMES = ("lru", "clock", "sieve", "lirs", "s3fifo", "gap", "frequency", "guard", "clockpro", "lecar", "together")


@pytest.mark.parametrize("env_id", ["sos/Memory-v0", "sos/System-v0", "sos/Tier-v0"])
@pytest.mark.parametrize("sight", SIGHTS[1:])
def test_alone_is_followed_through_gym(env_id, sight):
    for name in NAMES:
        given = {"seed": 3, "sight": sight, "look_ns": 400 if sight == "sampled" else 0}
        alone, followed = (sos_gym.evaluate(env_id, name, through=way, **given)[0] for way in ("engine", "gym"))
        for run_ in (alone, followed):
            del run_["looks"]  # rows are looked at in one of them
        assert alone == followed, name


def test_what_is_seen_depends_on_the_sight():
    for env_id in ("sos/Memory-v0", "sos/System-v0"):
        for name in ("lru", "gap"):
            assert len({sos_gym.evaluate(env_id, name, seed=3, sight=sight)[0]["stall_ns"] for sight in SIGHTS}) == 3


def test_nobodys_look_clears_anothers_bit():
    """What clock advises beside others is what it advises alone, decision by decision."""
    tape, given = sos_gym.workload("phases", seed=5), {**PLAIN, "frames": 40, "sight": "scanned", "harvest_ns": 50_000}
    for name in ("clock", "lru"):
        alone = advice_of(tape, ("turns", name), given)
        assert advice_of(tape, ("turns", "arc", "sieve", name), given) == alone
    assert advice_of(tape, ("turns", "lru"), {**given, "harvest_ns": None}) != alone


def advice_of(tape, names, given):
    """What the last of the policies would choose while the first decides; and how the episode ends."""
    settings = build_settings({**given, "tick_ns": None})
    simulation = Simulation(tape, settings, [policy_of(name).host() for name in names], listing=True)
    advice = []
    simulation.advance()
    while simulation.undecided:
        advice.append(int(simulation.arrays["advice"][len(names) - 1]))
        simulation.advance(int(simulation.arrays["advice"][0]))
    return advice, int(simulation.record["stall_ns"][0])


# -- the word


@kernel
def _oldest(my, decision):
    """FIFO that gives whoever was used one more round, in so many words."""
    while True:
        best = NONE
        for i in range(decision.count):
            e = my.contenders[i]
            if e >= 0 and (best == NONE or my.each[e].place < my.each[best].place):
                best = e
        look(my, best)
        if not my.each[best].used:
            return best
        my.own.last += 1
        my.each[best].place, my.each[best].used = my.own.last, 0


@kernel
def _hold(my, e):
    my.own.last += 1
    my.each[e].place, my.each[e].used = my.own.last, 0


@kernel
def _use(my, e):
    my.each[e].used = 1


MINE = Policy(
    "mine", "", "", "", "", "", pick=_oldest, hold=_hold, use=_use, own={"last": 0}, each={"place": 0, "used": 0}
)


class Plain(sos_gym.PlainPolicy):
    """The same in Python."""

    def start(self):
        self.last, self.place, self.used = 0, {}, set()

    def hold(self, my, e):
        self.last += 1
        self.place[e] = self.last
        self.used.discard(e)

    def use(self, my, e):
        self.used.add(e)

    def pick(self, my, decision):
        while True:
            best = min((e for e in my.contenders[: decision.count] if e >= 0), key=self.place.get)
            my.look(best)
            if best not in self.used:
                return best
            self.hold(my, best)


@pytest.mark.parametrize("sight", SIGHTS)
def test_a_policy_from_outside_looks_too(sight):
    """Checked and in Python, it is clock."""
    trace = references(2, 1_000)
    given = {"sight": sight, "harvest_ns": 20_000}
    assert misses(MINE, trace, 9, **given) == misses(Plain, trace, 9, **given) == misses("clock", trace, 9, **given)


@kernel
def _peek(my, decision):
    for i in range(decision.count):
        e = my.contenders[i]
        if e >= 0 and not my.accesses[e].unread:
            return e
    return my.contenders[0]


def test_what_nobody_has_looked_at_is_not_to_be_seen():
    peeping = Policy("peeping", "", "", "", "", "", pick=_peek)
    with pytest.raises(PolicyError, match=r"my\.accesses \(test_sight\.py:\d+\): what nobody has looked at"):
        misses(peeping, references(0, 100), 9, sight="scanned")


# -- refused


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"sight": "blind"}, "sight='blind'"),
        ({"sample_faults": 0}, "sample_faults=0"),
        ({"harvest_ns": 0}, "harvest_ns=0"),
        ({"look_ns": -1}, "look_ns=-1"),
        ({"sight": "scanned", "look_ns": 100, "frames": 10, "harvest_ns": 1_000, "scan_ns": None}, "harvest_ns=1000"),
        ({"sight": "scanned", "look_ns": 1_000, "rows": 100, "scan_ns": 200_000}, "scan_ns=200000"),
    ],
)
def test_what_makes_no_sense_is_refused(given, named):
    with pytest.raises(SettingError, match=named):
        build_settings({"nodes": 2, "frames": 10, **given})


def test_bits_are_many_but_not_without_end():
    settings = build_settings({"nodes": 1, "frames": 2, "sight": "scanned", "tick_ns": None})
    tape, host = Tape.build([[(Op.READ, 0)]]), policy_of("lru").host()
    Simulation(tape, settings, [host] * (MOST_VIEWS - 1))
    with pytest.raises(SettingError, match=f"{MOST_VIEWS} policies"):
        Simulation(tape, settings, [host] * MOST_VIEWS)


# -- copies


@pytest.mark.parametrize("sight", SIGHTS[1:])
def test_a_copy_and_a_state_see_what_the_original_sees(sight):
    """Half an episode, then the rest by the original, by a pickled copy, and by one that is given the state."""
    tape, settings = sos_gym.workload("phases", seed=4), build_settings({"frames": 40, "sight": sight, "look_ns": 20})
    hosts = [policy_of(name).host() for name in ("clock", "lru")]
    one, other = (Simulation(tape, settings, hosts, listing=True) for _ in range(2))
    one.advance()
    for _ in range(300):
        one.advance(int(one.arrays["advice"][0]))
    copied = pickle.loads(pickle.dumps(one))
    other.restore(one.state())
    ends = [ended(simulation) for simulation in (copied, other, one)]
    assert ends[0] == ends[1] == ends[2]


def ended(simulation):
    """What the two advise to the end, the first being followed, and what they see then."""
    advice = []
    while simulation.undecided:
        advice.append(simulation.arrays["advice"].tolist())
        simulation.advance(advice[-1][0])
    return advice, simulation.arrays["seen"].tobytes(), int(simulation.record["stall_ns"][0])
