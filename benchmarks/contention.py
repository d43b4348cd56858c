"""Measure how many claims are lost where hundreds of workers contend for the items of one table.

    python -m benchmarks.contention [--workers 200] [--items 20000] [--slots 1 8] [--seconds 1] [--shards 16]

The product's own workers and store run on virtual time, in this process, against a table whose index shows what stood
there 20 ms ago on average, and whose requests take 5 ms (`simulation.service`). They start within five seconds.
Everybody contends for the last items, whatever the strategy, so the last 2 % are counted apart. The same seed gives the
same figures on every machine. The goal is less than 3 % lost.
"""

from __future__ import annotations

import argparse
import random
from bisect import bisect_left
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from simulation.items import sleepers
from simulation.network import Client
from simulation.service import Bill, Service
from simulation.virtual_time import VirtualLoop, run
from simulation.workers import work, worker

TAIL = 0.02
START_WITHIN_S = 5.0
MAX_LOST = 0.03


@dataclass(frozen=True, slots=True)
class Contest:
    """Workers, each with so many slots, and items that take so long on average."""

    workers: int
    items: int
    slots: int
    seconds: float
    shards: int
    seed: int = 1

    def measure(self) -> Result:
        """Let them work until nothing is left."""

        async def main(loop: VirtualLoop) -> Bill:
            rng = random.Random(self.seed)
            service = Service(shards=self.shards, rng=rng)
            service.seed(sleepers(self.items, mean_s=self.seconds, rng=rng))
            client = Client(service, rng)
            crews = [worker(loop, client, number, slots=self.slots) for number in range(self.workers)]
            await work(crews, within_s=START_WITHIN_S, rng=rng)
            return service.bill

        return Result(self, run(main))


@dataclass(frozen=True, slots=True)
class Result:
    """What a contest measured."""

    contest: Contest
    bill: Bill

    @property
    def lost(self) -> float:
        """The share of claims that were lost before the last 2 % of items."""
        won = round(self.contest.items * (1 - TAIL))
        lost = bisect_left(self.bill.losses, won)
        return lost / (won + lost)

    @property
    def lost_in_all(self) -> float:
        """The share of all claims that were lost, to the last item."""
        return len(self.bill.losses) / (len(self.bill.losses) + self.bill.won)

    def row(self) -> tuple[str, ...]:
        """Return it as a line of a table."""
        each, items = self.contest, self.contest.items
        figures = f"{self.lost:.2%}", f"{self.lost_in_all:.2%}", f"{self.bill.reads / items:.2f}"
        return f"{each.workers} x -i {each.slots}", f"{items:,} of {each.seconds:g} s", str(each.shards), *figures


def main() -> None:
    """Measure each number of slots."""
    parser = argparse.ArgumentParser(description="Measure how many claims are lost where hundreds of workers contend.")
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--seconds", type=float, default=1.0, help="mean of the items' durations")
    parser.add_argument("--shards", type=int, default=16)
    args = parser.parse_args()
    table = Table("workers", "items", "shards", "lost claims", "and of the last 2 %", "read units per item")
    missed = False
    for slots in args.slots:
        result = Contest(args.workers, args.items, slots, args.seconds, args.shards).measure()
        missed |= result.lost >= MAX_LOST
        table.add_row(*result.row())
    Console().print(table)
    raise SystemExit(missed)


if __name__ == "__main__":
    main()
