"""Control groups of memory below our own, for what is to run out of memory; a named skip where none can be made."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.program import until

MEMORY = Path("/sys/fs/cgroup/memory")


@contextmanager
def a_control_group() -> Iterator[Path]:
    """Make a control group, and remove it with those below it once they are empty."""
    lines = (line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines())
    own = next((path for _, controllers, path in lines if controllers == "memory"), "")
    folder = MEMORY / own.lstrip("/") / f"test-{uuid.uuid4().hex[:8]}"
    try:
        folder.mkdir()
        limit(folder, 64 << 30)
    except OSError as error:
        pytest.skip(f"no control group of version 1 can be made: {error}")
    try:
        yield folder
    finally:
        groups = [*(each for each in folder.iterdir() if each.is_dir()), folder]
        until(lambda: not any((each / "cgroup.procs").read_text() for each in groups))
        for each in groups:
            each.rmdir()


def limit(group: Path, limit_bytes: int) -> None:
    """Let a group have so much memory."""
    (group / "memory.limit_in_bytes").write_text(str(limit_bytes))
