"""The threads that start processes: few, gone with their loop, and unheard of by whoever starts scripts."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from pyanamo_async.execution import ShellLauncher
from pyanamo_async.execution.fast_loop import FastLoop
from pyanamo_async.execution.posix_spawn import PreparedSpawn
from pyanamo_async.execution.runner import loop_factory
from pyanamo_async.execution.spawn_pool import SpawnPool, SpawnRequest
from tests.process.scripts import Children, run_script, spawn_threads, start, until

pytestmark = pytest.mark.asyncio(loop_factories=["fast"])


@pytest.fixture
def words_at_stdin() -> Iterator[None]:
    """Let this process have something to read at its stdin."""
    kept = os.dup(0)
    reading, writing = os.pipe()
    os.write(writing, b"not for scripts")
    os.dup2(reading, 0)
    yield
    os.dup2(kept, 0)
    for fd in (kept, reading, writing):
        os.close(fd)


@pytest.mark.asyncio(loop_factories=["fast", "uvloop", "asyncio"])
@pytest.mark.usefixtures("words_at_stdin")
@pytest.mark.parametrize("script", ["cat", "cat; exit 0"])
async def test_stdin_of_scripts_is_empty(launcher: ShellLauncher, script: str) -> None:
    """Whatever the worker's is: a script that reads it would wait, or take what is not its own."""
    async with asyncio.timeout(300):
        assert (await run_script(launcher, script)).stdout == b""


async def test_there_are_no_more_threads_than_starts_under_way(launcher: ShellLauncher) -> None:
    """One for those that come one after another, a second for two at once."""
    await until(lambda: spawn_threads() == 0)  # those of loops before go in their own time
    for _ in range(3):
        await run_script(launcher, "exit 0")
    assert spawn_threads() == 1

    await asyncio.gather(*(run_script(launcher, "exit 0") for _ in range(4)))
    assert spawn_threads() == 2


async def test_threads_go_with_their_loop(launcher: ShellLauncher) -> None:
    """Else each loop of a process would leave some."""
    await until(lambda: spawn_threads() == 0)

    def another_loop() -> None:
        with asyncio.Runner(loop_factory=loop_factory("fast")) as runner:
            runner.run(run_script(launcher, "exit 0"))

    await asyncio.to_thread(another_loop)
    await until(lambda: spawn_threads() == 0)


async def test_what_comes_through_as_its_waiter_is_cancelled_troubles_nobody(
    launcher: ShellLauncher, monkeypatch: pytest.MonkeyPatch, children: Children
) -> None:
    """The thread's word and the cancel may come in the same turn of the loop."""
    begun, go_on, told, troubles = threading.Event(), threading.Event(), threading.Event(), list[object]()
    loop, run = asyncio.get_running_loop(), SpawnRequest.run
    call_soon_threadsafe = loop.call_soon_threadsafe

    def when_told(request: SpawnRequest) -> None:
        begun.set()
        go_on.wait()
        run(request)

    def tell(callback: Callable[[SpawnRequest], None], request: SpawnRequest) -> None:
        call_soon_threadsafe(callback, request)
        told.set()

    monkeypatch.setattr(SpawnRequest, "run", when_told)
    monkeypatch.setattr(FastLoop, "call_soon_threadsafe", lambda _, callback, request: tell(callback, request))
    loop.set_exception_handler(lambda _, trouble: troubles.append(trouble))
    task = asyncio.create_task(start(launcher, "sleep 600; exit"))
    await until(begun.is_set)
    go_on.set()
    told.wait(30)  # while the loop stands still
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert troubles == []
    await until(lambda: not children())


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_thread_whose_loop_was_closed_goes_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is there to hear what it did."""
    begun, closed, troubles = threading.Event(), threading.Event(), list[object]()

    def late(_: PreparedSpawn) -> int:
        begun.set()
        closed.wait()
        raise FileNotFoundError

    await until(lambda: spawn_threads() == 0)
    monkeypatch.setattr(threading, "excepthook", troubles.append)
    monkeypatch.setattr(PreparedSpawn, "spawn", late)
    loop = loop_factory("fast")()
    pool = SpawnPool(loop)
    starting = pool.spawn(PreparedSpawn(["true"], path="/bin/true", outputs=(1, 2), env={}))
    starting.send(None)
    await until(begun.is_set)
    pool.close()
    loop.close()
    starting.close()
    closed.set()

    await until(lambda: spawn_threads() == 0 or bool(troubles))
    assert troubles == []


async def test_what_the_library_keeps_of_a_start_is_freed() -> None:
    """A worker starts millions of scripts: what it keeps of each would be gigabytes."""

    def rss_bytes_after(starts: int) -> int:
        for _ in range(starts):
            prepared = PreparedSpawn(["true"], path="/nowhere/true", outputs=(1, 2), env={})
            prepared.copy_outputs()
            with pytest.raises(FileNotFoundError):
                prepared.spawn()
        rss_bytes: int = psutil.Process().memory_info().rss
        return rss_bytes

    before = rss_bytes_after(500)
    assert rss_bytes_after(5_000) - before < 5_000 * 200


async def test_a_cancel_is_not_lost_to_an_error(launcher: ShellLauncher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is cancelled while a start fails is cancelled, and does not go on with the error."""
    begun, cancelled = threading.Event(), threading.Event()

    def late(_: PreparedSpawn) -> int:
        begun.set()
        cancelled.wait()
        raise FileNotFoundError

    monkeypatch.setattr(PreparedSpawn, "spawn", late)
    task = asyncio.create_task(start(launcher, "true"))
    await until(begun.is_set)
    task.cancel()
    cancelled.set()

    with pytest.raises(asyncio.CancelledError):
        await task
