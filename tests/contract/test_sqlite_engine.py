"""The engine of the SQLite store: one thread, commits in groups, callers that do not affect each other."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from pyanamo_async.core.items import State
from pyanamo_async.errors import Fenced, StoreError, TableReplaced
from pyanamo_async.store.sqlite import SqliteStore
from pyanamo_async.store.sqlite.engine import Engine
from tests.contract.numbers import CREATE, insert, insert_and_break, numbers, refuse
from tests.contract.steps import settled
from tests.fakes import NOON, an_item


@dataclass
class Traced:
    """An engine over a file with one table of numbers, and every statement it ran."""

    engine: Engine
    statements: list[str] = field(default_factory=list)

    @property
    def commits(self) -> int:
        return self.statements.count("COMMIT")

    async def numbers(self) -> list[int]:
        return await self.engine.read(numbers)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one table of numbers, in WAL mode."""
    path = tmp_path / "numbers.db"
    with closing(_connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(CREATE)
    return path


@pytest.fixture
async def engine(path: Path) -> AsyncIterator[Engine]:
    engine = Engine(path, partial(_connect, path))
    yield engine
    await engine.close()


@pytest.fixture
async def traced(tmp_path: Path) -> AsyncIterator[Traced]:
    path = tmp_path / "numbers.db"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(CREATE)
        connection.set_trace_callback(steps.statements.append)
        return connection

    steps = Traced(Engine(path, connect))
    yield steps
    await steps.engine.close()


async def test_work_that_gathers_shares_a_transaction(traced: Traced) -> None:
    """Work that arrives during a transaction shares the next one; a single job starts at once."""
    await traced.engine.write(insert(0))
    assert traced.commits == 1

    release = threading.Event()
    held = asyncio.ensure_future(traced.engine.write(lambda _: release.wait()))
    crowd = [asyncio.ensure_future(traced.engine.write(insert(number))) for number in range(1, 21)]
    await asyncio.sleep(0)  # all have submitted
    release.set()
    await asyncio.gather(held, *crowd)

    assert traced.commits <= 3
    assert await traced.numbers() == list(range(21))


async def test_a_refusal_does_not_affect_its_group(traced: Traced) -> None:
    """One of our errors reaches its caller; the others commit."""
    outcomes = await _at_once(traced, insert(1), refuse, insert(2))

    assert [type(outcome) for outcome in outcomes] == [int, Fenced, int]
    assert await traced.numbers() == [1, 2]


async def test_an_error_does_not_affect_its_group(traced: Traced) -> None:
    """The job is rolled back and its caller gets the error; the others are done as if it had not been there."""
    outcomes = await _at_once(traced, insert(1), insert_and_break(7), insert(1), _insert_and_fail(8), insert(2))

    assert [type(outcome) for outcome in outcomes] == [int, StoreError, StoreError, ZeroDivisionError, int]
    assert await traced.numbers() == [1, 2]


async def test_cancelled_calls_leave_the_store_consistent(tmp_path: Path) -> None:
    """Each cancelled call is done or not, never by half, and the store goes on."""
    store = SqliteStore(tmp_path / "table.db")
    await store.create(shards=1)
    await store.add([an_item(f"item-{number}") for number in range(100)])

    calls = [asyncio.ensure_future(store.claim(f"w{number % 5}", limit=1, now=NOON)) for number in range(100)]
    for _ in range(3):
        await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    won = [item for outcome in outcomes if isinstance(outcome, list) for item in outcome]
    counts = await store.counts()
    assert len(won) <= counts.items[State.LOCKED]
    assert counts.total == 100
    for item in won:
        await store.save(item, settled(item))
    assert (await store.counts()).items[State.DONE] == len(won) >= 50
    await store.close()


async def test_closing_finishes_what_was_submitted(traced: Traced) -> None:
    """No acknowledged or pending write is lost by a close, and no thread is left."""
    crowd = [asyncio.ensure_future(traced.engine.write(insert(number))) for number in range(20)]
    await asyncio.sleep(0)
    await traced.engine.close()

    assert await asyncio.gather(*crowd) == [1] * 20
    assert not [thread for thread in threading.enumerate() if thread.name == "sqlite numbers.db"]


async def test_the_loop_never_waits_for_a_lock(engine: Engine, path: Path) -> None:
    """Another process holds it: the work waits and the loop goes on."""
    other = _connect(path)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    write = asyncio.ensure_future(engine.write(insert(1)))
    await asyncio.sleep(0.3)  # a loop that waited would return only after the busy timeout of 5 s
    assert time.monotonic() - began < 3
    assert not write.done()

    other.execute("ROLLBACK")
    other.close()
    assert await write == 1
    assert await engine.read(numbers) == [1]


async def test_a_file_that_was_replaced_is_left_alone(engine: Engine, path: Path) -> None:
    """Neither file gets anything more, nor the log of the old one: SQLite would write it over a backup put back."""
    backup = path.with_name("backup.db")
    await engine.write(insert(1))
    with closing(_connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(backup),))
    await engine.write(insert(2))  # stands in the log

    backup.replace(path)

    for _ in range(2):
        with pytest.raises(TableReplaced, match=rf"{path} was replaced.*hint: "):
            await engine.write(insert(3))
    await engine.close()
    with closing(sqlite3.connect(path)) as connection:
        assert numbers(connection) == [1]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert path.with_name("numbers.db-wal.replaced").exists()


