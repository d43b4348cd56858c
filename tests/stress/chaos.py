"""A fleet of real workers, one of which is killed every second and replaced, for a while; then they drain the table.

What the scripts saw stands in a witness file: a line when an attempt starts and one when it ends, and one when it finds
that another attempt at its item still runs, which a lock tells that dies with the last process of that attempt.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from harness.program import Program
from tests.stress.workers import Fleet, Worker, fleet

WITNESS = """\
say() { at=$(date +%s.%N) && echo "$1 $PYANAMO_ITEM_ID $PYANAMO_ATTEMPT $at $$" >> witness; }
exec 9>> "locks/$PYANAMO_ITEM_ID"
flock --nonblock 9 || say overlap
say start
sleep "$1"
say end
"""
HEARTBEAT_S, LEASE_S = 1, 6
FLAGS = ("--heartbeat", f"{HEARTBEAT_S}s", "--lease", f"{LEASE_S}s", "--crash-limit", "1000")
NOTHING_LEFT, WORK_LEFT = 0, 75


@dataclass(frozen=True, slots=True)
class Storm:
    """How many workers and items there are, how long a script sleeps at most, and when a worker is killed."""

    workers: int
    items: int
    slots: int = 2
    longest_s: float = 1.0
    kill_every_s: float = 1.0
    most_killed: int = 8
    within_s: float = 400.0


@dataclass(slots=True)
class Witnessed:
    """What the scripts wrote, by item; attempts in the order in which they started and ended."""

    started: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    ended: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    overlaps: list[str] = field(default_factory=list)


def prepare(pyanamo: Program, storm: Storm, rng: random.Random) -> list[str]:
    """Import the items; return their ids."""
    (pyanamo.folder / "locks").mkdir()
    (pyanamo.folder / "witness.sh").write_text(WITNESS)
    names = [f"item-{number}" for number in range(storm.items)]
    pyanamo.import_rows(*(f"{name}|s|. ./witness.sh {rng.uniform(0, storm.longest_s):.2f}" for name in names))
    return names


def rage(pyanamo: Program, storm: Storm, rng: random.Random) -> int:
    """Kill and replace workers for a while, until all items are done and all went home; return how many were killed."""
    deadline, killed = time.monotonic() + storm.within_s, 0
    with fleet(pyanamo, storm.workers, "-i", str(storm.slots), *FLAGS) as workers:
        while workers.running:
            assert time.monotonic() < deadline, f"not drained: {_states(pyanamo)}; {workers.said()[-3000:]}"
            time.sleep(storm.kill_every_s)
            _send_home(workers)
            raging = killed < storm.most_killed and time.monotonic() < deadline - storm.within_s / 2
            if raging and len(workers.running) > 1 and set(_states(pyanamo)) != {"done"}:
                killed += _replace(rng.choice(workers.running), workers)
    return killed


def witnessed(pyanamo: Program) -> Witnessed:
    """Read the witness file."""
    seen = Witnessed()
    for line in (pyanamo.folder / "witness").read_text().splitlines():
        kind, item, attempt, _, _ = line.split()
        match kind:
            case "start":
                seen.started[item].append(int(attempt))
            case "end":
                seen.ended[item].append(int(attempt))
            case _:
                seen.overlaps.append(line)
    return seen


def _replace(worker: Worker, workers: Fleet) -> bool:
    workers.running.remove(worker)
    worker.kill()
    killed = worker.wait() < 0  # it may have gone home in this moment
    workers.start()
    return killed


def _send_home(workers: Fleet) -> None:
    """Let go of those that found nothing more to do; replace those that could not beat in time on a busy machine."""
    for worker in [worker for worker in workers.running if worker.poll() is not None]:
        assert worker.returncode in {NOTHING_LEFT, WORK_LEFT}, workers.said()[-3000:]
        workers.running.remove(worker)
        if worker.returncode == WORK_LEFT:
            workers.start()


def _states(pyanamo: Program) -> Counter[str]:
    return Counter(str(row["ItemState"]) for row in pyanamo.rows().values())
