"""Putting a worker together: what it knows of the table before it shows itself there."""

from __future__ import annotations

from datetime import datetime

from pyanamo_async.app.bootstrap import who, work_until
from pyanamo_async.app.settings import make_settings
from pyanamo_async.core.workers import Orders, Worker
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.ports import Description
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.worker.stop import Stop
from simulation.crew import Notes
from tests.fakes import NOON


class RemoteStore(MemoryStore):
    """A table whose service has another time than this machine, and tells it with its first reply."""

    def __init__(self) -> None:
        super().__init__()
        self.has_answered = False
        self.stamps: list[datetime] = []

    def service_time(self, *, now: datetime) -> datetime:
        return NOON if self.has_answered else now

    async def describe(self) -> Description:
        self.has_answered = True
        return await super().describe()

    async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
        self.stamps += [worker.started, worker.heartbeat]
        return await super().heartbeat(worker, registered=registered)


async def test_the_first_heartbeat_carries_the_services_time() -> None:
    """The table is asked before the row is stamped: no other worker ever sees what this machine's clock says."""
    store = RemoteStore()
    await store.create(shards=1)
    settings = make_settings(table="memory:")
    await work_until(Stop(), settings, who(), store=store, outputs=MemoryOutputs(), event_log=Notes())

    assert set(store.stamps) == {NOON}
