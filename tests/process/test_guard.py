"""The guard: scripts of a worker that died without a word end, and nobody else's do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.program import PATIENCE_S
from pyanamo_async.execution import Guard, ShellLauncher, find_shell
from tests.process.scripts import LINGER, is_running, living, run_script, start, until

WORKER = """
import asyncio, os, sys, uvloop
from datetime import timedelta
from pyanamo_async.execution import Guard, ShellLauncher, run
from pyanamo_async.ports import Command

class Nobody:
    def feed(self, chunk): return True

async def main():
    guard = Guard("{mark}")
    launcher = ShellLauncher("sh", guard=guard)
    async def start(script):
        return await launcher.start(Command(script, dict(os.environ)), stdout=Nobody(), stderr=Nobody())
    for _ in range(20):
        await (await start("true")).finish(linger=timedelta(0))
    running = [await start("trap '' TERM HUP; sleep 3000 & wait; wait") for _ in range({scripts})]
    print(guard.pid, *(process.pid for process in running), flush=True)
    await asyncio.sleep(3000)

run(main(), loop_factory={loop})
"""


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard()
    yield guard
    guard.close()


def gone(pgids: list[int]) -> bool:
    """Wait until none of these groups is left; nothing of them ends by itself before our patience does."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        if not any(living(pgid) for pgid in pgids):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("loop", ["None", "uvloop.new_event_loop", "asyncio.new_event_loop"])
def test_scripts_of_a_killed_worker_end(loop: str) -> None:
    """SIGKILL leaves the worker no time for anything; its scripts end, and the guard after them."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER.format(scripts=20, loop=loop, mark="")], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        guard, *scripts = map(int, worker.stdout.readline().split())
        assert all(living(pid) for pid in scripts)
        assert is_running(guard)
        worker.kill()

    assert len(scripts) == 20
    assert gone([*scripts, guard])


def test_more_scripts_than_a_page_holds_are_guarded() -> None:
    """The shared memory grows with the number of scripts; the last ones are no less guarded than the first."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER.format(scripts=600, loop="None", mark="")], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        guard, *scripts = map(int, worker.stdout.readline().split())
        worker.kill()

    assert len(scripts) == 600
    assert gone([*scripts[-3:], *scripts[:3], guard])
    for pid in scripts:
        assert not is_running(pid)


def test_guard_survives_the_signals_of_a_terminal() -> None:
    """TERM, INT and HUP to the worker's group or job are not meant for it: it goes when the worker is gone."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER.format(scripts=1, loop="None", mark="")], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        guard, script = map(int, worker.stdout.readline().split())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(guard, number)
        assert os.getsid(guard) != os.getsid(worker.pid)
        worker.kill()

    assert gone([script, guard])


def test_scripts_that_are_in_no_listed_group_are_found_by_their_mark() -> None:
    """One left its group; another the kernel had started, and the loop had not heard of it yet."""
    mark = f"GUARDED={uuid.uuid4()}"
    env = {**os.environ, "GUARDED": mark.removeprefix("GUARDED=")}
    stranger = subprocess.Popen(["sleep", "3000"], env={**env, "GUARDED": "another"}, start_new_session=True)
    unheard = subprocess.Popen(["sleep", "3000"], env=env, start_new_session=True)
    try:
        with subprocess.Popen(
            [sys.executable, "-c", WORKER.format(scripts=1, loop="None", mark=mark)], stdout=subprocess.PIPE, text=True
        ) as worker:
            assert worker.stdout is not None
            guard, _ = map(int, worker.stdout.readline().split())
            worker.kill()
        assert unheard.wait(PATIENCE_S) == -signal.SIGKILL
        assert gone([guard])
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_worker_that_ends_in_order_looks_for_nobody() -> None:
    """What a script left behind on purpose, outside of its group, lives on; and the end is not delayed."""
    mark = f"GUARDED={uuid.uuid4()}"
    env = {**os.environ, "GUARDED": mark.removeprefix("GUARDED=")}
    daemon = subprocess.Popen(["sleep", "3000"], env=env, start_new_session=True)
    try:
        guard = Guard(mark)
        guard.start()
        guard.close()
        assert daemon.poll() is None
    finally:
        daemon.kill()
        daemon.wait()


async def test_ended_script_is_forgotten(guard: Guard, launcher: ShellLauncher) -> None:
    """Its number may be a stranger's by the time the worker dies."""
    guarded = ShellLauncher(find_shell(), guard=guard)
    process = await start(guarded, "true")
    await process.finish(linger=LINGER)
    stranger = await start(launcher, "sleep 3000")
    kept = await start(guarded, "sleep 61")
    guard.started(stranger.pid)
    guard.ended(stranger.pid)
    guard.close()  # the end of the pipe, as when the worker dies

    assert is_running(stranger.pid)
    assert (await kept.wait()).signal == signal.SIGKILL
    stranger.signal(signal.SIGKILL)
    for each in (stranger, kept):
        await each.finish(linger=LINGER)


