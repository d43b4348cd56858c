"""`pyanamo report`: the files that it writes, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Cli, process

WITHOUT_BOKEH = """
import sys
sys.modules["bokeh"] = None
from pyanamo_async.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


def test_a_report_and_a_trace_are_written(ran: Cli, folder: Path) -> None:
    """Links lead to where they are written."""
    (folder / "link.html").symlink_to("report.html")
    said = ran("report", "--to", "link.html", "--perfetto", "trace.json")

    assert (said.status, said.err) == (0, "")
    assert said.out == "4 attempts reported in link.html\n4 attempts written to trace.json\n"
    assert (folder / "link.html").is_symlink()
    assert "<html" in (folder / "report.html").read_text()
    assert len(json.loads((folder / "trace.json").read_text())["traceEvents"]) == 5

    (folder / "other").mkdir()
    (folder / "other" / "pyanamo.db").write_bytes((folder / "pyanamo.db").read_bytes())
    ran("report", "sqlite:pyanamo.db", "sqlite:other/pyanamo.db", "--perfetto", "both.json")
    both = json.loads((folder / "both.json").read_text())["traceEvents"]
    named = {each["args"]["name"].partition(":")[0] for each in both if each["ph"] == "M"}
    assert named == {f"{folder.name}/pyanamo", "other/pyanamo"}


def test_data_that_goes_to_stdout_stands_alone_there(ran: Cli, folder: Path) -> None:
    """By `-`, or by another name of it; what was done is said on stderr. A file that is stdout is appended to."""
    (folder / "out").symlink_to("/proc/self/fd/1")
    for name in ("-", "out"):
        trace, rows = ran("report", "--perfetto", name), ran("export", "--to", name)
        assert len(json.loads(trace.out)["traceEvents"]) == 5
        assert trace.err == f"4 attempts written to {name}\n"
        assert [line.split("\t")[0] for line in rows.out.splitlines()][:2] == ["taskID", "s1"]
        assert rows.err == f"4 rows written to {name}\n"
    assert (folder / "out").is_symlink()

    with (folder / "all.txt").open("w+") as file:
        file.write("before\n")
        file.flush()
        process("export", "--to", "out", "--limit", "1", stdout=file, stderr=subprocess.PIPE, capture_output=False)

    assert [line.split("\t")[0] for line in (folder / "all.txt").read_text().splitlines()] == ["before", "taskID", "s1"]


def test_stdout_is_refused_where_it_makes_no_sense(cli: Cli, folder: Path) -> None:
    """Two things at once, folders, and what is written again and again; the error says so."""
    assert "stdout cannot hold two things" in cli("report", "--to", "-", "--perfetto", "-").err
    for argv in (("logs", "--all", "--into"), ("files", "--into"), ("run", "--prometheus")):
        said = cli(*argv, "-")
        assert (said.status, "cannot go to stdout" in " ".join(said.err.split())) == (2, True), said.err
    assert not (folder / "-").exists()


def test_a_database_is_exported_into_a_file_alone(cli: Cli, folder: Path) -> None:
    """A FIFO is refused, and stays."""
    os.mkfifo(folder / "f.db")
    cli("import", "single.txt")
    said = cli("export", "--to", "f.db")

    assert (said.status, "is no regular file" in said.err) == (2, True)
    assert (folder / "f.db").is_fifo()


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
