"""What must hold, whatever happens: the laws of the fleet in a box, and who watches over them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from pyanamo_async.core.items import Item, State
from tests.stress.suspension import SuspendableProcess


class Broken(AssertionError):
    """A law does not hold."""


@dataclass
class Witness:
    """Sees every run of a script, every write that took effect, and what workers believe.

    None is settled twice under one attempt. Nothing is done that has not run to its end. Who is told that it settled an
    item, did. No two attempts at one item run at the same time, except that a worker that is stopped cannot end its
    scripts: it does when it goes on, before anything else.
    """

    running: defaultdict[str, dict[str, SuspendableProcess]] = field(default_factory=lambda: defaultdict(dict))
    settled: dict[tuple[str, int], Item] = field(default_factory=dict)
    finished: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)  # kept: a worker survives what is raised in an attempt
    is_off_duty: bool = False

    def broken(self, law: str) -> None:
        """Say that a law does not hold."""
        if self.is_off_duty:
            return
        self.violations.append(law)
        raise Broken(law)

    def started(self, item_id: str, attempt: str, worker: SuspendableProcess) -> None:
        """See a script start; tasks of a nested item are told apart by what follows the number of the attempt."""
        self.running[item_id][attempt] = worker
        self.look(item_id)

    def ended(self, item_id: str, attempt: str, *, well: bool) -> None:
        """See a script end."""
        self.running[item_id].pop(attempt, None)
        self.finished[item_id] += well

    def look(self, item_id: str) -> None:
        """See whether attempts at an item overlap that nobody was hindered to end."""
        awake = {attempt.partition(" ")[0] for attempt, worker in self.running[item_id].items() if not worker.stopped}
        if len(awake) > 1:
            self.broken(f"{item_id} runs under attempts {' and '.join(sorted(awake))}")

    def look_everywhere(self) -> None:
        """See whether any attempts overlap."""
        for item_id in list(self.running):
            self.look(item_id)

    def went_home(self, worker: SuspendableProcess) -> None:
        """See a worker end: none of its scripts may be left."""
        left = [item_id for item_id, attempts in self.running.items() if worker in attempts.values()]
        if left:
            self.broken(f"a worker went home while its scripts of {', '.join(left)} ran")

    def saved(self, before: Item, after: Item) -> None:
        """See a write that took effect."""
        if before.state is State.LOCKED and after.state is not State.LOCKED:
            if (before.item_id, before.attempt) in self.settled:
                self.broken(f"attempt {before.attempt} at {before.item_id} was settled twice")
            self.settled[before.item_id, before.attempt] = after
        if after.state is State.DONE and not self.finished[after.item_id]:
            self.broken(f"{after.item_id} is done and never ran to its end")

    def believed(self, item_id: str, attempt: int, state: State, reason: str) -> None:
        """See what a worker was told of its settle."""
        truth = self.settled.get((item_id, attempt))
        if truth is None or (truth.state, truth.reason) != (state, reason):
            self.broken(f"a worker believes that its attempt {attempt} at {item_id} ended {state}; it did not")
