"""SQL on the event loop: it takes little time, waits for nothing, and moves to the thread when it is slow."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from pyanamo_async.errors import Fenced, StoreError
from pyanamo_async.store.sqlite.engine import MAX_JOBS_ON_LOOP, Engine
from pyanamo_async.store.sqlite.loop_budget import CHECKPOINT_GROUPS, ROUND, LoopBudget
from tests.contract.numbers import CREATE, insert, insert_and_break, numbers, refuse

MIB = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one table of numbers, in WAL mode."""
    path = tmp_path / "numbers.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(CREATE)
    return path


@pytest.fixture
async def engine(path: Path) -> AsyncIterator[Engine]:
    """An engine after its first groups, which go to the thread."""
    engine = Engine(path, partial(sqlite3.connect, path, isolation_level=None, check_same_thread=False))
    for _ in range(CHECKPOINT_GROUPS):
        await engine.read(_where, on_loop=True)
    yield engine
    await engine.close()


async def test_short_work_runs_on_the_loop_and_other_work_in_the_thread(engine: Engine) -> None:
    assert await engine.write(_where, on_loop=True) == threading.get_ident()
    assert await engine.write(_where) != threading.get_ident()
    assert await engine.write(_where, on_loop=True) == threading.get_ident()


async def test_the_first_work_runs_in_the_thread(path: Path) -> None:
    """Opening a file may take long."""
    opened: list[int] = []

    def open_() -> sqlite3.Connection:
        opened.append(threading.get_ident())
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    engine = Engine(path, open_)
    for _ in range(CHECKPOINT_GROUPS + 1):
        await engine.write(_where, on_loop=True)
    await engine.close()

    assert len(opened) == 1
    assert opened != [threading.get_ident()]


async def test_nothing_runs_on_the_loop_while_the_thread_works(engine: Engine) -> None:
    """There is one connection."""
    release = threading.Event()
    held = asyncio.ensure_future(engine.read(lambda _: release.wait(5)))
    await asyncio.sleep(0.01)
    turns = []
    for _ in range(2):
        turns.append(asyncio.ensure_future(engine.write(_where, on_loop=True)))
        await asyncio.sleep(0.01)
    assert not any(turn.done() for turn in turns)

    release.set()
    assert await held
    assert threading.get_ident() not in await asyncio.gather(*turns)
    assert await engine.write(_where, on_loop=True) == threading.get_ident()


async def test_a_large_group_goes_to_the_thread(engine: Engine) -> None:
    crowd = MAX_JOBS_ON_LOOP + 1
    where = await asyncio.gather(*(engine.write(_where, on_loop=True) for _ in range(crowd)))
    assert threading.get_ident() not in where


