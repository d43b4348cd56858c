"""Starts that hang, as those of a shell on a dead mount do: others go on, and whoever is cancelled need not wait."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from pyanamo_async.errors import LaunchRefused
from pyanamo_async.execution import Guard, ShellLauncher, ShellProcess, spawn_thread
from pyanamo_async.execution.posix_spawn import PreparedSpawn
from pyanamo_async.execution.spawn_thread import MAX_IDLE, abandoned_starts
from tests.process.away import Away, away
from tests.process.scripts import LINGER, Children, is_running, run_script, spawn_threads, start, until

pytestmark = pytest.mark.asyncio(loop_factories=["fast"])  # the others start processes while the loop stands still

SOON_S = 300  # a busy machine is no failure

LEAVING_WORKER = """
import asyncio, os, sys
from contextlib import closing
from pyanamo_async.execution import Guard, ShellLauncher, run
from pyanamo_async.ports import Command

class Nobody:
    def feed(self, chunk): return True

async def main():
    with closing(Guard("LEFT_BY={mark}")) as guard:
        launcher = ShellLauncher("{shell}", guard=guard)
        command = Command("", {{**os.environ, "LEFT_BY": "{mark}"}})
        try:
            async with asyncio.timeout(0.5):
                await launcher.start(command, stdout=Nobody(), stderr=Nobody())
        except TimeoutError:
            print(guard.pid, flush=True)

run(main())
"""


def hanging() -> list[psutil.Process]:
    """List processes of ours that have not called `exec`."""
    mine, found = psutil.Process(), []
    for child in mine.children():
        with suppress(psutil.NoSuchProcess):  # a zombie is one
            found += [child] if child.cmdline() == mine.cmdline() else []
    return found


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Away]:
    """A shell that is away. Whatever script it gets, it leaves a file and a child behind."""
    with away(tmp_path / "shell", f"touch {tmp_path}/ran; sleep 600 & sleep 600") as made:
        yield made


@pytest.fixture
def hanging_launcher(shell: Away) -> ShellLauncher:
    """A launcher whose starts hang."""
    return ShellLauncher(str(shell.program))


async def begun(launcher: ShellLauncher, *, starts: int) -> list[asyncio.Task[ShellProcess]]:
    """Begin starts, and wait until all of them hang."""
    tasks = [asyncio.create_task(start(launcher, "")) for _ in range(starts)]
    await until(lambda: len(hanging()) == starts)
    return tasks


async def cancelled(tasks: Sequence[asyncio.Task[ShellProcess]]) -> None:
    """Cancel starts and wait until each has returned."""
    for task in tasks:
        task.cancel()
    async with asyncio.timeout(SOON_S):
        assert {type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)} == {asyncio.CancelledError}


async def test_scripts_go_on_while_starts_hang(
    launcher: ShellLauncher, hanging_launcher: ShellLauncher, shell: Away
) -> None:
    """However many hang. When they come through, they run as usual and their extra threads end."""
    tasks = await begun(hanging_launcher, starts=6)
    async with asyncio.timeout(SOON_S):
        assert (await run_script(launcher, "echo on")).stdout == b"on\n"

    shell.back()
    processes = await asyncio.gather(*tasks)
    await until((shell.program.parent / "ran").exists)
    await until(lambda: spawn_threads() <= MAX_IDLE)
    for process in processes:
        process.signal(9)
        await process.finish(linger=LINGER)


async def test_no_more_starts_are_abandoned_than_may(
    launcher: ShellLauncher, hanging_launcher: ShellLauncher, shell: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each keeps a thread; whatever comes then is refused until the first of them comes through."""
    await until(lambda: abandoned_starts() == 0)
    monkeypatch.setattr(spawn_thread, "MAX_ABANDONED", 2)
    idle = len(spawn_thread.idle_threads)  # one start more than there are idle threads
    await cancelled(await begun(hanging_launcher, starts=2 + idle))
    with pytest.raises(LaunchRefused, match="ulimit -u"):
        await start(launcher, "true")

    shell.back()
    await until(lambda: abandoned_starts() == 0)
    assert (await run_script(launcher, "echo on; exit 0")).stdout == b"on\n"


async def test_a_start_that_hangs_can_be_cancelled(
    launcher: ShellLauncher,
    hanging_launcher: ShellLauncher,
    shell: Away,
    children: Children,
    open_files: Callable[[], list[str]],
) -> None:
    """It is abandoned; when its process appears, that is killed with its group, and nothing else stays of it."""
    await run_script(launcher, "exit 0")
    before = [file for file in open_files() if file != str(shell.program)]
    tasks = await begun(hanging_launcher, starts=6)
    await cancelled(tasks)
    assert abandoned_starts() == len(hanging()) == 6

    shell.back()
    await until(lambda: abandoned_starts() == 0)
    assert children() == []
    assert open_files() == before
    assert (await run_script(launcher, "exit 0")).exit.code == 0
    await until(lambda: spawn_threads() <= MAX_IDLE)


async def test_a_cancelled_start_that_comes_through_in_time_is_not_abandoned(
    hanging_launcher: ShellLauncher, shell: Away, children: Children
) -> None:
    """Whoever is cancelled may rely on it that nothing runs any more."""
    [task] = await begun(hanging_launcher, starts=1)
    task.cancel()
    await asyncio.sleep(0)
    shell.back()
    await asyncio.wait([task])

    assert task.cancelled()
    assert (abandoned_starts(), children()) == (0, [])


async def test_an_abandoned_start_that_fails_troubles_nobody(
    monkeypatch: pytest.MonkeyPatch, launcher: ShellLauncher
) -> None:
    """Nobody waits for its error."""
    go_on, troubles = threading.Event(), list[object]()

    def late(*_: object) -> int:
        go_on.wait()
        raise FileNotFoundError

    asyncio.get_running_loop().set_exception_handler(lambda _, trouble: troubles.append(trouble))
    monkeypatch.setattr(PreparedSpawn, "spawn", late)
    task = asyncio.create_task(start(launcher, "true"))
    await asyncio.sleep(0.05)
    await cancelled([task])
    assert abandoned_starts() == 1

    go_on.set()
    await until(lambda: abandoned_starts() == 0)
    assert troubles == []


async def test_the_guard_waits_while_a_start_is_abandoned(shell: Away) -> None:
    """It gets no goodbye: the process may appear when the worker has gone. Afterwards it ends as ever."""
    guard = Guard()
    [task] = await begun(ShellLauncher(str(shell.program), guard=guard), starts=1)
    await cancelled([task])
    guard.close()
    assert is_running(guard.pid)

    shell.back()
    await until(lambda: abandoned_starts() == 0)
    pid = guard.pid
    guard.close()
    assert not is_running(pid)


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_process_that_appears_when_its_worker_has_gone_is_ended_by_the_guard(
    shell: Away, tmp_path: Path
) -> None:
    """The worker does not wait for a start that hangs, and nothing runs on unattended."""
    program = LEAVING_WORKER.format(shell=shell.program, mark=tmp_path)
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(SOON_S):
        said, _ = await worker.communicate()
    assert worker.returncode == 0
    guard = int(said)
    assert is_running(guard)
    [late] = [process for process in psutil.process_iter(["cmdline"]) if program in (process.info["cmdline"] or [])]

    shell.back()
    await until(lambda: not is_running(late.pid))
    await until(lambda: not is_running(guard))
