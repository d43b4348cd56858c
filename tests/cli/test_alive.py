"""`alive`, on the file that a worker's heartbeats touch."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.cli.conftest import Cli


def test_a_worker_is_alive_by_its_last_heartbeat(cli: Cli, folder: Path) -> None:
    """It asks no table: whoever probes has no credentials, and a thousand probes cost nothing."""
    file = folder / "heartbeat"
    none = cli("alive", str(file))
    assert (none.status, "no heartbeat yet" in none.err) == (1, True)
    (folder / "items.txt").write_text("true\n")
    cli("import", "items.txt")
    cli("run", "--heartbeat-file", str(file))

    young = cli("alive", str(file), "--within", "1h")
    assert (young.status, "ago" in young.out) == (0, True)
    an_hour_ago = time.time() - 3600
    os.utime(file, (an_hour_ago, an_hour_ago))
    old = cli("alive", str(file))
    assert (old.status, "the last heartbeat was 1h ago" in old.err) == (1, True)


def test_what_no_worker_touched_of_late_is_no_heartbeat(cli: Cli, folder: Path) -> None:
    """A file from the future would count until then, once a clock was set back; a folder changes for other reasons."""
    file = folder / "heartbeat"
    file.touch()
    tomorrow = time.time() + 86400
    os.utime(file, (tomorrow, tomorrow))

    ahead, of_folder = cli("alive", str(file)), cli("alive", str(folder))

    assert (ahead.status, "ahead of the clock" in ahead.err) == (1, True)
    assert (of_folder.status, "is not a file" in of_folder.err) == (1, True)


def test_a_heartbeat_file_that_cannot_be_written_ends_no_worker(cli: Cli, folder: Path) -> None:
    """It is said, and a probe finds no heartbeat."""
    (folder / "items.txt").write_text("true\n")
    cli("import", "items.txt")

    done = cli("run", "--heartbeat-file", str(folder / "no/such/folder"))

    assert "heartbeat file not touched" in done.err
    assert "done=1" in done.err
