"""Starts that hang, as those of programs on a network folder that is away do: others go on, and they can be ended."""

from __future__ import annotations

import asyncio
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from pyanamo_async.execution import ShellLauncher, ShellProcess, starters
from pyanamo_async.execution.plain import MOST_UNDER_WAY
from pyanamo_async.execution.posix import Start
from pyanamo_async.execution.starters import HANGS_AFTER_S, MOST_THREADS
from tests.process.away import Away, away
from tests.process.scripts import LINGER, Children, is_running, living, run_script, start, until

pytestmark = pytest.mark.asyncio(loop_factories=["fast"])  # the others start processes while the loop stands still

SOON_S = 15  # a loaded machine is no failure


def starter_threads() -> int:
    return sum(thread.name == "starter" for thread in threading.enumerate())


def hanging() -> list[psutil.Process]:
    """List processes of ours that are not their program yet."""
    mine, found = psutil.Process(), []
    for child in mine.children():
        with suppress(psutil.NoSuchProcess):  # a zombie is one
            found += [child] if child.cmdline() == mine.cmdline() else []
    return found


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Away]:
    """A program that is away, and would leave a file and a child behind."""
    with away(tmp_path / "tool", f"touch {tmp_path}/ran; sleep 600 & sleep 600") as made:
        yield made


def ran(tool: Away) -> bool:
    return (tool.program.parent / "ran").exists()


async def begun(launcher: ShellLauncher, tool: Away, *, starts: int) -> list[asyncio.Task[ShellProcess]]:
    """Begin starts that hang, and wait until threads hang in as many as at first may."""
    tasks = [asyncio.create_task(start(launcher, str(tool.program))) for _ in range(starts)]
    await until(lambda: len(hanging()) >= min(starts, MOST_THREADS))
    return tasks


async def cancelled(tasks: Sequence[asyncio.Task[ShellProcess]], children: Children, *, leaving: int = 0) -> None:
    """Cancel starts, and wait until they are ended and no more children than these are left."""
    for task in tasks:
        task.cancel()
    async with asyncio.timeout(SOON_S):
        assert {type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)} == {asyncio.CancelledError}
    await until(lambda: len(children()) == leaving)


async def test_scripts_go_on_while_starts_hang(launcher: ShellLauncher, tool: Away) -> None:
    """However many hang; when they come through their threads go, and they run as if nothing had been."""
    starts = 3 * MOST_THREADS
    tasks = [asyncio.create_task(start(launcher, str(tool.program))) for _ in range(starts)]
    await until(lambda: len(hanging()) == starts)
    async with asyncio.timeout(SOON_S):
        assert (await run_script(launcher, "echo on")).stdout == b"on\n"

    tool.back()
    processes = await asyncio.gather(*tasks)
    await until(lambda: ran(tool))
    await until(lambda: starter_threads() <= MOST_THREADS)
    for process in processes:
        process.signal(signal.SIGKILL)
        await process.finish(linger=LINGER)


