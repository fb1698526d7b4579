"""Misses here and in libcachesim where they differ: on the traces of test_peers.py, at the same three sizes.

    PYTHONPATH=tests python -m measurements.peers [--out docs/peers.md]

LIRS, W-TinyLFU and CLOCK-Pro follow their papers here and equal plain oracles of them. What libcachesim does instead
has oracles of its own, in test_adaptive_lists.py; the cards say what that is. Below 100 frames its W-TinyLFU
admits nobody. Other policies that it has too, chance apart, miss as often as there (test_peers.py).
"""

import tempfile
from pathlib import Path

import libcachesim
from runs import run
from test_peers import SHARES, TRACES, frames_for, misses_of, tape_and_file

from measurements import page
from sos_gym.markdown import number, table

PEERS = {"lirs": libcachesim.LIRS, "tinylfu": libcachesim.WTinyLFU, "clockpro": libcachesim.ClockPro}


def rows(name: str) -> list[list[object]]:
    """Of one trace: a row per size, with the misses of each policy and of its peer."""
    found: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        tape, path = tape_and_file(name, Path(folder))
        for share in SHARES:
            frames, counts = frames_for(tape, share), []
            for policy, peer in PEERS.items():
                record = run(tape, policy, frames=frames).record
                references = int(record["references"][0])
                counts += [int(record["faults"][0]), misses_of(peer, frames, path, references)]
            found.append([name, *map(number, (references, frames, *counts))])
    return found


def main() -> None:
    given = page.options(__doc__)
    heads = ["trace", "references", "frames", *(word for policy in PEERS for word in (f"`{policy}`", "its peer"))]
    measured = table(heads, [row for name in TRACES for row in rows(name)])
    said = __doc__.split("\n\n")[-1].strip()
    page.put(f"# Misses here and in libcachesim\n\n{page.made('libcachesim')}\n\n{said}\n\n{measured}\n", given.out)


if __name__ == "__main__":
    main()
