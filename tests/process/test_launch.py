"""Starting: what cannot be started says so, and leaves nothing; many start at once."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pyanamo_async.errors import LaunchFailed, LaunchRefused
from pyanamo_async.execution import ShellLauncher, find_shell, spawn_thread
from pyanamo_async.execution.posix_spawn import PreparedSpawn
from pyanamo_async.ports import Command
from tests.process.scripts import LINGER, Collector, command, is_running, living, run_script, start, tells_usage, until


async def failure(launcher: ShellLauncher, script: str = "true") -> LaunchFailed:
    with pytest.raises(LaunchFailed) as caught:
        await launcher.start(command(script), stdout=Collector(), stderr=Collector())
    return caught.value


async def test_missing_shell_is_named() -> None:
    """A shell that is not there is our failure to launch, not the script's."""
    failed = await failure(ShellLauncher("/nowhere/bash"))

    assert "/nowhere/bash" in failed.what
    assert "`shell`" in failed.hint


async def test_too_long_script_says_what_to_do(launcher: ShellLauncher) -> None:
    """Linux takes 128 KiB in one argument; the hint is a file."""
    failed = await failure(launcher, ": " + "x" * 140_000)

    assert os.strerror(errno.E2BIG) in failed.what
    assert "file" in failed.hint


async def test_nul_in_a_script_is_refused(launcher: ShellLauncher) -> None:
    """No system can pass it on."""
    failed = await failure(launcher, "echo a\0b")

    assert "NUL" in failed.what


async def test_failed_launch_leaves_no_descriptor(launcher: ShellLauncher, open_files: Callable[[], list[str]]) -> None:
    """However often it fails."""
    await run_script(launcher, "true")
    before = open_files()
    for _ in range(20):
        await failure(ShellLauncher("/nowhere/bash"))
        await failure(launcher, ": " + "x" * 140_000)

    assert before == open_files()


@pytest.mark.asyncio(loop_factories=["fast", "asyncio"])  # stock uvloop itself leaks when descriptors run out
@pytest.mark.parametrize("spare", range(9))
async def test_lack_of_files_is_told(launcher: ShellLauncher, open_files: Callable[[], list[str]], spare: int) -> None:
    """Wherever in a start the descriptors run out, it says so, leaves nothing, and passes when some are free again."""
    await run_script(launcher, "true")
    before = open_files()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(before) + 20, hard))
    taken = list(iter(_one_more_file, -1))
    for fd in taken[:spare]:
        os.close(fd)
    try:
        process = await start(launcher, "true")
        await process.finish(linger=LINGER)
        hint = ""
    except LaunchFailed as failed:
        hint = failed.hint
    finally:
        for fd in taken[spare:]:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert "ulimit -n" in hint or (hint == "" and spare > 4)  # two pipes need four
    assert (await run_script(launcher, "true")).exit.code == 0
    assert before == open_files()


def _one_more_file() -> int:
    try:
        return os.dup(0)
    except OSError:
        return -1


async def test_many_runs_leave_no_descriptor_and_no_zombie(
    launcher: ShellLauncher, open_files: Callable[[], list[str]]
) -> None:
    """A worker that lives for weeks does not fill up. Stock loops fork, which is slow: a quarter of it."""
    await run_script(launcher, "true")
    before = open_files()
    for _ in range(50 if tells_usage() else 12):
        await asyncio.gather(*(run_script(launcher, "echo hi; sleep 0.0$RANDOM 2>/dev/null") for _ in range(4)))

    assert before == open_files()


async def test_hundreds_start_at_once(launcher: ShellLauncher) -> None:
    """All of them run at the same time. Stock loops fork, which is slow: a hundred."""
    many = 500 if tells_usage() else 100
    processes = [await start(launcher, "echo up; sleep 600", Collector()) for _ in range(many)]
    try:
        assert len({process.pid for process in processes}) == many
        assert all(is_running(process.pid) for process in processes)
    finally:
        for process in processes:
            process.signal(9)
        await asyncio.gather(*(process.finish(linger=LINGER) for process in processes))


async def test_cancelled_start_leaves_nothing(launcher: ShellLauncher, open_files: Callable[[], list[str]]) -> None:
    """Whatever moment the cancel comes: no descriptor stays, and the autouse fixture finds no process."""
    await run_script(launcher, "true")
    before = open_files()
    for yields in range(4):
        task = asyncio.create_task(start(launcher, "sleep 600"))
        for _ in range(yields):
            await asyncio.sleep(0)
        task.cancel()
        [outcome] = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(outcome, BaseException):
            outcome.signal(9)
            await outcome.finish(linger=LINGER)

    await until(lambda: before == open_files())  # stock loops reap a process they gave up in their own time


