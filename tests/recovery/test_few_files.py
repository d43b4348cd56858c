"""A machine that lets a process open few files: the worker takes less at a time, and nothing is put back for it."""

from __future__ import annotations

import shlex
import subprocess

from harness.program import PATIENCE_S
from tests.recovery.processes import Site


def test_no_more_is_claimed_than_files_may_be_opened_for(site: Site) -> None:
    """The worker says so once, and claims each item once: it used to put them back thousands of times."""
    site.items(*(f"i{number}|s|sleep 0.2" for number in range(60)))
    run = shlex.join(site.program.command("run", "-i", "60"))

    done = subprocess.run(
        ["sh", "-c", f"ulimit -n 128; exec {run}"],
        cwd=site.folder,
        env=site.program.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("fewer at a time items=12") == 1
    assert {(row["ItemState"], row["Attempt"]) for row in site.rows().values()} == {("done", 1)}
