"""What the fast loop does in threads beside it, and what it leaves to Popen: it shows in time alone."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from pyanamo_async.execution import ShellLauncher
from pyanamo_async.execution.fast_loop import FastLoop
from pyanamo_async.execution.order import Order
from pyanamo_async.execution.posix import Start
from pyanamo_async.execution.runner import loop_factory
from pyanamo_async.execution.starters import Starters
from tests.process.scripts import Children, run_script, start, until

pytestmark = pytest.mark.asyncio(loop_factories=["fast"])


def starters() -> int:
    return sum(thread.name == "starter" for thread in threading.enumerate())


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
    async with asyncio.timeout(20):
        assert (await run_script(launcher, script)).stdout == b""


async def test_there_are_no_more_threads_than_starts_under_way(launcher: ShellLauncher) -> None:
    """One for those that come one after another, a second for two at once."""
    await until(lambda: starters() == 0)  # those of loops before go in their own time
    for _ in range(3):
        await run_script(launcher, "exit 0")
    assert starters() == 1

    await asyncio.gather(*(run_script(launcher, "exit 0") for _ in range(4)))
    assert starters() == 2


async def test_threads_go_with_their_loop(launcher: ShellLauncher) -> None:
    """Else each loop of a process would leave some."""
    await until(lambda: starters() == 0)

    def another_loop() -> None:
        with asyncio.Runner(loop_factory=loop_factory("fast")) as runner:
            runner.run(run_script(launcher, "exit 0"))

    await asyncio.to_thread(another_loop)
    await until(lambda: starters() == 0)


async def test_what_comes_through_as_its_waiter_is_cancelled_troubles_nobody(
    launcher: ShellLauncher, monkeypatch: pytest.MonkeyPatch, children: Children
) -> None:
    """The thread's word and the cancel may come in the same turn of the loop."""
    begun, go_on, told, troubles = threading.Event(), threading.Event(), threading.Event(), list[object]()
    loop, carry_out = asyncio.get_running_loop(), Order.carry_out
    call_soon_threadsafe = loop.call_soon_threadsafe

    def when_told(order: Order) -> None:
        begun.set()
        go_on.wait()
        carry_out(order)

    def tell(callback: Callable[[Order], None], order: Order) -> None:
        call_soon_threadsafe(callback, order)
        told.set()

    monkeypatch.setattr(Order, "carry_out", when_told)
    monkeypatch.setattr(FastLoop, "call_soon_threadsafe", lambda _, callback, order: tell(callback, order))
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

    class Late(Start):
        def __init__(self) -> None:
            pass

        def now(self) -> int:
            begun.set()
            closed.wait()
            raise FileNotFoundError

    await until(lambda: starters() == 0)
    monkeypatch.setattr(threading, "excepthook", troubles.append)
    loop = loop_factory("fast")()
    pool = Starters(loop)
    starting = pool.start(Late())
    starting.send(None)
    await until(begun.is_set)
    pool.close()
    loop.close()
    starting.close()
    closed.set()

    await until(lambda: starters() == 0 or bool(troubles))
    assert troubles == []


async def test_what_the_library_keeps_of_a_start_is_freed() -> None:
    """A worker starts millions of scripts: what it keeps of each would be gigabytes."""
    options: dict[str, Any] = {"path": "/bin/true", "stdout": 3, "stderr": 4, "env": {}, "is_leader": True}

    def lay_ready(starts: int) -> int:
        for _ in range(starts):
            Start(["true"], **options)
        rss_bytes: int = psutil.Process().memory_info().rss
        return rss_bytes

    before = lay_ready(1000)
    assert lay_ready(20_000) - before < 20_000 * 100


@pytest.mark.parametrize("fails", ["exec", "watching"])
async def test_a_cancel_is_not_lost_to_an_error(
    launcher: ShellLauncher, fails: str, monkeypatch: pytest.MonkeyPatch, children: Children
) -> None:
    """Who is cancelled while a start fails is cancelled, and does not go on with the error."""
    now = Start.now

    def late(start: Start) -> int:
        time.sleep(0.1)
        if fails == "exec":
            raise FileNotFoundError
        return now(start)

    def refuse(_: int) -> int:
        raise OSError

    monkeypatch.setattr(Start, "now", late)
    if fails == "watching":
        monkeypatch.setattr("pyanamo_async.execution.transport.os.pidfd_open", refuse)
    task = asyncio.create_task(start(launcher, "sleep 600; exit"))
    await asyncio.sleep(0.03)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not children())


async def test_outputs_may_change_places(capfd: pytest.CaptureFixture[str]) -> None:
    """Descriptors that replace each other overlap."""
    process = await asyncio.create_subprocess_shell(
        "echo out; echo err >&2", stdin=DEVNULL, stdout=2, stderr=1, close_fds=False
    )
    assert await process.wait() == 0
    assert capfd.readouterr() == ("err\n", "out\n")


async def test_what_only_popen_can_is_left_to_it() -> None:
    """Also where both outputs are files: descriptors are passed on as asked, and other options are heeded."""
    reading, writing = os.pipe()
    inherited, passed = os.dup(writing), os.dup(writing)
    os.set_inheritable(inherited, True)
    tell = f"for fd in {inherited} {passed}; do test -e /proc/self/fd/$fd && echo $fd; done; umask"
    options: list[dict[str, Any]] = [{"umask": 0o27}, {"umask": 0o27, "pass_fds": (passed,)}]
    options += [{"umask": 0o27, "close_fds": False}]
    try:
        for each in options:
            process = await asyncio.create_subprocess_shell(tell, stdin=DEVNULL, stdout=writing, stderr=writing, **each)
            await process.wait()
    finally:
        for fd in (writing, inherited, passed):
            os.close(fd)
    with os.fdopen(reading) as told:
        assert told.read().split() == ["0027", f"{passed}", "0027", f"{inherited}", "0027"]


async def test_none_but_those_asked_for_are_passed() -> None:
    """Popen closes others by default, and so do we: `posix_spawn` could not."""
    inherited = os.dup(2)
    os.set_inheritable(inherited, True)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - it is /dev/null
        process = await asyncio.create_subprocess_shell(
            f"test ! -e /proc/self/fd/{inherited}", stdin=DEVNULL, stdout=nowhere.fileno(), stderr=nowhere.fileno()
        )
        status = await process.wait()
    os.close(inherited)
    assert status == 0
