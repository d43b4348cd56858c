"""Which items are charged when their worker dies, as seen from outside: not those that only waited for room.

1. No item starts while the row of its worker names it as waiting.
2. An item that is taken from a worker whose row names it is charged nothing. Nor is any other let off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.stored.record import decode
from pyanamo_async.store.dynamodb.codec import unmarshal_row
from simulation.language import Row


@dataclass
class Charges:
    """Observes rows of workers and items; each method returns what is wrong, or nothing."""

    named: dict[str, str] = field(default_factory=dict)  # token, by worker
    claims: dict[tuple[str, int], Item] = field(default_factory=dict)  # by item and attempt
    taken: Counter[bool] = field(default_factory=Counter)  # items, by whether they had only waited

    def wrote_worker(self, worker: str, row: Row | None) -> None:
        """Observe what the row of a worker, or nothing, says from now on."""
        waiting = unmarshal_row(row).get("Waiting") if row else None
        self.named[worker] = str(waiting.get("lockID", "")) if isinstance(waiting, Mapping) else ""

    def wrote_item(self, sender: str, old: Row, new: Row) -> str:
        """Observe the write of an item."""
        before, after = decode(unmarshal_row(old)), decode(unmarshal_row(new))
        if after.state is State.LOCKED:
            self.claims[after.item_id, after.attempt] = after
            return ""
        if before.state is not State.LOCKED or sender == before.worker:
            return ""
        waited = self._is_named(before)
        self.taken[waited] += 1
        charged = any(more > less for more, less in zip(_ledgers(after), _ledgers(before), strict=True))
        if charged is not waited:
            return ""
        did = "is charged, and only waited for room" if waited else "is charged nothing, and may have run"
        return f"{after.item_id} {did} in {before.worker}"

    def started(self, item_id: str, attempt: str) -> str:
        """Observe the start of a script; `attempt` is the attempt's number and the task."""
        claim = self.claims.get((item_id, int(attempt.partition(" ")[0])))
        return f"{item_id} starts, and its worker's row says that it waits" if claim and self._is_named(claim) else ""

    def _is_named(self, claim: Item) -> bool:
        return bool(claim.token) and self.named.get(claim.worker) == claim.token


def _ledgers(item: Item) -> tuple[int, int, int]:
    return item.crashes, item.interruptions, item.evictions