async def test_the_log_of_a_new_file_stays_with_it(engine: Engine, path: Path) -> None:
    """Whoever learns late that the file was replaced finds the log of those who work with the new one."""
    await engine.write(insert(1))
    for suffix in ("", "-wal", "-shm"):
        path.with_name(f"numbers.db{suffix}").unlink()
    with closing(_connect(path)) as new:
        new.execute("PRAGMA journal_mode = WAL")
        new.execute(CREATE)
        insert(2)(new)

        with pytest.raises(TableReplaced):
            await engine.write(insert(3))

        assert path.with_name("numbers.db-wal").exists()
        with closing(sqlite3.connect(path)) as other:
            assert numbers(other) == [2]


async def test_a_file_that_cannot_be_examined_fails_the_call(tmp_path: Path) -> None:
    """Its folder was moved, say, and a file has the name of the folder: the caller must not wait for ever."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "numbers.db"
    engine = Engine(path, partial(_connect, path))
    await engine.write(_nothing)
    folder.rename(tmp_path / "moved")
    folder.touch()

    with pytest.raises(StoreError):
        await asyncio.wait_for(engine.read(_nothing), timeout=5)
    await engine.close()


async def test_a_lack_of_threads_fails_the_call(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time, until there is one: the caller must not wait for ever."""
    with monkeypatch.context() as lacking:
        lacking.setattr(threading.Thread, "start", _cannot_start)
        for _ in range(2):
            with pytest.raises(StoreError, match="can't start new thread"):
                await asyncio.wait_for(engine.write(insert(1)), timeout=5)

    assert await engine.write(insert(1)) == 1


async def test_cancelled_callers_disturb_nobody(engine: Engine) -> None:
    """Their work is done or not; other callers do not notice."""
    gone = asyncio.ensure_future(engine.write(insert(1)))
    stays = asyncio.ensure_future(engine.write(insert(2)))
    await asyncio.sleep(0)
    gone.cancel()

    assert await stays == 1
    assert gone.cancelled()
    assert 2 in await engine.read(numbers)


PROGRAM = """
import asyncio, sys, threading, time
from pyanamo_async.store.sqlite import SqliteStore

begun = threading.Event()

def compute(database):
    begun.set()
    database.execute("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n").fetchall()

def sleep(connection):
    begun.set()
    time.sleep(600)

async def main():
    store = SqliteStore(sys.argv[1])
    await store.create(shards=1)
    match sys.argv[2]:
        case "reading":
            asyncio.ensure_future(store._engine.read(compute))
            await asyncio.to_thread(begun.wait)
        case "in a transaction":
            asyncio.ensure_future(store._engine.write(sleep))
            await asyncio.to_thread(begun.wait)
        case "cancelled":
            asyncio.ensure_future(store.counts()).cancel()

asyncio.run(main())
"""


@pytest.mark.parametrize("ending", ["idle", "reading", "in a transaction", "cancelled"])
def test_no_process_is_kept_alive(tmp_path: Path, ending: str) -> None:
    """A program that ends without closing its store ends, whatever the thread is doing."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "table.db"), ending]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")


async def _at_once(traced: Traced, *works: Callable[[sqlite3.Connection], object]) -> list[object]:
    """Do works in one transaction."""
    release = threading.Event()
    held = asyncio.ensure_future(traced.engine.read(lambda _: release.wait()))
    crowd = [asyncio.ensure_future(traced.engine.write(work)) for work in works]
    await asyncio.sleep(0)
    release.set()
    await held
    return list(await asyncio.gather(*crowd, return_exceptions=True))


def _insert_and_fail(number: int) -> Callable[[sqlite3.Connection], object]:
    def work(connection: sqlite3.Connection) -> float:
        return 1 / (insert(number)(connection) - 1)

    return work


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def _nothing(_: sqlite3.Connection) -> None:
    pass


def _cannot_start(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