async def test_no_more_starts_hang_than_may(
    launcher: ShellLauncher, children: Children, tool: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes a thread; whatever comes then waits, and goes on with the first that does."""
    monkeypatch.setattr(starters, "MOST_HANGING", 1)
    monkeypatch.setattr(starters, "HANGS_AFTER_S", 0.05)
    tasks = await begun(launcher, tool, starts=MOST_THREADS + 3)
    await until(lambda: len(hanging()) == MOST_THREADS + 1)
    await asyncio.sleep(0.5)
    assert len(hanging()) == MOST_THREADS + 1
    waiting = asyncio.create_task(run_script(launcher, "echo on; exit 0"))

    await cancelled(tasks, children)
    assert (await waiting).stdout == b"on\n"


async def test_a_start_that_hangs_can_be_cancelled(
    launcher: ShellLauncher, children: Children, tool: Away, open_files: Callable[[], list[str]]
) -> None:
    """It is ended before it becomes its program, and nothing of it is left or comes later."""
    await run_script(launcher, "exit 0")
    before = open_files()
    await cancelled(await begun(launcher, tool, starts=3 * MOST_THREADS), children)

    assert hanging() == []
    await until(lambda: open_files() == before)  # a pidfd is closed when the loop hears of the exit
    tool.back()
    assert (await run_script(launcher, "exit 0")).exit.code == 0
    await until(lambda: starter_threads() <= MOST_THREADS)
    assert not ran(tool)


async def test_what_no_thread_has_begun_is_taken_back_at_once(
    launcher: ShellLauncher, children: Children, tool: Away, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not started later: its descriptors may be somebody else's by then."""
    monkeypatch.setattr(starters, "MOST_HANGING", 0)
    tasks = await begun(launcher, tool, starts=MOST_THREADS)
    waits = asyncio.create_task(start(launcher, f"touch {tmp_path}/late; exit"))
    await asyncio.sleep(0.05)

    waits.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert waits.cancelled()
    await cancelled(tasks, children)
    assert (await run_script(launcher, "exit 0")).exit.code == 0
    assert not (tmp_path / "late").exists()


async def test_a_start_that_not_even_kill_ends_is_left_alone(
    launcher: ShellLauncher, children: Children, tool: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asked for it need not wait; when it comes through its thread ends it, with its group, and reaps it."""
    monkeypatch.setattr("pyanamo_async.execution.order.kill_unborn", lambda _: True)  # which takes its effect later
    now, pids = Start.now, list[int]()

    def late(start: Start) -> int:
        pids.append(pid := now(start))
        while not ran(tool):
            time.sleep(0.005)
        return pid

    monkeypatch.setattr(Start, "now", late)
    tasks = await begun(launcher, tool, starts=1)
    await cancelled(tasks, children, leaving=1)
    [left] = hanging()
    tool.back()

    await until(lambda: pids == [left.pid] and not living(left.pid))
    await until(lambda: not left.is_running())


async def test_a_start_that_cannot_be_found_is_waited_for(
    launcher: ShellLauncher, children: Children, tool: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may close what it is to inherit, nor leave a process behind: as where the kernel lists no children."""
    monkeypatch.setattr("pyanamo_async.execution.order.kill_unborn", lambda _: False)
    [task] = await begun(launcher, tool, starts=1)
    task.cancel()
    await asyncio.sleep(0.2)
    assert not task.done()

    tool.back()
    await cancelled([task], children)


async def test_a_cancel_harms_no_script_that_the_same_thread_started(
    launcher: ShellLauncher, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The youngest child of a thread that has not made its next one yet is another script."""
    await until(lambda: starter_threads() == 0)
    running, now, go_on = await start(launcher, "sleep 600; exit"), Start.now, threading.Event()

    def late(start: Start) -> int:
        go_on.wait()
        return now(start)

    monkeypatch.setattr(Start, "now", late)
    task = asyncio.create_task(start(launcher, "sleep 600; exit"))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.sleep(0.1)
    assert is_running(running.pid)

    go_on.set()
    await cancelled([task], children, leaving=1)
    assert is_running(running.pid)
    running.signal(signal.SIGKILL)
    await running.finish(linger=LINGER)


async def test_a_thread_that_comes_through_as_it_loses_its_place_is_not_one_too_many(
    launcher: ShellLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow starts are not hanging ones: the threads stay few."""
    now = Start.now

    def slow(start: Start) -> int:
        time.sleep(0.03)
        return now(start)

    monkeypatch.setattr(Start, "now", slow)
    monkeypatch.setattr(starters, "HANGS_AFTER_S", 0.03)
    await asyncio.gather(*(run_script(launcher, "exit 0") for _ in range(40)))

    await until(lambda: starter_threads() <= MOST_THREADS)
    assert [each.exit.code for each in await asyncio.gather(*(run_script(launcher, "exit 0") for _ in range(4)))] == [
        0
    ] * 4


async def test_a_lack_of_threads_leaves_those_that_hang_where_they_are(
    launcher: ShellLauncher, children: Children, tool: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go on when they can, and so does who waits for them."""
    tasks = await begun(launcher, tool, starts=MOST_THREADS)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    waiting = asyncio.create_task(run_script(launcher, "echo on; exit 0"))
    await asyncio.sleep(2 * HANGS_AFTER_S)
    await cancelled(tasks, children)

    assert (await waiting).stdout == b"on\n"


async def test_a_folder_of_path_that_is_away_is_left_to_the_shell(
    launcher: ShellLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking there would take the threads that output needs, and keep the worker from ending; no script waits long."""
    asked, back = list[str](), threading.Event()

    def which(command: str, **_: object) -> None:
        asked.append(command)
        back.wait()

    monkeypatch.setattr(shutil, "which", which)
    scripts = [f"seq {number}" for number in range(20)] + [
        f"{name} /" for name in ("ls", "stat", "stat -L") for _ in "ab"
    ]
    scripts += [f"tool-{number}" for number in range(20)]
    try:
        async with asyncio.timeout(SOON_S):
            ended = await asyncio.gather(*(run_script(launcher, script) for script in scripts))
            assert [each.exit.code for each in ended if each.exit.code] == [127] * 20  # as the shell says
            assert (await run_script(launcher, "seq 2")).stdout == b"1\n2\n"
        assert len(set(asked)) == len(asked) == MOST_UNDER_WAY
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "look-up")
    finally:
        back.set()
