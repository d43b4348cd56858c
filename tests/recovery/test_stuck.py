"""Workers of which something is stuck, really: a stop order and the end of the work are obeyed all the same."""

from __future__ import annotations

import os
import signal

import pytest

from harness.program import until
from tests.recovery.processes import Site, with_env
from tests.recovery.test_first_process import can_be_alone, first_process, start

HOOK = """
import asyncio, signal

def open_fifo():
    open({folder!r} + "/stuck", "w").close()
    open({folder!r} + "/fifo")

def stuck(*_):
    {how}

signal.signal(signal.SIGWINCH, stuck)
"""
ON_THE_LOOP = "open_fifo()"
IN_A_THREAD = "asyncio.get_running_loop().run_in_executor(None, open_fifo)"


def _with_hook(site: Site, how: str) -> Site:
    """Let a worker get stuck when it receives SIGWINCH: it opens a pipe to which nobody writes."""
    os.mkfifo(site.folder / "fifo")
    hook = site.folder / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(HOOK.format(folder=str(site.folder), how=how))
    site.program = with_env(site.program, PYTHONPATH=str(hook))
    return site


def test_a_worker_whose_loop_is_stuck_ends_when_it_is_told_to_stop(site: Site) -> None:
    """After its grace, with 75, so that a batch system starts another; its scripts end with it."""
    site = _with_hook(site, ON_THE_LOOP)
    site.items(f"a|s|{site.witness.script('sleep 3000')}")
    worker = site.start("--grace", "0s")
    until(lambda: site.witness.begun() == 1)
    worker.signal(signal.SIGWINCH)
    until((site.folder / "stuck").exists)

    worker.signal(signal.SIGTERM)
    assert worker.exit() == os.EX_TEMPFAIL
    assert "did not end in time" in worker.said()
    until(lambda: site.scripts() == [])


def test_a_thread_that_hangs_does_not_keep_a_worker_that_is_done(site: Site) -> None:
    """Python would wait for it, for ever."""
    site = _with_hook(site, IN_A_THREAD)
    go_on = site.folder / "go-on"
    site.items(f"a|s|{site.witness.script(f'until test -e {go_on}; do sleep 0.1; done')}")
    worker = site.start()
    until(lambda: site.witness.begun() == 1)
    worker.signal(signal.SIGWINCH)
    until((site.folder / "stuck").exists)
    go_on.touch()

    assert worker.exit() == 0, worker.said()
    assert site.states() == {"a": "done"}


@pytest.mark.skipif(not can_be_alone(), reason="needs namespaces of processes (unshare)")
def test_the_first_process_of_a_container_does_not_wait_for_a_worker_that_stands_still(site: Site) -> None:
    """It cannot end itself: the container ends with 75 before the platform kills it, and says why."""
    site.items(f"a|s|{site.witness.script('sleep 3000')}")
    container = start(site, "--grace", "0s")
    until(lambda: site.witness.begun() == 1)
    first = first_process(container)
    [worker] = [child for child in first.children() if "guard" not in child.cmdline()]
    worker.suspend()

    first.terminate()
    _, said = container.communicate()
    assert container.returncode == os.EX_TEMPFAIL
    assert said.splitlines()[-1] == "pyanamo: the worker did not end in time, and is ended now"
    until(lambda: site.processes() == [])
