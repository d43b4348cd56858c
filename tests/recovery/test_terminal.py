"""Whoever reads what a worker says may stall or leave: real pipes and terminals. The worker works on."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from harness.program import PATIENCE_S, until
from tests.recovery.processes import SHORT_LEASE, Site

MANY = 80  # items whose log lines are more than the smallest pipe takes
SMALLEST_PIPE = 4096
UNTIL_END = "touch begun; until test -e end; do sleep 0.1; done"


@contextmanager
def worker(site: Site, *flags: str, stderr: int) -> Iterator[subprocess.Popen[str]]:
    """A worker that writes there."""
    process = site.program.start("run", *flags, stderr=stderr)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def conditions(site: Site) -> list[str]:
    return [each["condition"] for each in site.crew()]


def fill(fd: int) -> None:
    """Write until nothing more fits."""
    os.set_blocking(fd, False)
    with suppress(BlockingIOError):
        while True:
            os.write(fd, b"x" * SMALLEST_PIPE)
    os.set_blocking(fd, True)


def see_a_heartbeat(site: Site) -> None:
    """Wait for one that was sent after now: the second, as one may be under way."""
    seen = {site.crew()[0]["heartbeat"]}

    def another() -> bool:
        seen.add(site.crew()[0]["heartbeat"])
        return len(seen) > 2

    until(another)


@pytest.fixture
def stalled() -> Iterator[int]:
    """The write end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    if sys.platform == "linux":
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, SMALLEST_PIPE)
    yield writing
    os.close(reading)
    os.close(writing)


@dataclass
class Terminal:
    """A terminal window with a shell that has job control; `typed` goes to it, `shown` is what was read from it."""

    site: Site
    ours: int = -1
    shell: subprocess.Popen[bytes] | None = None
    shown: bytes = field(default=b"")

    def __enter__(self) -> Self:
        self.ours, theirs = pty.openpty()
        environment = {**self.site.program.env, "PS1": "", "TERM": "xterm", "COLUMNS": "120"}
        environment["PATH"] = f"{Path(self.site.program.executable).parent}:{environment['PATH']}"
        self.shell = subprocess.Popen(
            ["setsid", "--ctty", "--wait", "bash", "--norc", "--noprofile", "--noediting", "-i"],
            cwd=self.site.folder,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        return self

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def read_until(self, text: bytes) -> None:
        while text not in self.shown:
            self.shown += os.read(self.ours, 65536)

    def close(self) -> None:
        """Close the window; the shell ends, and with it goes the terminal of all that runs there."""
        assert self.shell
        if self.ours >= 0:
            os.close(self.ours)
            self.ours = -1
            self.shell.wait(PATIENCE_S)

    def __exit__(self, *_: object) -> None:
        self.close()


def test_a_reader_that_stalls_holds_up_nothing(site: Site, stalled: int) -> None:
    """No item, no heartbeat, no stop: its lines wait and are dropped, and the exit waits a second for it."""
    site.items(*(f"i{n}|s|true" for n in range(MANY)))
    with worker(site, "--wait", "--grace", "0s", *SHORT_LEASE, stderr=stalled) as process:
        until(lambda: set(site.states().values()) == {"done"})
        site.items(f"z|s|{UNTIL_END}")
        until((site.folder / "begun").exists)
        see_a_heartbeat(site)
        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_S) == 75
    assert site.states()["z"] == "todo"
    assert conditions(site) == ["ended"]


def test_a_terminal_that_stalls_holds_up_nothing(site: Site) -> None:
    """Ctrl-S, a hung connection: nobody takes what the bar draws."""
    site.items(*(f"i{n}|s|exit 1" for n in range(MANY)))
    ours, theirs = pty.openpty()
    fill(theirs)
    with worker(site, "--max-failures", "1", stderr=theirs) as process:
        assert process.wait(PATIENCE_S) == 3
    os.close(ours)
    os.close(theirs)


def test_an_error_is_no_reason_to_wait_for_a_reader(site: Site, stalled: int) -> None:
    """The last line of a worker that cannot work goes the same way as the others."""
    fill(stalled)
    with worker(site, stderr=stalled) as process:
        assert process.wait(PATIENCE_S) == 1


@pytest.mark.parametrize("kind", ["terminal", "pipe"])
def test_a_reader_that_leaves_before_the_start_costs_nothing(site: Site, kind: str) -> None:
    """EIO and EPIPE end the output."""
    site.items("a|s|true", "b|s|exit 1")
    ours, theirs = pty.openpty() if kind == "terminal" else os.pipe()
    os.close(ours)
    with worker(site, "--max-failures", "1", stderr=theirs) as process:
        assert process.wait(PATIENCE_S) == 3
    os.close(theirs)


@pytest.mark.parametrize("kind", ["terminal", "pipe"])
def test_a_reader_that_leaves_midway_costs_nothing(site: Site, kind: str) -> None:
    """Neither a script that runs then nor one that starts later."""
    site.items(f"a|s|{UNTIL_END}", *(f"b{n}|s|exit 1" for n in range(3)))
    ours, theirs = pty.openpty() if kind == "terminal" else os.pipe()
    with worker(site, "-i", "1", "--max-failures", "1", stderr=theirs) as process:
        os.close(theirs)
        until((site.folder / "begun").exists)
        os.close(ours)
        (site.folder / "end").touch()

        assert process.wait(PATIENCE_S) == 3
    assert sorted(site.states().values()) == ["done", "failed", "failed", "failed"]


def test_a_terminal_that_closes_stops_the_worker_with_grace(site: Site) -> None:
    """The shell and the kernel both send SIGHUP, and two are no order to stop at once."""
    site.items(f"a|s|trap 'touch term' TERM; {UNTIL_END}", "b|s|sleep 3000")
    with Terminal(site) as terminal:
        terminal.type("pyanamo run -i 1 --heartbeat 0.5s --lease 60s\n")
        until((site.folder / "begun").exists)
        terminal.close()
        see_a_heartbeat(site)  # it has seen the signals, too
        (site.folder / "end").touch()
        until(lambda: conditions(site) == ["ended"])

    assert site.states() == {"a": "done", "b": "todo"}
    assert not (site.folder / "term").exists()


def test_a_disowned_worker_outlives_its_terminal(site: Site) -> None:
    """Also when it has something to say hours later, and before, where the terminal stops those who write unasked."""
    site.items("a|s|true")
    with Terminal(site) as terminal:
        terminal.type("stty tostop; pyanamo run --wait --max-failures 1 & echo $! > pid; disown\n")
        terminal.read_until(b"1/1")
    site.items("b|s|exit 1", "c|s|true")
    until(lambda: site.states() == {"a": "done", "b": "failed", "c": "done"})
    os.kill(int((site.folder / "pid").read_text()), signal.SIGTERM)
    until(lambda: conditions(site) == ["ended"])


def test_ctrl_c_says_what_happens_now(site: Site) -> None:
    """How many scripts have how long, and that a second one stops at once."""
    site.items(f"a|s|{UNTIL_END}", "b|s|true")
    with Terminal(site) as terminal:
        terminal.type("pyanamo run -i 1 --grace 90s; echo status $?.\n")
        until((site.folder / "begun").exists)
        terminal.type("\x03")
        terminal.read_until(b"stopping: 1 script has 1m30s; Ctrl-C again stops now")
        terminal.type("\x03")
        terminal.read_until(b"status 75.")

    assert site.states() == {"a": "todo", "b": "todo"}
