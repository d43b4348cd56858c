"""A worker that is the first process of a container: nothing that loses its parent stays there as a zombie."""

from __future__ import annotations

import os
import signal
import subprocess

import psutil
import pytest

from harness.program import PATIENCE_S, until
from tests.recovery.processes import Site

ALONE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc")  # as in a container
STRAYS = 5
STRAY = f"for i in $(seq {STRAYS}); do setsid sleep 0.1 >/dev/null 2>&1 & done"
ZOMBIES = "grep -l '^State:.Z' /proc/[0-9]*/status | wc -l"


def can_be_alone() -> bool:
    try:
        return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not can_be_alone(), reason="needs namespaces of processes (unshare)")


def start(site: Site, *flags: str) -> subprocess.Popen[str]:
    """Start a worker in a container; what it leaves there ends with its site."""
    program = site.program
    return subprocess.Popen(
        [*ALONE, *program.command("run", *flags)],
        cwd=program.folder,
        env=program.env,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def first_process(of: subprocess.Popen[str]) -> psutil.Process:
    [first] = psutil.Process(of.pid).children()
    return first


def test_strays_of_scripts_are_reaped(site: Site) -> None:
    """While the worker lives: each would take one of the processes that a container may have."""
    site.items(f"a|s|{STRAY}", f"b|s|sleep 1; {ZOMBIES}")
    worker = start(site, "-i", "1", "--linger", "0s")
    _, said = worker.communicate(timeout=PATIENCE_S)

    assert worker.returncode == 0, said
    assert site.rows()["b"]["Log"]["stdout"] == "0\n"


def test_it_ends_as_the_worker_ends(site: Site) -> None:
    """With its exit status, or as a shell says by which signal; and all that is left ends with it."""
    site.items("a|s|exit 1")
    worker = start(site, "--max-failures", "1")
    worker.communicate(timeout=PATIENCE_S)
    assert worker.returncode == 3

    site.items("b|s|setsid sleep 3000 & touch begun; sleep 3000")
    killed = start(site)
    until((site.folder / "begun").exists)
    for child in first_process(killed).children():
        child.kill()
    killed.communicate(timeout=PATIENCE_S)
    assert killed.returncode == 128 + signal.SIGKILL
    until(lambda: site.scripts() == [])


def test_a_signal_is_heard_once(site: Site) -> None:
    """Also where a terminal tells all its processes of Ctrl-C: a second would mean now, and what runs has its grace."""
    site.items("a|s|touch begun; until test -e end; do sleep 0.1; done", "b|s|true")
    worker = start(site, "-i", "1")
    until((site.folder / "begun").exists)
    os.killpg(worker.pid, signal.SIGINT)
    assert worker.stderr
    next(line for line in worker.stderr if "draining" in line)
    (site.folder / "end").touch()
    worker.communicate(timeout=PATIENCE_S)

    assert worker.returncode == 75
    assert site.states() == {"a": "done", "b": "todo"}


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGXCPU, signal.SIGQUIT], ids=lambda each: each.name)
def test_warnings_of_schedulers_reach_the_worker(site: Site, number: signal.Signals) -> None:
    """As what they are: one drains, another stops."""
    site.items("a|s|touch begun; until test -e end; do sleep 0.1; done", "b|s|true")
    worker = start(site, "-i", "1", "--grace", "0s")
    until((site.folder / "begun").exists)
    first_process(worker).send_signal(number)
    assert worker.stderr
    next(line for line in worker.stderr if f"draining reason={number.name}" in line)
    if number is signal.SIGUSR1:
        (site.folder / "end").touch()
    worker.communicate(timeout=PATIENCE_S)

    assert worker.returncode == 75
    assert site.states() == {"a": "done" if number is signal.SIGUSR1 else "todo", "b": "todo"}
