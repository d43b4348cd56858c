"""A fleet of real workers, one of which is killed every second and replaced, until the table is drained.

What the scripts saw stands in a witness file: a line when an attempt starts and one when it ends, and one when it finds
that another attempt at its item still runs, which a lock tells that dies with the last process of that attempt.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.acceptance.program import Program

WITNESS = """\
say() { echo "$1 $PYANAMO_ITEM_ID $PYANAMO_ATTEMPT $(date +%s.%N) $$" >> witness; }
exec 9>> "locks/$PYANAMO_ITEM_ID"
flock --nonblock 9 || say overlap
say start
sleep "$1"
say end
"""
BEAT_S, LEASE_S = 1, 6
FLEET = ("--beat", f"{BEAT_S}s", "--lease", f"{LEASE_S}s", "--crash-limit", "1000")
DRAINED, WORK_LEFT = 0, 75


@dataclass(frozen=True, slots=True)
class Storm:
    """How many workers and items there are, how long a script sleeps at most, and how often a worker is killed."""

    workers: int
    items: int
    slots: int = 2
    longest_s: float = 1.0
    kill_every_s: float = 1.0
    within_s: float = 100.0


@dataclass(slots=True)
class Witnessed:
    """What the scripts wrote, by item; attempts in the order in which they started and ended."""

    started: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    ended: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    overlaps: list[str] = field(default_factory=list)


def prepare(pyanamo: Program, storm: Storm, dice: random.Random) -> list[str]:
    """Import the items; return their ids."""
    (pyanamo.folder / "locks").mkdir()
    (pyanamo.folder / "witness.sh").write_text(WITNESS)
    names = [f"item-{number}" for number in range(storm.items)]
    pyanamo.import_rows(*(f"{name}|s|. ./witness.sh {dice.uniform(0, storm.longest_s):.2f}" for name in names))
    return names


def rage(pyanamo: Program, storm: Storm, dice: random.Random) -> int:
    """Kill and replace workers until all items are done and all workers went home; return how many were killed."""
    deadline, killed = time.monotonic() + storm.within_s, 0
    with _fleet(pyanamo, storm) as workers:
        while workers:
            assert time.monotonic() < deadline, f"not drained: {_states(pyanamo)}; {_log(pyanamo)}"
            time.sleep(storm.kill_every_s)
            _send_home(workers, pyanamo, storm)
            raging = (
                time.monotonic() < deadline - storm.within_s / 2 and len(workers) > 1
            )  # the last has to get to work
            if raging and set(_states(pyanamo)) != {"done"}:
                killed += _replace(dice.choice(workers), workers, pyanamo, storm)
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


Worker = subprocess.Popen[bytes]


@contextmanager
def _fleet(pyanamo: Program, storm: Storm) -> Iterator[list[Worker]]:
    workers: list[Worker] = []
    try:
        workers += [_start(pyanamo, storm) for _ in range(storm.workers)]
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _start(pyanamo: Program, storm: Storm) -> Worker:
    with ExitStack() as stack:
        log: IO[bytes] = stack.enter_context(_log_file(pyanamo).open("ab"))
        command = pyanamo.command("run", "-i", str(storm.slots), *FLEET)
        return subprocess.Popen(
            command, cwd=pyanamo.folder, env=pyanamo.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def _replace(worker: Worker, workers: list[Worker], pyanamo: Program, storm: Storm) -> bool:
    workers.remove(worker)
    worker.kill()
    killed = worker.wait() < 0  # it may have gone home in this moment
    workers.append(_start(pyanamo, storm))
    return killed


def _send_home(workers: list[Worker], pyanamo: Program, storm: Storm) -> None:
    """Let go of those that found nothing more to do; replace those that could not beat in time on a busy machine."""
    for worker in [worker for worker in workers if worker.poll() is not None]:
        assert worker.returncode in {DRAINED, WORK_LEFT}, _log(pyanamo)
        workers.remove(worker)
        if worker.returncode == WORK_LEFT:
            workers.append(_start(pyanamo, storm))


def _states(pyanamo: Program) -> Counter[str]:
    return Counter(str(row["ItemState"]) for row in pyanamo.rows().values())


def _log_file(pyanamo: Program) -> Path:
    return pyanamo.folder / "workers.log"


def _log(pyanamo: Program) -> str:
    return _log_file(pyanamo).read_text()[-3000:]
