"""Change items that workers hold: each is let go first, so that no two attempts at it run at the same time.

1. The order to let a claim go is left for its worker, and reaches it in the reply to its next heartbeat. The worker
   ends the script and holds the item for us: no other worker claims it before it is changed.
2. A worker that vanished is marked dead before an item is taken from it, on condition of its last heartbeat, and what
   it started on this machine is ended.
3. An item that something else became of meanwhile is changed as it is then; one that another worker holds is ordered
   again.
4. Few orders at a time are left for a worker, whose row is written with every heartbeat. They are withdrawn at the end;
   what is left of them the worker withdraws itself.
5. An order that does not wait takes the items at once, through the fence; their scripts end with the next heartbeat.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pyanamo_async.core import transitions
from pyanamo_async.core.holding import unhold
from pyanamo_async.core.items import Item, State
from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import WorkerState
from pyanamo_async.errors import Fenced, ItemMissing, PyanamoError
from pyanamo_async.fleet.membership import list_workers
from pyanamo_async.operate.changing import Change, ChangeResult, Writer, count
from pyanamo_async.operate.selecting import pages
from pyanamo_async.ports import Clock, Processes, Store

MOST_ORDERS = 25  # for one worker at a time
LOOK_S, ITEMS_PER_LOOK_S = 0.5, 100  # a look reads the items that are waited for
REPEAT_S = 60.0  # a worker withdraws an order for a claim of which it does not know yet
CHECK_S = 5.0  # which workers vanished
LEFT_WITHIN_S = 5.0


@dataclass(slots=True)
class Forced:
    """Changes items that workers hold; `token` tells this order from others."""

    writer: Writer
    processes: Processes
    token: str
    wait: bool
    progress: Callable[[ChangeResult], None]
    _orders: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # tokens, by worker
    _tokens: dict[str, str] = field(default_factory=dict)  # of claims that were ordered, by item
    _repeat_s: float = float("-inf")
    _check_s: float = float("-inf")

    @property
    def _store(self) -> Store:
        return self.writer.store

    @property
    def _clock(self) -> Clock:
        return self.writer.clock

    async def __call__(self, held: Mapping[str, Collection[str]], change_item: Change, result: ChangeResult, /) -> None:
        """Change these items, of which the selected tasks are given."""
        waiting = dict(held)
        try:
            while waiting:
                result.waiting = len(waiting)
                self.progress(result)
                items = await self._read(waiting, result)
                holders = {item.item_id: item for item in items if item.state is State.LOCKED}
                free = [item for item in items if item.item_id not in holders]
                free += await self._vanished(holders) if self.wait else holders.values()
                await self._change(free, waiting, change_item, result)
                if waiting and self.wait:
                    await self._order([holders[item_id] for item_id in waiting if item_id in holders])
                    await asyncio.sleep(max(LOOK_S, len(waiting) / ITEMS_PER_LOOK_S))
        finally:
            if self.wait:
                await asyncio.shield(self._leave(waiting, change_item, result))
        result.waiting = 0
        self.progress(result)

    async def _read(self, waiting: dict[str, Collection[str]], result: ChangeResult) -> list[Item]:
        found: list[Item] = []
        for ids in pages(list(waiting)):
            page = await self._store.read_many(ids)
            found += page
            for item_id in {*ids} - {item.item_id for item in page}:
                del waiting[item_id]
                result.no_longer_matching += 1
        return found

    async def _change(
        self,
        items: Iterable[Item],
        waiting: dict[str, Collection[str]],
        change_item: Change,
        result: ChangeResult,
    ) -> None:
        """Change items that are free, or are to be taken; what was claimed at that moment is waited for again."""
        for some in pages(items):
            changes: list[tuple[Item, Item | None]] = []
            for item in some:
                freed = self._freed(item)
                after = change_item(freed, waiting[item.item_id])
                if after is item:
                    del waiting[item.item_id]
                    result.unchanged += 1
                else:
                    changes.append((item, replace(freed, token=self.token) if after is freed else after))
            written = await self.writer.write(changes)
            for (item, _), problem in zip(changes, written, strict=True):
                if not isinstance(problem, Fenced):
                    del waiting[item.item_id]
                    count(problem, result)
            if not self.wait:
                await self._order([item for item, _ in changes if item.state is State.LOCKED])

    def _freed(self, item: Item) -> Item:
        """Return an item as it was before it was held for us, or as if its worker had let it go."""
        if item.state is State.LOCKED:
            return transitions.release(item, InterruptReason.ORDER)
        return unhold(item) if item.token == self._tokens.get(item.item_id) else item

    async def _order(self, held: Sequence[Item]) -> None:
        """Order workers to let claims go, as many as may be ordered at a time; again after a while."""
        now_s = self._clock.monotonic()
        repeat = now_s >= self._repeat_s
        if repeat:
            self._repeat_s = now_s + REPEAT_S
        claims: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for item in held:
            claims[item.worker][item.token] = item.item_id
        for worker in {*claims, *self._orders}:
            left = self._orders[worker] & claims[worker].keys()
            new = [token for token in claims[worker] if token not in left][: MOST_ORDERS - len(left)]
            await self._withdraw_from(worker, self._orders[worker] - left)
            self._orders[worker] = left.union(new)
            self._tokens |= {claims[worker][token]: token for token in new}
            if ordered := self._orders[worker] if repeat else new:
                with suppress(ItemMissing):  # it is gone: its items can be taken
                    await self._store.order_release(worker, ordered)

    async def _vanished(self, held: Mapping[str, Item]) -> list[Item]:
        """Return those of these items whose workers have vanished, for good."""
        now_s = self._clock.monotonic()
        if now_s < self._check_s:
            return []
        self._check_s = now_s + CHECK_S
        holders = {item.worker for item in held.values()}
        rows = await self._store.workers(of=holders)
        gone = holders - {each.worker_id for each in rows if each.state is not WorkerState.ENDED}
        for each in await list_workers(self._store, now=self._clock.now(), processes=self.processes, of=holders):
            is_marked = each.vanished and await self._store.mark_dead(each.worker)
            if is_marked and await self.processes.end_scripts(each.worker):
                gone.add(each.worker.worker_id)
        return [item for item in held.values() if item.worker in gone]

    async def _leave(self, waiting: dict[str, Collection[str]], change_item: Change, result: ChangeResult) -> None:
        """Withdraw all orders; when the waiting is stopped, no item that was let go already stays held."""
        with suppress(PyanamoError, TimeoutError):
            async with asyncio.timeout(LEFT_WITHIN_S):
                for worker, tokens in self._orders.items():
                    await self._withdraw_from(worker, tokens)
                let_go = [item for item in await self._read(waiting, result) if self._freed(item) is not item]
                await self._change(
                    [item for item in let_go if item.state is State.PENDING], waiting, change_item, result
                )

    async def _withdraw_from(self, worker: str, tokens: Collection[str]) -> None:
        if tokens:
            await self._store.order_release(worker, tokens, withdrawn=True)
