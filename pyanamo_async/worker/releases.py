"""Let claims go that a person orders a worker to let go.

1. Such an attempt ends at once, as for a stop, and its item is held for that person.
2. An order for a claim that this worker does not hold is withdrawn, so that its row stays small.
"""

from __future__ import annotations

from collections.abc import Collection

from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.core.workers import Orders
from pyanamo_async.worker.attempt import Attempt
from pyanamo_async.worker.context import AttemptContext


class ReleaseOrders:
    """The orders to let claims go, of one worker and its attempts."""

    def __init__(self, context: AttemptContext, attempts: Collection[Attempt]) -> None:
        self._worker, self._store, self._attempts = context.worker, context.adapters.store, attempts
        self._obsolete: set[str] = set()

    def obey(self, orders: Orders) -> None:
        """End the attempts that the reply to a heartbeat orders to end."""
        self._obsolete = {*orders.release}
        for attempt in self._attempts:
            if attempt.item.token in self._obsolete:
                self._obsolete.discard(attempt.item.token)
                attempt.end(InterruptReason.ORDER)

    async def withdraw_obsolete(self) -> None:
        """Withdraw the orders for claims that are not held."""
        if self._obsolete:
            obsolete, self._obsolete = self._obsolete, set()
            await self._store.order_release(self._worker, obsolete, withdrawn=True)
