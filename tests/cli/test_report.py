"""`pyanamo report`: the files that it writes, and what it says when it cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Cli

WITHOUT_BOKEH = """
import sys
sys.modules["bokeh"] = None
from pyanamo_async.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


def test_a_report_and_a_trace_are_written(ran: Cli, folder: Path) -> None:
    """Both are their owner's alone, unless asked otherwise."""
    said = ran("report", "--to", "report.html", "--perfetto", "trace.json", "--umask", "022")

    assert (said.status, said.err) == (0, "")
    assert said.out == "4 attempts reported in report.html\n4 attempts written to trace.json\n"
    assert (folder / "report.html").stat().st_mode & 0o777 == 0o644
    assert len(json.loads((folder / "trace.json").read_text())["traceEvents"]) == 5


def test_a_report_needs_a_file_and_a_price(ran: Cli) -> None:
    """What is wrong is said before anything is read."""
    assert "hint: give --to report.html" in ran("report").err
    for price in ("-1", "nan", "inf"):
        said = ran("report", "--to", "r.html", "--price-per-hour", price)
        assert (said.status, "--price-per-hour" in said.err) == (2, True)
    assert "--to missing/r.html cannot be written" in ran("report", "--to", "missing/r.html").err


def test_a_report_without_bokeh_says_what_to_install(ran: Cli, folder: Path) -> None:
    """And leaves a report that is there alone; a trace does not need it."""
    (folder / "r.html").write_text("old")
    argv = ("report", "--to", "r.html")
    said = subprocess.run([sys.executable, "-c", WITHOUT_BOKEH, *argv], capture_output=True, text=True, check=False)

    assert ran("report", "--perfetto", "trace.json").status == 0
    assert said.returncode == 2
    assert "pip install 'pyanamo-async[report]'" in said.stderr
    assert (folder / "r.html").read_text() == "old"
