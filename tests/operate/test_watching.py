"""Looking at a table, and at what an item printed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pyanamo_async.core.items import Output, State, TaskRecord
from pyanamo_async.core.outcomes import Succeeded
from pyanamo_async.core.workers import Worker
from pyanamo_async.errors import OutputMissing, UsageError
from pyanamo_async.operate.watching import look, output_of
from pyanamo_async.store.memory import MemoryStore
from tests.fakes import NOON, an_item

OUT, ERR = Output("out", size_bytes=3, lines=1), Output("err", size_bytes=3, lines=1)
RECORD = TaskRecord(Succeeded(), NOON, NOON, 0.1, attempt=1, worker="w", stdout=OUT, stderr=ERR)


async def test_status_counts_items_and_living_workers() -> None:
    """Workers that said goodbye or fell silent move nothing any more."""
    store = MemoryStore()
    await store.create(shards=1)
    await store.add([an_item("a"), an_item("b"), an_item("c")])
    await store.claim("w", limit=1, now=NOON)
    lease = timedelta(seconds=60)
    living = Worker("living", "h", NOON - timedelta(seconds=10), NOON, lease, done=5)
    silent = replace(living, worker_id="silent", beat=NOON - timedelta(hours=1), started=NOON - timedelta(hours=2))
    for worker in (living, silent, replace(living, worker_id="gone", gone=True)):
        await store.beat(worker)

    seen = await look(store, "sqlite:x.db", now=NOON)

    assert (seen.table, seen.counts.items[State.TODO], seen.counts.items[State.LOCKED]) == ("sqlite:x.db", 2, 1)
    assert (seen.workers, seen.items_per_second, seen.time_left) == (1, 0.5, timedelta(seconds=6))


def test_the_only_task_needs_no_name() -> None:
    """A single item has one output of each kind."""
    item = an_item("a")
    item = replace(item, tasks=(replace(item.tasks[0], record=RECORD),))

    assert output_of(item, None, stderr=False) == OUT
    assert output_of(item, None, stderr=True) == ERR
    assert output_of(item, "Task_0", stderr=False) == OUT


@pytest.mark.parametrize("name", ["1", "Task_1"])
def test_a_task_is_found_by_name_or_number(name: str) -> None:
    """Nobody likes to type `Task_`."""
    item = an_item("a", nested=("x", "y"))
    item = replace(item, tasks=(item.tasks[0], replace(item.tasks[1], record=RECORD)))

    assert output_of(item, name, stderr=False) == OUT


def test_several_tasks_must_be_told_apart() -> None:
    """The hint says how."""
    item = an_item("a", nested=("x", "y"))

    with pytest.raises(UsageError, match=r"has 2 tasks.*Task_0 to Task_1"):
        output_of(item, None, stderr=False)
    with pytest.raises(UsageError, match="has no task 7"):
        output_of(item, "7", stderr=False)


def test_a_task_that_never_ran_has_no_output() -> None:
    """Which is another thing than empty output."""
    with pytest.raises(OutputMissing, match=r"item a has no output.*it is todo"):
        output_of(an_item("a"), None, stderr=False)
    with pytest.raises(OutputMissing, match="task Task_1 of item a"):
        output_of(an_item("a", nested=("x", "y")), "1", stderr=False)
