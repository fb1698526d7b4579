"""What an episode looks like: the present instant as text, its slots over time as a picture.

An environment with a `render_mode` feeds a `History` at every decision. What a slot did since the one before is told by
its record: its holder since when, the last holder from when to when, and before that whom the decision gave it. So what
changed hands more than twice between two decisions is drawn too simply.
"""

import string
from collections import deque
from typing import Any, NamedTuple, Protocol

import numpy as np

from sos_gym.engine.simulation import Simulation
from sos_gym.resource import NONE, Kind, Resource, Status, Why

LONGEST_HISTORY = 2_000  # samples
MOST_LANES = 256  # per resource, split evenly over its nodes; of more slots every n-th is drawn
MOST_NAMED = 12  # threads per line of text
FRAMES_PER_LINE = 64

# Twelve hues that stay apart, also for the colour-blind in pairs of neighbours; then two lighter and darker rounds.
PALETTE = np.array(
    [
        (31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75),
        (227, 119, 194), (188, 189, 34), (23, 190, 207), (57, 59, 121), (99, 121, 57), (231, 186, 82),
    ],
    np.float64,
)  # fmt: skip
SHADES = (1.0, 1.35, 0.7)  # towards white above 1, towards black below
VACANT = np.array((232, 232, 232), np.uint8)
PAPER = np.array((255, 255, 255), np.uint8)
INK = np.array((70, 70, 70), np.uint8)
WIDTH, MARGIN, FOOT = 960, 10, 26  # pixels; the foot holds the time axis
NODE_GAP, RESOURCE_GAP = 9, 21  # pixels
CORES_HEIGHT, HIGHEST_CORE = 320, 26  # pixels: of all cores together, of one lane at most
FRAMES_HEIGHT, HIGHEST_FRAME = 300, 8
TICKS = 20  # about so many, every fifth with its time
GLYPHS = {  # 5 rows each
    "0": "### #.# #.# #.# ###",
    "1": ".#. ##. .#. .#. ###",
    "2": "### ..# ### #.. ###",
    "3": "### ..# .## ..# ###",
    "4": "#.# #.# ### ..# ..#",
    "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###",
    "7": "### ..# .#. .#. .#.",
    "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###",
    "m": "..... ##.#. #.#.# #.#.# #.#.#",
    "u": "... #.# #.# #.# ###",
    "n": "... ##. #.# #.# #.#",
    "s": "... .## #.. ..# ##.",
    " ": ".. .. .. .. ..",
}
UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns"))


class Sample(NamedTuple):
    """Who held the lanes at a decision; entities or NONE, ns."""

    now: int
    holder: np.ndarray  # int32 (lanes,)
    since: np.ndarray  # int64 (lanes,), last change of holder
    last: np.ndarray  # int32 (lanes,), the holder before
    last_from: np.ndarray  # int64 (lanes,)
    last_to: np.ndarray  # int64 (lanes,)
    after: np.ndarray  # int32 (lanes,), holder once the decision is carried out


class History:
    """The last decisions of an episode: holders per lane, and what was decided last."""

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=LONGEST_HISTORY)
        self.decided = "nothing yet"

    def begin(self, simulation: Simulation) -> None:
        """Forget the last episode; take the first sample."""
        self.samples.clear()
        self.decided = "nothing yet"
        self.sample(simulation)

    def choose(self, simulation: Simulation, choice: int) -> None:
        """Keep what is about to be decided: in words, and whom it gives the slot."""
        self.decided = f"{_occasion(simulation)}: {_answer(simulation, choice)}"
        lanes, after = lanes_of(simulation), self.samples[-1].after
        for slot, holder in _exchange(simulation, choice):
            after[lanes == slot] = holder

    def sample(self, simulation: Simulation) -> None:
        """Keep who holds what; samples from the future of a restored state are dropped."""
        now = int(simulation.record["now"][0])
        while self.samples and self.samples[-1].now > now:
            self.samples.pop()
        slots = simulation.arrays["slots"][lanes_of(simulation)]
        last = simulation.arrays["entities"][slots["last"]]
        told = (slots["last"] != NONE) & (last["slot"] == NONE)  # else its record tells of a later stay
        last_from, last_to = (np.where(told, last[name], slots["since"]) for name in ("hold_ns", "release_ns"))
        holder, since = slots["holder"].copy(), slots["since"].copy()
        self.samples.append(Sample(now, holder, since, slots["last"].copy(), last_from, last_to, holder.copy()))


