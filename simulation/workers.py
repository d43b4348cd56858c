"""Whole fleets of the product's own workers against one simulated table; only their scripts are fakes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pyanamo_async.aws.service_clock import ServiceClock
from pyanamo_async.fleet.going_home import IdlePolicy
from pyanamo_async.ports import Clock
from pyanamo_async.store.dynamodb import DynamoStore
from simulation.crew import Crew, Notes
from simulation.network import Client
from simulation.virtual_time import VirtualClock, VirtualLoop

INDEX_LAG = timedelta(seconds=1)  # as `pyanamo run` has it for a table on DynamoDB


@dataclass
class Silence(Notes):
    """An event log that keeps nothing."""

    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def note(self, event: str, /, **fields: object) -> None:
        pass


def worker(
    loop: VirtualLoop, client: Client, number: int, *, slots: int, wait: bool = False, heartbeat_s: float = 20
) -> Crew:
    """Make a worker of a fleet, on a machine of its own."""
    return Crew(
        loop,
        name=f"job-{number}:{number:08x}-nonce",
        store=store_of(client, seed=number),
        notes=Silence(),
        seed=number,
        slots=slots,
        heartbeat_s=heartbeat_s,
        lease_s=9 * heartbeat_s,
        pays_per_read=True,
        index_lag=INDEX_LAG,
        idle_policy=IdlePolicy(wait=wait),
    )


def store_of(client: Client, *, seed: int = 0, clock: Clock | None = None) -> DynamoStore:
    """Open the product's own store on a simulated table, from a machine with this clock."""
    stand_in: Any = client
    service = ServiceClock(monotonic=(clock or VirtualClock(asyncio.get_running_loop())).monotonic)
    service.listen(stand_in)
    return DynamoStore("fleet", stand_in, rng=random.Random(seed), service_time=service.time)


async def work(crews: Sequence[Crew], *, within_s: float, rng: random.Random) -> None:
    """Let workers arrive within some seconds and work until they go home."""

    async def one(crew: Crew) -> None:
        await asyncio.sleep(rng.random() * within_s)
        await crew.pilot().run()

    async with asyncio.TaskGroup() as group:
        for crew in crews:
            group.create_task(one(crew))
