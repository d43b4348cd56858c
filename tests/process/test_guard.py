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
from tests.process.scripts import is_running, living, run_script

WORKER = """
import asyncio, os, sys
from datetime import timedelta
from pyanamo_async.execution import Guard, ShellLauncher, run
from pyanamo_async.ports import Command

class Nobody:
    def feed(self, chunk): return True

async def main():
    guard = Guard("GUARDED={mark}")
    env = {{**os.environ, "GUARDED": "{mark}"}}
    launcher = ShellLauncher("sh", guard=guard)
    async def start(script):
        return await launcher.start(Command(script, env), stdout=Nobody(), stderr=Nobody())
    for _ in range(20):
        await (await start("true")).finish(linger=timedelta(0))
    running = [await start("trap '' TERM HUP; sleep 3000 & env -i sleep 3000 & wait; wait") for _ in range({scripts})]
    print(guard.pid, *(process.pid for process in running), flush=True)
    await asyncio.sleep(3000)

run(main(), loop="{loop}")
"""


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard(f"GUARDED={uuid.uuid4()}")
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


@pytest.mark.parametrize("loop", ["fast", "uvloop", "asyncio"])
def test_scripts_of_a_killed_worker_end(loop: str) -> None:
    """SIGKILL leaves the worker no time for anything; its scripts end with their groups, and the guard after them."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER.format(scripts=20, loop=loop, mark=uuid.uuid4())],
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        guard, *scripts = map(int, worker.stdout.readline().split())
        assert all(living(pid) for pid in scripts)
        assert is_running(guard)
        worker.kill()

    assert len(scripts) == 20
    assert gone([*scripts, guard])


def test_guard_survives_the_signals_of_a_terminal() -> None:
    """TERM, INT and HUP to the worker's group or job are not meant for it: it goes when the worker is gone."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER.format(scripts=1, loop="fast", mark=uuid.uuid4())],
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        guard, script = map(int, worker.stdout.readline().split())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(guard, number)
        assert os.getsid(guard) != os.getsid(worker.pid)
        worker.kill()

    assert gone([script, guard])


def test_all_processes_with_the_mark_end_and_no_stranger() -> None:
    """Some left the group of their script; others the kernel had started, and the loop had not heard of them yet."""
    mark = str(uuid.uuid4())
    env = {**os.environ, "GUARDED": mark}
    stranger = subprocess.Popen(["sleep", "3000"], env={**env, "GUARDED": "another"}, start_new_session=True)
    unheard = subprocess.Popen(["sleep", "3000"], env=env, start_new_session=True)
    try:
        with subprocess.Popen(
            [sys.executable, "-c", WORKER.format(scripts=1, loop="fast", mark=mark)], stdout=subprocess.PIPE, text=True
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
    mark = str(uuid.uuid4())
    env = {**os.environ, "GUARDED": mark}
    daemon = subprocess.Popen(["sleep", "3000"], env=env, start_new_session=True)
    try:
        guard = Guard(f"GUARDED={mark}")
        guard.start()
        guard.close()
        assert daemon.poll() is None
    finally:
        daemon.kill()
        daemon.wait()


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