@pytest.mark.asyncio(loop_factories=["fast"])  # the others start processes while the loop stands still
async def test_start_cancelled_while_the_kernel_is_at_it_leaves_nothing(
    launcher: ShellLauncher, open_files: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is cancelled, its thread ends it with all of its group."""
    started: list[int] = []
    spawn = PreparedSpawn.spawn

    def late(prepared: PreparedSpawn, outputs: Sequence[int]) -> int:
        started.append(spawn(prepared, outputs))
        time.sleep(0.2)  # in its thread; long enough for the script to have a child
        return started[0]

    await run_script(launcher, "true")
    before = open_files()
    monkeypatch.setattr(PreparedSpawn, "spawn", late)
    task = asyncio.create_task(start(launcher, "sleep 600 & sleep 600"))
    for _ in range(3):
        await asyncio.sleep(0.03)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert len(started) == 1
    await until(lambda: not living(started[0]))
    await until(lambda: before == open_files())


@pytest.mark.asyncio(loop_factories=["fast"])
async def test_lack_of_threads_is_a_lack_of_processes(
    open_files: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads count as processes (ulimit -u): it is said so, and what was not started is not started later."""
    began: list[PreparedSpawn] = []
    spawn = PreparedSpawn.spawn

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def noted(prepared: PreparedSpawn, outputs: Sequence[int]) -> int:
        began.append(prepared)
        return spawn(prepared, outputs)

    monkeypatch.setattr(PreparedSpawn, "spawn", noted)
    before = open_files()
    with monkeypatch.context() as poor:
        poor.setattr(threading.Thread, "start", refuse)
        poor.setattr(spawn_thread, "idle_threads", [])
        refused = await failure(ShellLauncher())

    assert isinstance(refused, LaunchRefused)
    assert "ulimit -u" in refused.hint
    assert (began, open_files()) == ([], before)
    assert (await run_script(ShellLauncher(), "true")).exit.code == 0
    assert len(began) == 1


@pytest.mark.asyncio(loop_factories=["fast"])  # the others watch no pidfd, or in a way of their own
async def test_script_that_cannot_be_watched_leaves_none_of_its_group(
    launcher: ShellLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last descriptor went to somebody else meanwhile: what it began is ended, and the machine is to blame."""
    begun, pids = tmp_path / "begun", list[int]()

    def none_left(pid: int) -> int:
        pids.append(pid)
        while not begun.exists():
            time.sleep(0.005)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pyanamo_async.execution.fast_loop.os.pidfd_open", none_left)
    with pytest.raises(LaunchRefused):
        await start(launcher, "sleep 600 & echo begun > begun; sleep 600")

    [pid] = pids
    try:
        await until(lambda: not living(pid))
    finally:
        if living(pid):
            os.killpg(pid, signal.SIGKILL)


@pytest.mark.asyncio(loop_factories=["fast"])
async def test_environment_is_passed_as_it_is(launcher: ShellLauncher) -> None:
    """Bytes that are not UTF-8 and lines too; what the system cannot pass on is refused, not cut short."""
    ran = await run_script(launcher, command('printf "%s" "$ODD"', env={"ODD": os.fsdecode(b"a=\xff\nb\xc3\xa9")}))
    assert ran.stdout == b"a=\xff\nb\xc3\xa9"

    for name, value in (("NUL", "a\0b"), ("", "empty"), ("A=B", "c")):
        with pytest.raises(LaunchFailed):
            await launcher.start(command("true", env={name: value}), stdout=Collector(), stderr=Collector())


def test_bash_is_preferred() -> None:
    """People write bash."""
    assert Path(find_shell()).name in {"bash", "sh"}
    assert Path(find_shell()).name == "bash" or not Path("/bin/bash").exists()


async def test_a_script_starts_in_its_folder(launcher: ShellLauncher, tmp_path: Path) -> None:
    """However processes are started; the worker stays where it is."""
    here = Path.cwd()
    ran = await run_script(launcher, Command("pwd; pwd -P", dict(os.environ), str(tmp_path)))

    assert ran.stdout.decode().splitlines()[-1] == str(tmp_path.resolve())
    assert Path.cwd() == here


async def test_a_missing_folder_is_our_failure(launcher: ShellLauncher, tmp_path: Path) -> None:
    """The script does not run elsewhere."""
    with pytest.raises(LaunchRefused):
        await run_script(launcher, Command("true", dict(os.environ), str(tmp_path / "gone")))
