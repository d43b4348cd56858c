"""A person who corrects items while workers run them: by the product's own orders, through the same network."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from pyanamo_async.core.holding import hold, unhold
from pyanamo_async.core.orders import reset
from pyanamo_async.core.selection import Selection
from pyanamo_async.errors import PyanamoError
from pyanamo_async.operate.changing import Change, Writer, change
from pyanamo_async.operate.forcing import Forced
from pyanamo_async.ports import Clock, Processes
from pyanamo_async.store.dynamodb import DynamoStore

RELEASES_EVERY_S = 60.0  # what is held, in the end


class Verb(StrEnum):
    """What a person orders."""

    RETRY = "retry"
    RESET = "reset"
    HOLD = "hold"
    UNHOLD = "unhold"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Order:
    """An order at a moment, for an item or for all; `force` ends what runs."""

    at_s: float
    verb: Verb
    item: str | None
    force: bool


@dataclass(frozen=True, slots=True)
class Person:
    """Gives orders; one that the table does not answer is given up."""

    store: DynamoStore
    clock: Clock
    processes: Processes
    rng: random.Random

    async def give(self, order: Order) -> None:
        """Carry out an order."""
        token = f"{self.rng.getrandbits(64):x}"
        how: dict[Verb, Change] = {
            Verb.RETRY: lambda item, tasks: reset(item, tasks=tasks, token=token),
            Verb.RESET: lambda item, tasks: reset(item, tasks=tasks, all_tasks=True, token=token),
            Verb.HOLD: lambda item, _: hold(item, now=self.clock.now(), token=token),
            Verb.UNHOLD: lambda item, _: unhold(item, token=token),
            Verb.DELETE: lambda _, __: None,
        }
        selection = Selection(all=True) if order.item is None else Selection(ids=[order.item])
        writer = Writer(self.store, self.clock)
        force = Forced(writer, self.processes, token, True, lambda _: None) if order.force else None
        with suppress(PyanamoError):
            await change(writer, selection, how[order.verb], force=force)

    async def correct(self, orders: Sequence[Order], is_settled: Callable[[], bool]) -> None:
        """Give orders at their time; then let go of what is held, again and again until all is settled."""

        async def give_later(order: Order) -> None:
            await asyncio.sleep(order.at_s)
            await self.give(order)

        async with asyncio.TaskGroup() as giving:
            for order in orders:
                giving.create_task(give_later(order))
        while not is_settled():
            await self.give(Order(0, Verb.UNHOLD, None, force=False))
            await asyncio.sleep(RELEASES_EVERY_S)


def draw_orders(rng: random.Random, items: int, *, until_s: float) -> tuple[Order, ...]:
    """Draw the orders of a person."""
    return tuple(
        Order(
            round(rng.uniform(1, until_s), 1),
            rng.choice([*Verb][:-1]) if rng.random() < 0.9 else Verb.DELETE,
            f"i{rng.randrange(items)}" if rng.random() < 0.8 else None,
            rng.random() < 0.7,
        )
        for _ in range(rng.randint(1, 8))
    )