def _exchange(simulation: Simulation, choice: int) -> list[tuple[int, int]]:
    """What the choice changes: (slot, new holder); a page that moves exchanges places."""
    decision, entities = simulation.decision, simulation.arrays["entities"]
    if choice == decision["entity"] or (choice < 0 and decision["kind"] == Kind.ADMIT):
        return []
    if decision["kind"] == Kind.ADMIT:
        winner, slot = choice, int(decision["slot"])
    else:
        winner, slot = int(decision["entity"]), -1 - choice if choice < 0 else int(entities["slot"][choice])
    return [(slot, winner), (int(entities["slot"][winner]), int(simulation.arrays["slots"]["holder"][slot]))]


def lanes_of(simulation: Simulation) -> np.ndarray:  # int (lanes,)
    """The slots that are drawn: cores, then frames, node by node."""
    nodes = simulation.arrays["nodes"].reshape(2, -1)
    return np.concatenate([_lanes(node, nodes.shape[1]) for r in (Resource.CPU, Resource.MEMORY) for node in nodes[r]])


def _lanes(node: np.void, nodes: int) -> np.ndarray:
    return node["first_slot"] + _every(int(node["size"]), MOST_LANES // nodes)


def _every(count: int, most: int) -> np.ndarray:  # int (min(count, most),)
    """Evenly spread numbers below count, the first and the last among them."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


# -- words


def _entity(simulation: Simulation, e: int) -> str:
    threads = len(simulation.tape.threads)
    return simulation.tape.thread_name(e) if e < threads else f"page {e - threads}"


def _slot(simulation: Simulation, slot: int) -> str:
    """core 1 (node 0)."""
    cores = simulation.arrays["instances"][Resource.CPU]
    first = int(cores["first_slot"])
    node = simulation.arrays["slots"]["node"][slot]
    return f"core {slot - first} (node {node})" if slot >= first and cores["size"] else f"frame {slot} (node {node})"


def _contender(simulation: Simulation, choice: int) -> str:
    return _entity(simulation, choice) if choice >= 0 else f"vacant {_slot(simulation, -1 - choice)}"


def _occasion(simulation: Simulation) -> str:
    """core 1 (node 0) is offered, tick."""
    decision = simulation.decision
    cause = Why(int(decision["cause"])).name.lower()
    if decision["kind"] == Kind.ADMIT:
        return f"{_slot(simulation, int(decision['slot']))} is offered, {cause}"
    wanted = "a core" if decision["resource"] == Resource.CPU else "a frame"
    return f"{_entity(simulation, int(decision['entity']))} wants {wanted}, {cause}"


def _answer(simulation: Simulation, choice: int) -> str:
    """thread 3 goes without."""
    decision = simulation.decision
    own = choice == decision["entity"]
    if decision["kind"] == Kind.ADMIT:
        return "it stays vacant" if choice < 0 else f"{_entity(simulation, choice)} {'keeps' if own else 'gets'} it"
    if choice < 0:
        return f"it takes the {_contender(simulation, choice)}"
    return "it waits" if own else f"{_entity(simulation, choice)} goes without"


def _ms(ns: int) -> str:
    return f"{ns / 1e6:.3f} ms"


# -- ansi


class Shown(Protocol):
    """What is read of an environment."""

    history: History | None

    @property
    def simulation(self) -> Simulation: ...

    @property
    def preset(self) -> Any: ...

    @property
    def candidates(self) -> list[int]: ...

    @property
    def advisors(self) -> tuple[str, ...]: ...


def ansi(env: Shown) -> str:
    """The present instant: who holds what, who waits, what was decided, what is open."""
    simulation = env.simulation
    if simulation is None:
        return "no episode: call reset()"
    number = f"decision {int(simulation.decision['number'])}" if simulation.undecided else "no decision open"
    lines = [f"{env.preset.id}  {_ms(int(simulation.record['now'][0]))}  {number}"]
    lines += _cores(simulation) + _frames(simulation) + _threads(simulation)
    if env.history:
        lines.append(f"last      {env.history.decided}")
    return "\n".join(lines + (_open(env, simulation) if simulation.undecided else []))


def _painted(text: str, colour: np.ndarray) -> str:
    r, g, b = (int(part) for part in colour)
    return f"\x1b[38;2;{r};{g};{b}m{text}\x1b[0m"


def _of_node(simulation: Simulation, resource: Resource, node: int) -> np.ndarray:  # SLOT (slots of the node,)
    place = simulation.arrays["nodes"][resource * simulation.settings.nodes + node]
    return simulation.arrays["slots"][place["first_slot"] : place["first_slot"] + place["size"]]


def _cores(simulation: Simulation) -> list[str]:
    """cores node 0  [thread 3] [idle]."""
    lines = []
    for node in range(simulation.settings.nodes if simulation.settings.cores else 0):
        holders = _of_node(simulation, Resource.CPU, node)["holder"].tolist()
        cells = [
            "[idle]" if e == NONE else _painted(f"[{_entity(simulation, e)}]", colours_of(simulation)[e])
            for e in holders
        ]
        lines.append(f"cores     node {node}  {' '.join(cells)}")
    return lines


def _frames(simulation: Simulation) -> list[str]:
    """A letter per frame, its page's owner; a dot is vacant. Many frames are sampled evenly."""
    lines = []
    owners = simulation.arrays["entities"]["owner"]
    for node in range(simulation.settings.nodes if simulation.settings.frames else 0):
        holders = _of_node(simulation, Resource.MEMORY, node)["holder"]
        shown = holders[_every(len(holders), FRAMES_PER_LINE)]
        letters = "".join("·" if e == NONE else string.ascii_letters[owners[e] % 52] for e in shown.tolist())
        lines.append(f"frames    node {node}  {letters}  {np.count_nonzero(holders != NONE)} of {len(holders)} held")
    return lines


def _threads(simulation: Simulation) -> list[str]:
    """Who runs, waits for a core, a page or a lock, sleeps."""
    threads, now = simulation.arrays["threads"], int(simulation.record["now"][0])

    def page_of(t: int) -> str:
        return _entity(simulation, int(threads["page"][t]))

    said = {
        Status.RUNNING: ("running", lambda t: f" (faults on {page_of(t)})" if threads["stays"][t] else ""),
        Status.CPU_WAIT: ("waiting", lambda t: f" ({_ms(now - int(threads['wait_since'][t]))})"),
        Status.FAULTING: ("faulting", lambda t: f" on {page_of(t)}"),
        Status.LOCK_WAIT: ("locked", lambda t: f" out of lock {threads['lock'][t]}"),
        Status.SLEEPING: ("asleep", lambda t: ""),
        Status.BLOCKED: ("blocked", lambda t: ""),
    }
    lines = []
    for status, (word, detail) in said.items():
        found = np.flatnonzero(threads["status"] == status).tolist()
        names = [simulation.tape.thread_name(t) + detail(t) for t in found[:MOST_NAMED]]
        more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        if found:
            lines.append(f"{word:<9} {', '.join(names)}{more}")
    return lines


def _open(env: Shown, simulation: Simulation) -> list[str]:
    """The open decision and its candidates."""
    asked = "who gets it?" if simulation.decision["kind"] == Kind.ADMIT else "who goes without?"
    lines = [
        f"open      {_occasion(simulation)}: {asked}",
        f"  {'row':>3}  {'candidate':<24}{'holds':<20}{'unused for':>14}",
    ]
    advice = simulation.arrays["advice"].tolist()
    for row, choice in enumerate(env.candidates):
        advisors = [name for name, advised in zip(env.advisors, advice, strict=False) if advised == choice]
        mark = " ".join(f"← {name}" for name in advisors)
        lines.append(f"  {row:>3}  {_contender(simulation, choice):<24}{_facts(simulation, choice)}  {mark}".rstrip())
    return lines


def _facts(simulation: Simulation, choice: int) -> str:
    if choice < 0:
        return ""
    entity = simulation.arrays["entities"][choice]
    slot = int(entity["slot"])
    unused = _ms(int(simulation.record["now"][0] - entity["last_use"])) if entity["uses_total"] else "never used"
    return f"{'nothing' if slot == NONE else _slot(simulation, slot):<20}{unused:>14}"


# -- timeline


def colours_of(simulation: Simulation) -> np.ndarray:  # uint8 (entities, 3)
    """A thread by its number; a page by its owner, in shades, or by its number where there is one owner."""
    threads, count = len(simulation.tape.threads), len(simulation.arrays["entities"])
    number = np.arange(count)
    hue, shade = number.copy(), number // len(PALETTE)
    pages = number[threads:] - threads
    if len(simulation.tape.owners) > 1:
        hue[threads:], shade[threads:] = simulation.arrays["entities"]["owner"][threads:], pages
    else:
        hue[threads:], shade[threads:] = pages, pages // len(PALETTE)
    factor = np.array(SHADES)[shade % len(SHADES), None]
    base = PALETTE[hue % len(PALETTE)]
    return np.where(factor > 1, 255 - (255 - base) * (2 - factor), base * factor).astype(np.uint8)


def timeline(env: Shown) -> np.ndarray:  # uint8 (H, W, 3)
    """Lanes over time: cores coloured by their thread, frames by their page; grey is vacant.

    Time runs from the oldest sample kept to now; ticks below stand at round numbers of ns, long ones at every fifth.
    """
    simulation = env.simulation
    if simulation is None or env.history is None or not env.history.samples:
        return np.broadcast_to(PAPER, (MARGIN, WIDTH, 3)).copy()
    samples = list(env.history.samples)
    start, end = samples[0].now, max(samples[-1].now, samples[0].now + 1)
    columns = columns_of(samples, np.linspace(start, end, WIDTH - 2 * MARGIN))
    colours = np.concatenate([colours_of(simulation), VACANT[None]])  # NONE is the last
    slots = simulation.arrays["slots"][lanes_of(simulation)]
    cores = int(np.count_nonzero(lanes_of(simulation) >= simulation.arrays["instances"]["first_slot"][Resource.CPU]))
    rows = _rows(slots["node"], cores)
    picture = np.broadcast_to(PAPER, (len(rows), WIDTH, 3)).copy()
    picture[rows >= 0, MARGIN:-MARGIN] = colours[columns[rows[rows >= 0]]]
    _draw_ticks(picture, start, end)
    return picture


def columns_of(samples: list[Sample], times: np.ndarray) -> np.ndarray:  # int32 (lanes, times)
    """Who holds each lane at each time, as the sample that follows tells it, and the decision before."""
    following = np.minimum(np.searchsorted([sample.now for sample in samples], times), len(samples) - 1)
    before = np.maximum(following - 1, 0)
    told = {name: np.stack([getattr(sample, name) for sample in samples]) for name in Sample._fields[1:]}
    time = times[:, None]
    earlier = np.where(time < told["last_from"][following], told["after"][before], told["last"][following])
    earlier = np.where(time < told["last_to"][following], earlier, NONE)
    return np.where(time < told["since"][following], earlier, told["holder"][following]).T


def _rows(node: np.ndarray, cores: int) -> np.ndarray:  # int (H,), lane or -1
    """The lane of each row of pixels; gaps between nodes, a wider one between cores and frames."""
    rows = [-1] * MARGIN
    for lane in range(len(node)):
        if lane == cores > 0:
            rows += [-1] * RESOURCE_GAP
        elif lane and node[lane] != node[lane - 1]:
            rows += [-1] * NODE_GAP
        rows += _core_rows(lane, cores) if lane < cores else _frame_rows(lane, node[lane], node[cores:])
    return np.array(rows + [-1] * FOOT)


def _core_rows(lane: int, cores: int) -> list[int]:
    """A lane with a line below it, when there is room."""
    height = max(1, min(HIGHEST_CORE, CORES_HEIGHT // cores))
    return [lane] * (height - 1) + [-1] if height > 3 else [lane] * height


def _frame_rows(lane: int, node: int, nodes: np.ndarray) -> list[int]:
    """Nodes share the height evenly: a small fast tier has thicker lanes than a large slow one."""
    of_node = int(np.count_nonzero(nodes == node))
    height = FRAMES_HEIGHT // len(np.unique(nodes)) // of_node
    return [lane] * max(1, min(HIGHEST_FRAME, height))


def _draw_ticks(picture: np.ndarray, start: int, end: int) -> None:
    """Marks at 1, 2 or 5 × 10^k ns; every fifth is longer and says its time."""
    step = _round_step((end - start) / TICKS)
    top = len(picture) - FOOT + 4
    for number in range(-(-start // step), end // step + 1):
        x = MARGIN + round((number * step - start) / (end - start) * (WIDTH - 2 * MARGIN - 1))
        picture[top : top + (8 if number % 5 == 0 else 4), x] = INK
        if number % 5 == 0:
            _write(picture, top + 9, x, _time(number * step))


def _time(ns: int) -> str:
    """_time(250_000_000) = 250 ms, in the largest unit that takes a whole number."""
    size, unit = next((size, unit) for size, unit in UNITS if ns % size == 0)
    return f"{ns // size} {unit}" if ns else "0"


def _write(picture: np.ndarray, y: int, x: int, text: str) -> None:
    """Small letters centred at x, or as near as they fit."""
    glyphs = [np.array([[cell == "#" for cell in row + "."] for row in GLYPHS[one].split(" ")]) for one in text]
    letters = np.kron(np.concatenate(glyphs, axis=1), np.ones((2, 2), bool))
    height, width = letters.shape
    left = min(max(x - width // 2, 0), WIDTH - width)
    picture[y : y + height, left : left + width][letters] = INK


def _round_step(least_ns: float) -> int:
    """The next 1, 2 or 5 × 10^k: _round_step(340) = 500."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power >= least_ns:
                return digit * power
        power *= 10