async def test_scripts_do_not_hold_the_guards_pipe(guard: Guard) -> None:
    """One that left its session would keep the guard from ever seeing the end."""
    launcher = ShellLauncher(find_shell(), guard=guard)
    await run_script(launcher, "true")
    seen = await run_script(launcher, "readlink /proc/$$/fd/*")

    assert str(Path(f"/proc/{guard.pid}/fd/0").readlink()).encode() not in seen.stdout.split()


async def test_guard_starts_with_the_first_script_and_is_small(guard: Guard) -> None:
    """A worker that runs nothing needs none; one that waits costs no more than 4 MB."""
    assert guard.pid == -1
    await run_script(ShellLauncher(find_shell(), guard=guard), "true")

    assert psutil.Process(guard.pid).memory_info().rss < 4_000_000


async def test_scripts_end_when_the_lease_passes(guard: Guard) -> None:
    """Nobody need be there to end them: the worker may stand still. What starts later ends too."""
    guarded = ShellLauncher(find_shell(), guard=guard)
    guard.lease_until(time.clock_gettime(time.CLOCK_BOOTTIME) + 3600)
    process = await start(guarded, "trap '' TERM; sleep 3000 & wait; wait")
    guard.lease_until(time.clock_gettime(time.CLOCK_BOOTTIME))
    late = await start(guarded, "sleep 3000")

    assert (await process.wait()).signal == signal.SIGKILL
    assert (await late.wait()).signal == signal.SIGKILL
    assert gone([process.pid])
    for each in (process, late):
        await each.finish(linger=LINGER)


async def killed(guard: Guard) -> None:
    """Kill a guard."""
    pid = guard.pid
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not is_running(pid))


async def test_a_guard_that_was_killed_is_replaced(guard: Guard) -> None:
    """With the next script, or the next heartbeat; the new one watches over what the old one did."""
    guarded = ShellLauncher(find_shell(), guard=guard)
    processes = [await start(guarded, "sleep 3000")]
    await killed(guard)
    processes.append(await start(guarded, "sleep 3000"))
    assert is_running(guard.pid)
    await killed(guard)
    guard.lease_until(time.clock_gettime(time.CLOCK_BOOTTIME) + 3600)
    assert is_running(guard.pid)
    guard.close()

    for process in processes:
        assert (await process.wait()).signal == signal.SIGKILL
        await process.finish(linger=LINGER)


async def test_a_number_that_may_be_a_strangers_is_left_alone(guard: Guard, launcher: ShellLauncher) -> None:
    """When the leader of a group was reaped, a process with its id is another; what is left of the group is ours."""
    guarded = ShellLauncher(find_shell(), guard=guard)
    stranger, ours = await start(launcher, "sleep 3000"), await start(guarded, "sleep 3000 & exit 0")
    await ours.wait()
    guard.started(stranger.pid)
    guard.reaped(stranger.pid)
    assert living(ours.pid)
    guard.close()

    assert gone([ours.pid])
    assert is_running(stranger.pid)
    stranger.signal(signal.SIGKILL)
    for each in (stranger, ours):
        await each.finish(linger=LINGER)


def test_a_guard_that_stands_still_holds_up_nobody(guard: Guard) -> None:
    """The worker waits a moment for its end, not for ever."""
    guard.start()
    pid = guard.pid
    os.kill(pid, signal.SIGSTOP)
    guard.close()
    assert is_running(pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_forgetting_what_is_unknown_is_harmless(guard: Guard) -> None:
    """Also before it started, and twice."""
    guard.ended(12345)
    guard.started(4_194_303)  # no such process in a test's lifetime; the widest number Linux gives
    guard.ended(4_194_303)
    guard.ended(4_194_303)
