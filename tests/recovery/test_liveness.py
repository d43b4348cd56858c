"""The laws of process marks, with processes that live, stand still and die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.program import until
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import ProcessStatus, Worker
from pyanamo_async.host import liveness
from pyanamo_async.host.liveness import WORKER_VARIABLE, LocalProcesses, own_mark, process_status
from tests.contract.steps import a_worker

pytestmark = pytest.mark.skipif(not own_mark(), reason="needs Linux's /proc")
MARK_ITSELF = "from pyanamo_async.host.liveness import own_mark; print(own_mark(), flush=True); input()"


@contextmanager
def another(**env: str) -> Iterator[tuple[subprocess.Popen[str], Worker]]:
    """Run a process that marks itself, then waits for a line."""
    with subprocess.Popen(
        [sys.executable, "-c", MARK_ITSELF],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    ) as process:
        assert process.stdout
        try:
            yield process, a_worker("w1", process=process.stdout.readline().strip())
        finally:
            process.kill()


def test_who_lives_is_known_to_live() -> None:
    """One's own mark, and that of another process."""
    assert process_status(a_worker("me", process=own_mark())) is ProcessStatus.LIVES
    with another() as (_, worker):
        assert process_status(worker) is ProcessStatus.LIVES


def test_who_was_killed_has_died_reaped_or_not() -> None:
    """A zombie has died, in a container where nobody reaps it too."""
    with another() as (process, worker):
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert process_status(worker) is ProcessStatus.DIED
        process.wait()
        assert process_status(worker) is ProcessStatus.DIED


def test_who_stands_still_is_told_apart() -> None:
    """A stopped process may never go on; its heartbeats decide."""
    with another() as (process, worker):
        process.send_signal(signal.SIGSTOP)
        until(lambda: process_status(worker) is ProcessStatus.STANDS)
        process.send_signal(signal.SIGCONT)
        until(lambda: process_status(worker) is ProcessStatus.LIVES)


def test_a_number_given_again_is_another_process() -> None:
    """The tick in which it started tells them apart."""
    me = own_mark().rpartition(" ")[0]

    assert process_status(a_worker("gone", process=f"{me} 1")) is ProcessStatus.DIED


@pytest.mark.parametrize("place", [0, 1])
def test_other_machines_are_unknown(place: int) -> None:
    """Another boot or another namespace of process ids says nothing about ours; nor does no mark at all."""
    words = own_mark().split()
    words[place] = "other"

    assert process_status(a_worker("elsewhere", process=" ".join(words))) is ProcessStatus.UNKNOWN
    assert process_status(a_worker("unmarked")) is ProcessStatus.UNKNOWN


def test_nobody_has_died_whose_scripts_still_run() -> None:
    """What a killed worker started may still run for a moment: only then its items may be taken."""
    with another() as (process, worker), another(**{WORKER_VARIABLE: worker.worker_id}) as (script, _):
        process.kill()
        process.wait()
        assert process_status(worker) is ProcessStatus.UNKNOWN
        assert process_status(replace(worker, worker_id="w")) is ProcessStatus.DIED

        script.kill()
        script.wait()
        assert process_status(worker) is ProcessStatus.DIED


async def test_what_a_worker_started_is_ended_wherever_it_went() -> None:
    """In its group or not; what others started lives on, and so does all of a worker of another machine."""
    with another() as (_, worker), another(**{WORKER_VARIABLE: worker.worker_id}) as (script, _):
        processes = LocalProcesses()
        assert await processes.end_scripts(a_worker("elsewhere"))
        assert await processes.end_scripts(replace(worker, worker_id="w"))
        assert script.poll() is None
        assert await processes.end_scripts(worker)
        assert script.wait() == -signal.SIGKILL
        assert await processes.status(worker) is ProcessStatus.LIVES


async def test_what_is_not_known_in_time_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a process may hang whoever reads it: neither the worker, nor does it take over meanwhile."""
    answer = threading.Event()
    monkeypatch.setattr(liveness, "KNOWN_WITHIN_S", 0.0)
    monkeypatch.setattr(liveness, "GONE_WITHIN_S", 0.0)
    monkeypatch.setattr(liveness, "_scripts", lambda _: answer.wait())
    me, processes = a_worker("me", process=own_mark().rpartition(" ")[0] + " 1"), LocalProcesses()

    assert await processes.status(me) is ProcessStatus.UNKNOWN
    assert not await processes.end_scripts(me)
    answer.set()
