"""Mixed loads on one worker that learns what its tasks need, beside fixed numbers: `python -m simulation.packing`.

Tasks grow to their peak for a third of the time and hold it for the rest. A fixed number fits a load when all tasks
together never had more than 105 % of the budget; the best of these is known only afterwards.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator
from statistics import median

from pyanamo_async.core.items import Item
from pyanamo_async.core.memory.admission import NO_LIMIT, Budget
from pyanamo_async.core.values import Value
from simulation.crew import Crew
from simulation.items import an_item
from simulation.virtual_time import VirtualLoop, run

BUDGET = 4096
OVER = 1.05  # of the budget
SLOTS = 40
TASKS = 200
FIXED = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40)


def one_large_in(every: int) -> Callable[[random.Random], list[int]]:
    """Return what draws a load in which one in so many needs half of the budget, and the others an eightieth."""

    def peaks(rng: random.Random) -> list[int]:
        sizes = [2048 if number % every == 0 else 50 for number in range(TASKS)]
        rng.shuffle(sizes)
        return sizes

    return peaks


MIXES: dict[str, Callable[[random.Random], list[int]]] = {
    "one large in twenty": one_large_in(20),
    "one large in a hundred": one_large_in(100),
    "half and half": lambda rng: [rng.choice((100, 1024)) for _ in range(TASKS)],
    "all small": lambda _: [80] * TASKS,
    "all larger than their share": lambda _: [200] * TASKS,
    "a heavy tail": lambda rng: [int(min(3000, 60 * rng.paretovariate(1.2))) for _ in range(TASKS)],
    "growing steadily": lambda _: [50 + 3 * number for number in range(TASKS)],
    "large ones in a row": lambda _: [2048 if 90 <= number < 100 else 50 for number in range(TASKS)],
}


class Packed(Value):
    """How a load went: its time, the most memory that was used, and how often a task was put back for it."""

    seconds: float
    most_used: float  # of the budget
    put_back: int

    @property
    def fits(self) -> bool:
        """Return whether the budget was kept."""
        return self.most_used <= OVER


def load(mix: str, seed: int) -> Iterator[Item]:
    """Yield tasks of 5 to 15 s."""
    rng = random.Random(seed)
    for number, peak in enumerate(MIXES[mix](rng)):
        seconds = rng.uniform(5, 15)
        yield an_item(f"i{number:03}", script=f"grow {peak} {seconds / 3:.2f}; sleep {seconds * 2 / 3:.2f}")


def packed(mix: str, seed: int, *, fixed: int | None = None) -> Packed:
    """Run a load with a budget, or with a fixed number instead."""

    async def main(loop: VirtualLoop) -> Packed:
        budget = NO_LIMIT if fixed else Budget(BUDGET, SLOTS)
        crew = Crew(loop, seed=seed, slots=fixed or SLOTS, budget=budget, share_bytes=BUDGET // SLOTS)
        await crew.store.create(shards=1)
        items = [*load(mix, seed)]
        await crew.store.add(items)
        await crew.pilot().run()
        return Packed(loop.time(), crew.launcher.most_used_bytes / BUDGET, crew.launcher.started.total() - len(items))

    return run(main)


def best_fixed(mix: str, seed: int, *, among: Iterable[int] = FIXED) -> Packed:
    """Return how it went with the best fixed number that kept the budget."""
    tried = (packed(mix, seed, fixed=number) for number in among)
    return min((each for each in tried if each.fits), key=lambda each: each.seconds)


def main(seeds: int) -> None:
    """Print a table of all mixes."""
    print("| | time, of the best fixed number | most memory, of the budget | put back |\n|---|---:|---:|---:|")
    for mix in MIXES:
        found = [(packed(mix, seed), best_fixed(mix, seed)) for seed in range(seeds)]
        times = sorted(mine.seconds / its.seconds for mine, its in found)
        most = sorted(mine.most_used for mine, _ in found)
        back = sorted(mine.put_back for mine, _ in found)
        print(
            f"| {mix} | {median(times):.2f} ({times[0]:.2f} to {times[-1]:.2f}) "
            f"| {median(most):.0%} (to {most[-1]:.0%}) | {median(back):.0f} (to {back[-1]}) |"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
