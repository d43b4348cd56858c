"""The file that each heartbeat touches."""

from __future__ import annotations

from pathlib import Path

from pyanamo_async.host.heartbeat_file import touching


def test_a_file_that_cannot_be_touched_is_told_of_once_until_it_can(tmp_path: Path) -> None:
    """A heartbeat comes every 20 s, for days."""
    missed: list[str] = []
    lease: list[float] = []
    file = tmp_path / "folder" / "heartbeat"
    touch = touching(str(file), lease.append, missed=missed.append)

    for is_there in (False, False, True, False, False):
        if is_there:
            file.parent.mkdir()
        touch(1.0)
        if is_there:
            file.unlink()
            file.parent.rmdir()

    assert (len(missed), len(lease)) == (2, 5)
