"""Laws of the SQLite store alone: several processes on one file, and the order and cost of queries."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from pyanamo_async.core.items import State
from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.core.transitions import release
from pyanamo_async.errors import BadRow, Unavailable
from pyanamo_async.store.sqlite import SqliteStore, items, ranges, reading
from tests.contract.steps import claim, claim_one
from tests.fakes import NOON, an_item

HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE items SET ItemState = 'locked'")
print("now", flush=True)
time.sleep(600)
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A created store that waits a twentieth of a second for locks."""
    store = SqliteStore(tmp_path / "table.db", busy_timeout=timedelta(milliseconds=50))
    await store.create(shards=1)
    yield store
    await store.close()


# --- several processes ---------------------------------------------------------------------------------------------


async def test_four_processes_finish_each_item_once(tmp_path: Path) -> None:
    """Processes that share nothing but the file, and create it at once, never do the same item."""
    path = tmp_path / "table.db"
    first = SqliteStore(path)
    await first.create(shards=1)
    await first.add([an_item(f"item-{number}") for number in range(400)])

    workers = [_claimer(path, f"w{number}") for number in range(4)]
    outputs = await asyncio.gather(*(asyncio.to_thread(worker.communicate) for worker in workers))

    assert [worker.returncode for worker in workers] == [0] * 4
    finished = [line for output, _ in outputs for line in output.split()]
    assert sorted(f"item-{number}" for number in range(400)) == sorted(finished)
    assert (await first.counts()).items[State.DONE] == 400
    await first.close()


async def test_processes_may_create_at_once(tmp_path: Path) -> None:
    """Each comes to a table that works."""
    workers = [_claimer(tmp_path / "table.db", f"w{number}") for number in range(4)]

    await asyncio.gather(*(asyncio.to_thread(worker.communicate) for worker in workers))

    assert [worker.returncode for worker in workers] == [0] * 4


async def test_creating_waits_for_a_process_that_creates(tmp_path: Path) -> None:
    """Also where SQLite gives up at once: at the change of the journal mode."""
    with closing(sqlite3.connect(tmp_path / "table.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.3, other.rollback).start()
        store = SqliteStore(tmp_path / "table.db")

        assert await store.create(shards=1)
        await store.close()


async def test_acknowledged_writes_survive_a_kill(store: SqliteStore) -> None:
    """A process killed at any moment leaves a sound file with every write that was acknowledged."""
    await store.add([an_item(f"item-{number}") for number in range(2000)])
    acknowledged: set[str] = set()
    for lines in (1, 7, 40):
        worker = _claimer(store.path, "w1")
        assert worker.stdout is not None
        acknowledged |= {worker.stdout.readline().strip() for _ in range(lines)}
        worker.kill()
        acknowledged |= {line for line in worker.communicate()[0].split("\n")[:-1] if line}

    done = {summary.item_id async for summary in store.summaries(state=State.DONE)}
    assert acknowledged <= done
    assert (await store.counts()).total == 2000
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_an_unfinished_transaction_of_a_killed_process_has_no_effect(store: SqliteStore) -> None:
    """The next process sees nothing of it and does not wait for its lock."""
    await store.add([an_item("a")])
    worker = _process("-c", HOLD, store.path)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "now\n"
    with pytest.raises(Unavailable):
        await claim_one(store)
    worker.kill()
    worker.communicate()

    assert (await claim_one(store)).attempt == 1


# --- order and cost ------------------------------------------------------------------------------------------------


async def test_items_run_in_the_order_of_their_file(store: SqliteStore) -> None:
    """First in, first out within a priority; a released item keeps its place."""
    ids = [f"item-{number}" for number in range(20)]
    await store.add([an_item(item_id) for item_id in reversed(ids)])
    first, *_ = await store.claim("w1", limit=3, now=NOON)
    await store.save(first, release(first, InterruptReason.STOP))

    claims = await claim(store, limit=18)

    assert [first.item_id, *ids[16::-1]] == [item.item_id for item in claims]


@pytest.mark.parametrize(
    ("statement", "parameters", "walk"),
    [
        (items.CANDIDATES, 4, "SEARCH items USING INDEX QueueIndex (ItemState=? AND Queue_Key>? AND Queue_Key<?)"),
        (reading.HELD, 1, "SEARCH items USING INDEX QueueIndex (ItemState=? AND Queue_Key=?)"),
        (items.NEXT, 3, "SEARCH items USING COVERING INDEX QueueIndex (ItemState=? AND Queue_Key>? AND Queue_Key<?)"),
        (ranges.LAST, 2, "SEARCH items USING COVERING INDEX QueueIndex (ItemState=? AND Queue_Key>? AND Queue_Key<?)"),
        (
            f"{reading.COUNTS} FROM {reading.EVERYTHING} GROUP BY ItemState",
            0,
            "SEARCH items USING COVERING INDEX QueueIndex (ItemState=?)",
        ),
        (
            f"SELECT count(*) FROM {reading.MOVING}",  # noqa: S608 - a constant
            1,
            "SEARCH items USING COVERING INDEX QueueIndex (ItemState=? AND Queue_Key>?)",
        ),
        (reading.LEDGERS, 0, "SCAN items USING COVERING INDEX LedgerIndex"),
        (reading.SUMMARIES, 5, "SEARCH items USING INDEX QueueIndex (ItemState=? AND Queue_Key=? AND Position>?)"),
    ],
    ids=["claimable", "held", "next", "classes", "counts", "moving", "ledgers", "summaries"],
)
async def test_every_query_walks_the_index(store: SqliteStore, statement: str, parameters: int, walk: str) -> None:
    """In its order: done items cost claiming nothing, and the last page of a listing costs what the first does."""
    with closing(sqlite3.connect(store.path)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * parameters)]

    assert walk in plan
    assert "TEMP B-TREE" not in " ".join(plan)


def _claimer(path: Path, worker: str) -> subprocess.Popen[str]:
    return _process("-m", "tests.contract.claimer", path, worker)


def _process(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)


async def test_an_item_whose_holder_is_no_text_is_found_with_its_holder(store: SqliteStore) -> None:
    """Otherwise nobody would ever take it over."""
    await store.add([an_item("a")])
    await claim_one(store)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("UPDATE items SET Queue_Key = CAST(x'fffe' AS TEXT)")

    [holder] = [holder async for holder in store.holders()]
    [held] = await store.held(holder)

    assert isinstance(held, BadRow)
    assert await store.bury(held, now=NOON)
    assert (await store.counts()).items[State.FAILED] == 1
