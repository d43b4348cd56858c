"""Every law of this folder is kept by all three event loops."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import uvloop

from pyanamo_async.execution import ShellLauncher
from pyanamo_async.execution.fast_loop import FastLoop
from pyanamo_async.execution.runner import allow_many_files, missing_for_fast
from tests.process.scripts import Children


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each asynchronous test once on each loop."""
    return {"fast": FastLoop, "uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="session", autouse=True)
def _fast_loop_is_there() -> None:
    if sys.platform == "linux":
        assert missing_for_fast() == ""
    allow_many_files()


@pytest.fixture
def launcher() -> ShellLauncher:
    """A launcher as a worker has it, but without a guard."""
    return ShellLauncher()


@pytest.fixture(autouse=True)
def children() -> Iterator[Children]:
    """Tell what children we have since the test began, running or as zombies: whatever it does, none in the end.

    Those that were killed are reaped by the loop in its own time: a test that kills has to wait for that.
    """
    us = psutil.Process()
    before = set(us.children())

    def since() -> list[psutil.Process]:
        return [child for child in us.children() if child not in before]

    yield since
    assert since() == []


@pytest.fixture
def open_files() -> Callable[[], list[str]]:
    """Tell what descriptors of ours are open, but for the loop's own."""

    def targets() -> list[str]:
        found = []
        for fd in Path("/proc/self/fd").iterdir():
            try:
                found.append(str(fd.readlink()))
            except FileNotFoundError:
                continue  # that of the listing itself
        return sorted(found)

    return targets
