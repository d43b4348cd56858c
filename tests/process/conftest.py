"""Every law of this folder is kept by all three event loops."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from pyanamo_async.execution import Loop, ShellLauncher
from pyanamo_async.execution.runner import allow_many_files, loop_factory, missing_for_fast

if TYPE_CHECKING:
    import asyncio


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each asynchronous test once on each loop."""
    return {str(name): loop_factory(name) for name in Loop}


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
def _nothing_is_left_behind() -> Iterator[None]:
    """Whatever a test does with scripts: no child of ours is left running or as a zombie afterwards."""
    before = {child.pid for child in psutil.Process().children()}
    yield
    assert [child for child in psutil.Process().children() if child.pid not in before] == []


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
