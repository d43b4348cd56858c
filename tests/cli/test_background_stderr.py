"""What a thread writes to stderr: all of it, or a count of what is missing."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pyanamo_async.cli.background_stderr import QUEUED, BackgroundStderr

LINE = "x" * 99 + "\n"
MANY = 100_000  # lines: more than a pipe and the queue take
EVERY_WAY = """
import logging, sys, threading, warnings
from pyanamo_async.cli.background_stderr import background_stderr

class Broken:
    def __del__(self):
        raise ValueError("in a finaliser")

def fail():
    raise ValueError("in a thread")

with background_stderr():
    for _ in range(int(sys.argv[1])):
        logging.getLogger("a").error("logged")
        warnings.warn("warned")
        Broken()
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        print("printed", file=sys.stderr, flush=True)
warnings.warn("at exit")
"""


def read(fd: int) -> Callable[[], str]:
    """Read a descriptor in a thread; return what waits for its end and returns what was read."""
    pieces: list[bytes] = []

    def work() -> None:
        with os.fdopen(fd, "rb", buffering=0) as file:
            while piece := file.read(65536):
                pieces.append(piece)

    def whole() -> str:
        thread.join()
        return b"".join(pieces).decode()

    thread = threading.Thread(target=work)
    thread.start()
    return whole


def test_what_is_read_in_time_is_whole() -> None:
    """However long a line is."""
    ours, theirs = os.pipe()
    whole = read(ours)
    said = [f"line {n}\n" for n in range(500)] + ["ä" * 300_000 + "\n"]
    stderr = BackgroundStderr(theirs)
    os.close(theirs)
    for each in said:
        stderr.write(each)
    stderr.end()

    assert whole() == "".join(said)


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    """A writer never waits; when the reader comes back, it learns how many lines it missed."""
    ours, theirs = os.pipe()
    stderr = BackgroundStderr(theirs)
    os.close(theirs)
    for _ in range(MANY):
        stderr.write(LINE)
    whole = read(ours)
    stderr.end()

    dropped = re.findall(r"^pyanamo: (\d+) lines? dropped: stderr did not take them\n", whole(), flags=re.MULTILINE)
    arrived = whole().count(LINE)
    assert arrived >= QUEUED
    assert arrived + sum(map(int, dropped)) == MANY


def test_a_full_disk_is_no_reason_to_stop() -> None:
    """It costs the lines that it does not take."""
    with Path("/dev/full").open("wb") as full:
        stderr = BackgroundStderr(full.fileno())
        stderr.write(LINE)
        stderr.end()


@pytest.mark.parametrize("open_pair", [os.pipe, pty.openpty])
def test_a_reader_that_is_gone_ends_the_output(open_pair: Callable[[], tuple[int, int]]) -> None:
    """Whether it was a pipe or a terminal; no writer notices."""
    ours, theirs = open_pair()
    stderr = BackgroundStderr(theirs)
    os.close(theirs)
    os.close(ours)
    for _ in range(MANY):
        stderr.write(LINE)
    stderr.end()


@pytest.mark.parametrize("is_read", [True, False])
def test_all_that_is_written_to_stderr_goes_the_same_way(*, is_read: bool) -> None:
    """Logging, warnings, exceptions of finalisers and threads: none waits for a reader."""
    ours, theirs = os.pipe()
    whole = read(ours) if is_read else None
    program = [sys.executable, "-W", "always", "-c", EVERY_WAY, "1" if is_read else "400"]
    done = subprocess.run(program, stderr=theirs, check=False)
    os.close(theirs)

    assert done.returncode == 0
    if whole is None:
        os.close(ours)
        return
    for word in ("logged\n", "UserWarning: warned", "in a finaliser", "in a thread", "printed\n", "at exit"):
        assert word in whole()
