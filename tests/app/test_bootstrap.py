"""Putting a worker together: what it knows of the table before it shows itself there."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from pyanamo_async.app.bootstrap import work
from pyanamo_async.app.identity import who
from pyanamo_async.app.limits import room_for, with_own_limits
from pyanamo_async.app.settings import WorkerSettings, make_settings
from pyanamo_async.core.platforms import NOWHERE, Platform
from pyanamo_async.core.workers import Orders, Worker
from pyanamo_async.outputs.memory import MemoryObjects, MemoryOutputs
from pyanamo_async.ports import Description
from pyanamo_async.store.memory import MemoryStore
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


async def run_worker(store: MemoryStore, notes: Notes) -> None:
    """Let a worker with the usual settings run until nothing is left."""
    await work(
        make_settings(table="memory:"),
        who(),
        store=store,
        outputs=MemoryOutputs(),
        objects=MemoryObjects(),
        event_log=notes,
    )


async def test_a_clock_that_is_wrong_is_told_at_the_start() -> None:
    """Whoever reads the log of the worker learns why the times in the table are wrong."""
    store, notes = RemoteStore(), Notes()
    await store.create(shards=1)
    await run_worker(store, notes)

    [told] = notes.named("clock wrong")
    assert str(told["error"]).endswith("ahead")


async def test_the_first_heartbeat_carries_the_services_time() -> None:
    """The table is asked before the row is stamped: no other worker ever sees what this machine's clock says."""
    store = RemoteStore()
    await store.create(shards=1)
    settings = make_settings(table="memory:")
    await work(settings, who(), store=store, outputs=MemoryOutputs(), objects=MemoryObjects(), event_log=Notes())

    assert min(store.stamps) == NOON
    assert max(store.stamps) - NOON < timedelta(seconds=1)  # later heartbeats have later stamps


@pytest.mark.parametrize("job", ["a\nb", "\x1b[31m", "x\0y", "\udcff", "é" * 1000, "#table", "a b/c"])
def test_a_workers_id_holds_only_safe_characters(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newline in it once made the guard's search find most processes of the machine."""
    if "\0" in job:
        monkeypatch.setattr("socket.gethostname", lambda: job)  # an environment holds no NUL
    else:
        monkeypatch.setenv("AWS_BATCH_JOB_ID", job)
    monkeypatch.setenv("AWS_BATCH_JOB_ATTEMPT", job.replace("\0", ""))
    me = who()

    assert all(re.fullmatch(r"[A-Za-z0-9._: -]{1,600}", name) for name in (me.worker_id, me.host, me.job or "-"))
    assert " " not in me.worker_id


def test_a_batch_jobs_id_is_kept_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child of an array has a colon and its index."""
    job = "0b5b1d7f-b7bc-4f8f-9a4f-3e5c0a2c1b11:42"
    monkeypatch.setenv("AWS_BATCH_JOB_ID", job)
    monkeypatch.setenv("AWS_BATCH_JOB_ATTEMPT", "2")

    assert who().worker_id.startswith(f"{job}-")
    assert who().job == f"{job} attempt 2"


async def test_a_worker_tells_its_cpus_and_its_memory() -> None:
    """Of the platform or of this machine, whichever is less: then advice can name them."""
    store = MemoryStore()
    await store.create(shards=1)

    await run_worker(store, Notes())

    [worker] = await store.workers()
    small, own = Platform(cpus=0.5, memory_bytes=1), with_own_limits(NOWHERE)
    assert (worker.platform.cpus, worker.platform.memory_bytes) == (own.cpus, own.memory_bytes)
    assert with_own_limits(small) == small


@pytest.mark.parametrize(("memory", "noted"), [("8G", False), (None, False), ("9G", True)])
def test_more_memory_than_there_is_is_noted(memory: str | None, noted: bool) -> None:
    """The kernel would kill scripts, and nobody would know why."""
    how, notes = WorkerSettings(items=2, memory=memory) if memory else WorkerSettings(items=2), Notes()

    room_for(how, how, Platform(cpus=2, memory_bytes=8 << 30), notes)

    assert [each["there_is"] for each in notes.named("more memory than there is")] == ["8.0 GB"] * noted
