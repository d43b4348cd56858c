"""The product's own workers against the service of this process, on virtual time: only the scripts are fakes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from benchmarks.fleet.service import Service
from pyanamo_async.core.items import Item
from pyanamo_async.fleet.idle_policy import IdlePolicy
from pyanamo_async.store.dynamodb import DynamoStore
from tests.fakes import an_item
from tests.worker.crew import Crew, Notes
from tests.worker.virtual import VirtualLoop

INDEX_LAG = timedelta(seconds=1)  # as `pyanamo run` has it for a table on DynamoDB


def items(count: int, *, mean_s: float, rng: random.Random) -> list[Item]:
    """Make items whose durations are exponential around a mean."""
    return [
        an_item(f"sample-{number:07}", script=f"sleep {rng.expovariate(1 / mean_s):.4f}") for number in range(count)
    ]


@dataclass
class Silence(Notes):
    """A journal that keeps nothing."""

    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def note(self, event: str, /, **fields: object) -> None:
        pass


def worker(
    loop: VirtualLoop, service: Service, number: int, *, slots: int, wait: bool = False, heartbeat_s: float = 20
) -> Crew:
    """Make a worker of a fleet, on a machine of its own."""
    client: Any = service
    return Crew(
        loop,
        name=f"job-{number}:{number:08x}-nonce",
        store=DynamoStore("fleet", client, rng=random.Random(number)),
        notes=Silence(),
        seed=number,
        slots=slots,
        heartbeat_s=heartbeat_s,
        lease_s=9 * heartbeat_s,
        pays_per_read=True,
        index_lag=INDEX_LAG,
        idle_policy=IdlePolicy(wait=wait),
    )


async def work(crews: Sequence[Crew], *, within_s: float, rng: random.Random) -> None:
    """Let workers come within some seconds, and work until they go home."""

    async def one(crew: Crew) -> None:
        await asyncio.sleep(rng.random() * within_s)
        await crew.pilot().run()

    async with asyncio.TaskGroup() as group:
        for crew in crews:
            group.create_task(one(crew))
