"""Release the claims that a person orders a worker to let go.

1. Such an attempt ends at once, as for a stop, and its item is held for that person. It may be claimable again a moment
   later, so the worker waits for it, but not for ever: the person's command may have been killed.
2. An order for a claim that this worker does not hold is withdrawn, so that its row stays small.
"""

from __future__ import annotations

from collections.abc import Collection

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.core.workers import Orders
from pyanamo_async.worker.attempt import Attempt
from pyanamo_async.worker.context import AttemptContext

CHANGED_WITHIN_S = 60.0  # a command looks at what it waits for within seconds
TOGETHER = 100  # items in one read


class ReleaseOrders:
    """The orders to let claims go, of one worker and its attempts."""

    def __init__(self, context: AttemptContext, attempts: Collection[Attempt]) -> None:
        self._worker, self._store, self.attempts = context.worker, context.adapters.store, attempts
        self._clock = context.runtime.clock
        self._let_go: dict[str, tuple[str, float]] = {}  # token, and until when a change is waited for, by item
        self._obsolete: set[str] = set()

    def obey(self, orders: Orders) -> None:
        """End the attempts that the reply to a heartbeat orders to end."""
        self._obsolete = {*orders.release}
        for attempt in self.attempts:
            if attempt.item.token in self._obsolete:
                self._obsolete.discard(attempt.item.token)
                attempt.end(InterruptReason.ORDER)

    def settled(self, item: Item) -> None:
        """Remember an item that is held for whoever ordered it to be let go."""
        if item.state is State.PENDING:
            self._let_go[item.item_id] = item.token, self._clock.monotonic() + CHANGED_WITHIN_S

    async def expects_change(self) -> bool:
        """Return whether an item that was let go is still as this worker left it: the order is not carried out yet.

        An order that is carried out leaves its own token in the item, or deletes it.
        """
        now_s = self._clock.monotonic()
        self._let_go = {item_id: left for item_id, left in self._let_go.items() if left[1] > now_s}
        while some := [*self._let_go][:TOGETHER]:
            tokens = {item.item_id: item.token for item in await self._store.read_many(some)}
            for item_id in some:
                if tokens.get(item_id) != self._let_go[item_id][0]:
                    del self._let_go[item_id]
            if self._let_go.keys() & tokens.keys():
                return True
        return False

    async def withdraw_obsolete(self) -> None:
        """Withdraw the orders for claims that are not held."""
        if self._obsolete:
            obsolete, self._obsolete = self._obsolete, set()
            await self._store.order_release(self._worker, obsolete, withdrawn=True)
