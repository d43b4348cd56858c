"""Fetch other tools, once: Debian's GNU parallel, and what `peers.txt` pins into a virtual environment of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.course import BENCH

PINNED = Path(__file__).with_name("peers.txt")
WITHIN_S = 300


class PeerMissing(Exception):
    """A tool is not to be had on this machine."""


def parallel() -> list[str]:
    """Tell how to call GNU parallel; takes Debian's package apart when there is none, which needs no rights.

    Raises:
        PeerMissing: there is no perl, no apt-get, or no such package.
    """
    if (found := shutil.which("parallel")) and "GNU parallel" in _said(found, "--version"):
        return [found]
    perl, folder = shutil.which("perl"), BENCH / "parallel"
    if perl is None or shutil.which("apt-get") is None:
        raise PeerMissing("without perl and apt-get it cannot be fetched; install it, and it is found")
    with _alone():
        if not folder.is_dir():
            _unpack(folder)
    return [perl, str(folder / "usr" / "bin" / "parallel")]


def _unpack(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=BENCH, prefix="fetch-") as scratch:
        if os.geteuid() == 0 and not _said("apt-cache", "show", "parallel"):
            _run("apt-get", "update", "--quiet")
        _run("apt-get", "download", "--quiet", "parallel", cwd=scratch)
        [package] = Path(scratch).glob("parallel_*.deb")
        _run("dpkg", "-x", package, f"{scratch}/unpacked")
        Path(scratch, "unpacked").rename(folder)


def python() -> Path:
    """Tell the folder of programs of an environment that has all of `peers.txt`.

    Raises:
        PeerMissing: they cannot be installed.
    """
    folder, stamp = BENCH / "peers", BENCH / "peers.installed"
    with _alone():
        if not stamp.exists() or stamp.read_text() != PINNED.read_text():
            uv = Path(sys.executable).with_name("uv")
            _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
            _run(uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python", "--requirement", PINNED)
            stamp.write_text(PINNED.read_text())
    return folder / "bin"


@contextmanager
def _alone() -> Iterator[None]:
    """Keep others out: tests that run side by side install once."""
    BENCH.mkdir(parents=True, exist_ok=True)
    with (BENCH / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _run(*command: str | Path, cwd: str | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, check=False, timeout=WITHIN_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise PeerMissing(str(failure)) from failure
    if done.returncode:
        words: Sequence[str] = [Path(command[0]).name, *map(str, command[1:3])]
        raise PeerMissing(f"`{' '.join(words)}` failed: {done.stderr.strip()[-300:]}")
