"""Run drawn schedules: `python -m simulation 4711` replays one aloud, `0..9999` runs a range on all cores.

`--with` switches a disturbance on that is off (`schedule.EXCLUDED`), `--with all` all of them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from simulation.fleet import simulate
from simulation.laws import Broken
from simulation.schedule import EXCLUDED, USUAL, Disturbance, draw

BLOCK = 25
Result = tuple[Counter[str], dict[int, str]]


def run_block(seeds: range, disturbances: Collection[Disturbance] = USUAL) -> Result:
    """Run schedules; return how their items ended, and which law each failing seed broke."""
    ended: Counter[str] = Counter()
    broken: dict[int, str] = {}
    for seed in seeds:
        try:
            ended += simulate(draw(seed, disturbances))
        except Broken as law:
            broken[seed] = str(law)
        except Exception as error:  # noqa: BLE001 # a fault of the simulator, or of what it runs: both are findings
            broken[seed] = repr(error)
    return ended, broken


def run_range(seeds: range, disturbances: Collection[Disturbance]) -> Result:
    """Run schedules on all cores; name each failing one as soon as it is known."""
    ended: Counter[str] = Counter()
    broken: dict[int, str] = {}
    blocks = [seeds[at : at + BLOCK] for at in range(0, len(seeds), BLOCK)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for some_ended, some_broken in pool.map(partial(run_block, disturbances=disturbances), blocks):
            ended += some_ended
            broken |= some_broken
            for seed, law in some_broken.items():
                print(f"seed {seed}: {law}", flush=True)
    return ended, broken


def main() -> None:
    """Replay one seed aloud, or run a range of them."""
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of names have one order in each run, so that a seed replays
        os.execve(sys.executable, sys.orig_argv, {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606
    parser = argparse.ArgumentParser(prog="python -m simulation", description="Run schedules of the simulated fleet.")
    parser.add_argument("seeds", help="a seed (4711), or a range (0..9999)")
    parser.add_argument("--with", dest="more", action="append", default=[], choices=[*map(str, EXCLUDED), "all"])
    args = parser.parse_args()
    more = set(EXCLUDED) if "all" in args.more else {Disturbance(each) for each in args.more}
    first, dots, last = args.seeds.partition("..")
    if not dots:
        schedule = draw(int(first), USUAL | more)
        print(schedule)
        print(dict(simulate(schedule, aloud=True)))
        return
    seeds, began = range(int(first), int(last) + 1), time.monotonic()
    ended, broken = run_range(seeds, USUAL | more)
    print(f"{len(seeds)} schedules in {time.monotonic() - began:.0f} s, {len(broken)} broke a law; {dict(ended)}")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
