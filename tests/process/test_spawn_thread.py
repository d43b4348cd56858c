"""The threads that start processes: few, and unheard of by whoever starts scripts."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator

import psutil
import pytest

from pyanamo_async.execution import ShellLauncher, spawn_thread
from pyanamo_async.execution.posix_spawn import PreparedSpawn
from pyanamo_async.execution.spawn_thread import MAX_IDLE, Started
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


async def test_few_threads_stay(launcher: ShellLauncher) -> None:
    """However many starts there were at once."""
    await asyncio.gather(*(run_script(launcher, "exit 0") for _ in range(40)))

    await until(lambda: 1 <= spawn_threads() <= MAX_IDLE)


async def test_a_fork_of_this_process_has_threads_of_its_own(launcher: ShellLauncher) -> None:
    """Idle ones stay with the parent: work that is given to them would never be done."""
    await run_script(launcher, "exit 0")
    assert spawn_threads()
    child = os.fork()
    if not child:
        os._exit(len(spawn_thread.idle_threads))
    _, status = os.waitpid(child, 0)  # noqa: ASYNC222 - it has ended as good as at once

    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_what_comes_through_as_its_waiter_is_cancelled_troubles_nobody(
    launcher: ShellLauncher, monkeypatch: pytest.MonkeyPatch, children: Children, *, cancelled_first: bool
) -> None:
    """The thread's word and the cancel may come in the same turn of the loop."""
    arrive, troubles, arrived = spawn_thread._arrive, list[object](), asyncio.Event()

    def arrive_with_cancel(started: Started, result: int | OSError) -> None:
        arrived.set()
        if cancelled_first:
            task.cancel()
            arrive(started, result)
        else:
            arrive(started, result)
            task.cancel()

    monkeypatch.setattr(spawn_thread, "_arrive", arrive_with_cancel)
    asyncio.get_running_loop().set_exception_handler(lambda _, trouble: troubles.append(trouble))
    task = asyncio.create_task(start(launcher, "sleep 600; exit"))
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (arrived.is_set(), troubles) == (True, [])
    await until(lambda: not children())


async def test_what_the_library_keeps_of_a_start_is_freed() -> None:
    """A worker starts millions of scripts: what it keeps of each would be gigabytes."""

    def rss_bytes_after(starts: int) -> int:
        for _ in range(starts):
            prepared = PreparedSpawn(["true"], path="/nowhere/true", env={})
            with pytest.raises(FileNotFoundError):
                prepared.spawn((1, 2))
        rss_bytes: int = psutil.Process().memory_info().rss
        return rss_bytes

    before = rss_bytes_after(500)
    assert rss_bytes_after(5_000) - before < 5_000 * 200


async def test_a_cancel_is_not_lost_to_an_error(launcher: ShellLauncher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is cancelled while a start fails is cancelled, and does not go on with the error."""
    begun, cancelled = threading.Event(), threading.Event()

    def late(*_: object) -> int:
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
