"""Files and folders that somebody moves, replaces or deletes while workers run."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from harness.program import until
from tests.recovery.processes import SHORT_LEASE, Site


def _backup(table: Path) -> Path:
    backup = table.with_name("backup.db")
    with closing(sqlite3.connect(table)) as connection:
        connection.execute("VACUUM INTO ?", (str(backup),))
    return backup


def test_a_backup_put_back_is_not_touched_by_the_worker(site: Site) -> None:
    """It says what happened, ends its script and exits with 1; the backup stays as it was, and can be worked with."""
    site.items(f"a|s|{site.witness.script('sleep 600')}")
    table = site.program.sqlite_file()
    backup = _backup(table)
    before = backup.read_bytes()
    worker = site.start("-i", "1", *SHORT_LEASE)
    until(lambda: site.witness.begun() == 1)

    backup.replace(table)

    assert worker.exit() == 1
    assert 1 <= worker.said().count("was replaced by another while it was open") <= 2  # when it ends, and at its end
    assert "-wal.replaced" in worker.said()
    assert before == table.read_bytes()
    assert not site.scripts()
    assert site.states() == {"a": "todo"}
    with closing(sqlite3.connect(table)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_output_comes_to_a_folder_that_was_deleted(site: Site) -> None:
    """Nothing of what was printed before is lost, and the worker says that the folder was gone."""
    go_on = site.folder / "go-on"
    work = f"seq 1000000; : > {site.folder}/printed; until test -e {go_on}; do sleep 0.05; done; echo end"
    site.items(f"a|s|{work}")
    worker = site.start()
    until((site.folder / "printed").exists)
    until((site.folder / "logs").exists)

    shutil.rmtree(site.folder / "logs")
    go_on.touch()

    assert worker.exit() == 0
    assert "output folder was deleted" in worker.said()
    printed = site.program("logs", "a").splitlines()
    assert (len(printed), printed[-1]) == (1_000_001, "end")
    assert "Log_Status" not in site.rows()["a"]["Log"]
