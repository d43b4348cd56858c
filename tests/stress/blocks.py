"""Many schedules on all cores: what `python -m tests.stress.simulation SEED` and `FIRST..LAST` do."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.stress.simulation import simulate
from tests.stress.witness import Broken

BLOCK = 25
Result = tuple[Counter[str], dict[int, str]]


def run_block(seeds: range) -> Result:
    """Run schedules; return how their items ended, and which law each failing seed broke."""
    ended: Counter[str] = Counter()
    broken: dict[int, str] = {}
    for seed in seeds:
        try:
            ended += simulate(seed)
        except Broken as law:
            broken[seed] = str(law)
        except Exception as error:  # noqa: BLE001 # a fault of the simulator, or of what it runs: both are findings
            broken[seed] = repr(error)
    return ended, broken


def run_range(seeds: range, *, processes: int | None = None) -> Result:
    """Run schedules on all cores; name each failing one as soon as it is known."""
    ended: Counter[str] = Counter()
    broken: dict[int, str] = {}
    blocks = [seeds[at : at + BLOCK] for at in range(0, len(seeds), BLOCK)]
    with ProcessPoolExecutor(processes or os.cpu_count()) as pool:
        for some_ended, some_broken in pool.map(run_block, blocks):
            ended += some_ended
            broken |= some_broken
            for seed, law in some_broken.items():
                print(f"seed {seed}: {law}\n  replay: python -m tests.stress.simulation {seed}", flush=True)
    return ended, broken


def main() -> None:
    """Replay one seed aloud, or run a range of them."""
    first, dots, last = sys.argv[1].partition("..")
    if not dots:
        print(dict(simulate(int(first), tell=True)))
        return
    seeds, began = range(int(first), int(last) + 1), time.monotonic()
    ended, broken = run_range(seeds)
    print(f"{len(seeds)} schedules in {time.monotonic() - began:.0f} s, {len(broken)} broke a law; {dict(ended)}")
    sys.exit(bool(broken))