async def test_the_loop_never_waits_for_a_lock(engine: Engine, path: Path) -> None:
    """Another process holds it: the work waits in the thread and the loop goes on."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    write = asyncio.ensure_future(engine.write(insert(1), on_loop=True))
    await asyncio.sleep(0.3)  # a loop that waited would return only after the busy timeout of 5 s
    assert time.monotonic() - began < 3
    assert not write.done()

    other.execute("ROLLBACK")
    other.close()
    assert await write == 1
    assert await engine.read(numbers) == [1]


async def test_after_slow_work_the_loop_is_left_alone_for_a_while(engine: Engine) -> None:
    """A disk that hangs holds the loop up once."""
    assert await engine.write(_slowly(0.05), on_loop=True) == threading.get_ident()
    assert await engine.write(_where, on_loop=True) != threading.get_ident()


def test_a_slow_file_holds_the_loop_up_for_a_hundredth_of_its_time() -> None:
    now_s, held_up_s = 0.0, 0.0
    budget = LoopBudget(lambda: now_s)
    while now_s < 1000:
        now_s += 0.01
        if budget.allows():
            now_s += 0.05
            held_up_s += 0.05
            budget.record(0.05)
    assert 5 < held_up_s < 11


def test_a_fast_file_is_used_on_the_loop_and_a_short_stall_does_not_count() -> None:
    """The kernel takes the processor away for a moment now and then."""
    budget = LoopBudget(lambda: 0.0)
    allowed = 0
    for group in range(10 * ROUND):
        if budget.allows():
            allowed += 1
            budget.record(0.005 if group % 20 == 0 else 0.0002)
    assert allowed == 10 * (ROUND - CHECKPOINT_GROUPS)


async def test_checkpoints_run_in_the_thread(engine: Engine, path: Path) -> None:
    """None on the loop, which would wait for the disk; and the log does not grow for ever."""
    settings = {await engine.write(_checkpoints_after, on_loop=True) for _ in range(2 * ROUND)}
    assert settings == {(True, 0), (False, 1000)}

    for number in range(20 * ROUND):
        await engine.write(insert(number, "x" * 8192), on_loop=True)
    written = path.stat().st_size
    assert written > 8 * MIB
    assert path.with_name("numbers.db-wal").stat().st_size < 6 * MIB


async def test_a_refusal_on_the_loop_does_not_affect_its_group(engine: Engine) -> None:
    outcomes = await _together(engine, insert(1), refuse, insert(2))

    assert [type(outcome) for outcome in outcomes] == [int, Fenced, int]
    assert await engine.read(numbers) == [1, 2]


async def test_an_error_on_the_loop_is_rolled_back_and_does_not_affect_its_group(engine: Engine) -> None:
    """The whole group runs again in the thread."""
    outcomes = await _together(engine, insert(1), insert_and_break(7), insert(1), insert(2))

    assert [type(outcome) for outcome in outcomes] == [int, StoreError, StoreError, int]
    assert await engine.read(numbers) == [1, 2]
    assert await engine.write(_where, on_loop=True) == threading.get_ident()


async def test_a_file_that_was_replaced_is_opened_again(engine: Engine, path: Path) -> None:
    """SQLite would go on with the old one."""
    await engine.write(insert(1), on_loop=True)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(f"numbers.db{suffix}").unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(CREATE)

    await engine.write(insert(2), on_loop=True)

    with closing(sqlite3.connect(path)) as connection:
        assert numbers(connection) == [2]


async def test_a_file_that_cannot_be_examined_fails_the_call(tmp_path: Path) -> None:
    """Its folder was moved, say, and a file has the name of the folder: the caller must not wait for ever."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "numbers.db"
    engine = Engine(path, partial(sqlite3.connect, path, isolation_level=None, check_same_thread=False))
    for _ in range(CHECKPOINT_GROUPS):
        await engine.write(_where, on_loop=True)
    folder.rename(tmp_path / "moved")
    folder.touch()

    with pytest.raises(StoreError):
        await asyncio.wait_for(engine.read(_where, on_loop=True), timeout=5)
    await engine.close()


async def test_a_lack_of_threads_fails_the_call(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time, until there is one: the caller must not wait for ever."""
    engine = Engine(path, partial(sqlite3.connect, path, isolation_level=None, check_same_thread=False))
    with monkeypatch.context() as lacking:
        lacking.setattr(threading.Thread, "start", _cannot_start)
        for _ in range(2):
            with pytest.raises(StoreError, match="can't start new thread"):
                await asyncio.wait_for(engine.write(insert(1)), timeout=5)

    assert await engine.write(insert(1)) == 1
    await engine.close()


async def test_cancelled_callers_disturb_nobody(engine: Engine) -> None:
    """Their work is done or not; other callers do not notice."""
    gone = asyncio.ensure_future(engine.write(insert(1), on_loop=True))
    stays = asyncio.ensure_future(engine.write(insert(2), on_loop=True))
    await asyncio.sleep(0)
    gone.cancel()

    assert await stays == 1
    assert gone.cancelled()
    assert 2 in await engine.read(numbers)


async def _together(engine: Engine, *works: Callable[[sqlite3.Connection], object]) -> list[object]:
    calls = [engine.write(work, on_loop=True) for work in works]
    return list(await asyncio.gather(*calls, return_exceptions=True))


def _cannot_start(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def _where(_: sqlite3.Connection) -> int:
    return threading.get_ident()


def _slowly(seconds: float) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        time.sleep(seconds)
        return _where(connection)

    return work


def _checkpoints_after(connection: sqlite3.Connection) -> tuple[bool, int]:
    [pages] = connection.execute("PRAGMA wal_autocheckpoint").fetchone()
    return threading.current_thread() is threading.main_thread(), pages
