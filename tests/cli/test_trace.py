"""`pyanamo trace`."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from pyanamo_async.cli.progress import CLEAR_LINE, ReadCount
from tests.cli.conftest import PYANAMO, Cli, process
from tests.cli.test_main import on_terminal


def test_a_trace_in_a_pipe_is_a_header_and_tabs(ran: Cli) -> None:
    """One row for each task that ran, whether or not anybody says `--tsv`."""
    header, *rows = (line.split("\t") for line in ran("trace").out.splitlines())
    by_name = [dict(zip(header, row, strict=True)) for row in rows]

    assert ran("trace", "--tsv").out == ran("trace").out
    assert {(row["itemID"], row["Task"], row["Status"], row["Exit_Code"], row["stdout_bytes"]) for row in by_name} == {
        ("a", "Task_0", "Succeeded", "0", "4"),
        ("b", "Task_0", "Failed", "3", "0"),
        ("n", "Task_0", "Succeeded", "0", "4"),
        ("n", "Task_1", "Succeeded", "0", "2"),
    }
    assert all(float(row["Seconds"]) >= 0 and int(row["Max_RSS"] or 1) > 0 for row in by_name)


def test_json_lines_have_the_same_rows_with_types(ran: Cli) -> None:
    """Numbers are numbers, and what is not known is null."""
    rows = [json.loads(line) for line in ran("trace", "--jsonl", "--state", "failed").out.splitlines()]

    assert [(row["itemID"], row["taskID"], row["Exit_Code"], row["Signal"]) for row in rows] == [("b", "s2", 3, None)]
    assert isinstance(rows[0]["Seconds"], float)


def test_a_joblog_is_numbered_through(ran: Cli) -> None:
    """From one item to the next, with the scripts behind."""
    header, *lines = (line.split("\t") for line in ran("trace", "--joblog").out.splitlines())

    assert header == ["Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive", "Exitval", "Signal", "Command"]
    assert [line[0] for line in lines] == ["1", "2", "3", "4"]
    assert {(line[6], line[8]) for line in lines} == {
        ("0", "echo out; echo err >&2"),
        ("3", "exit 3"),
        ("0", "seq 2"),
        ("0", "seq 1"),
    }


def test_a_trace_is_filtered(ran: Cli) -> None:
    """By state and by sample."""
    assert len(ran("trace", "--sample", "s1").out.splitlines()) == 1 + 3
    assert len(ran("trace", "--sample", "s1", "--state", "failed").out.splitlines()) == 1


def test_items_that_never_ran_have_no_row(cli: Cli) -> None:
    """A header, and nothing behind it."""
    cli("import", "single.txt")

    assert len(cli("trace").out.splitlines()) == 1
    assert len(cli("trace", "--joblog").out.splitlines()) == 1
    assert cli("trace", "--jsonl").out == ""


@pytest.mark.parametrize("argv", [[], ["--tsv"], ["--jsonl"], ["--joblog"]])
def test_without_a_table_there_is_no_header(cli: Cli, argv: list[str]) -> None:
    """Stdout is data; there is none."""
    said = cli("trace", *argv)

    assert (said.status, said.out) == (1, "")


def test_two_formats_cannot_be_meant(cli: Cli) -> None:
    """At once."""
    assert cli("trace", "--tsv", "--joblog").status == 2


def test_a_terminal_shows_what_fits(ran: Cli) -> None:
    """Fewer columns are drawn; `--tsv` has them all there too."""
    assert ran("status").status == 0

    drawn, plain = on_terminal("trace"), on_terminal("trace", "--tsv")

    assert "─────" in drawn
    assert "stdout_bytes" not in drawn
    assert "stdout_bytes\tstderr_bytes\tWorker" in plain


@pytest.mark.parametrize("limit", [0, 2, 99])
def test_a_limit_bounds_what_is_read(ran: Cli, limit: int) -> None:
    """Of rows, in each format, and of items."""
    rows = min(limit, 4)

    assert len(ran("trace", "--limit", str(limit)).out.splitlines()) == 1 + rows
    assert len(ran("trace", "--limit", str(limit), "--joblog").out.splitlines()) == 1 + rows
    assert len(ran("trace", "--limit", str(limit), "--jsonl").out.splitlines()) == rows
    assert len(ran("list", "--limit", str(limit), "--json").json()) == min(limit, 3)


def test_a_long_read_counts_on_the_terminal() -> None:
    """On stderr, after a second; it is gone at the end, and other words stand before it."""
    count = [0]
    display = ReadCount(count, after_s=0)
    count[0] = 12_000

    assert display.render([], last=False) == f"{CLEAR_LINE}12,000 read"
    assert display.render(["warned\n"], last=False) == f"{CLEAR_LINE}warned\n12,000 read"
    assert display.render([], last=True) == CLEAR_LINE


def test_a_read_into_a_file_is_whole_whatever_the_terminal_shows(ran: Cli, folder: Path) -> None:
    """Stdout is data."""
    ours, theirs = pty.openpty()
    with (folder / "out").open("wb") as out:
        done = subprocess.run([PYANAMO, "list", "--json"], stdout=out, stderr=theirs, check=True)
    os.close(theirs)
    os.close(ours)

    assert done.returncode == 0
    assert len(json.loads((folder / "out").read_bytes())) == len(ran("list", "--json").json()) == 3


@pytest.mark.parametrize("columns", [140, 80, 40])
def test_tables_fit_the_terminal(cli: Cli, folder: Path, columns: int) -> None:
    """One line for an item: columns are left out, and none is folded; times and sizes are short."""
    scripts = [f"sample-{n:03d}-chr{n}|sample-{n:03d}|echo {'long ' * 30} >&2; exit {n % 2}" for n in range(9)]
    (folder / "many.txt").write_text("\n".join(["itemID|TaskID|TaskScript", *scripts]))
    cli("import", "many.txt")
    process("run", "--max-failures", "1")

    for command in ("list", "trace", "status"):
        lines = on_terminal(command, columns=columns).replace("\x1b", "").splitlines()
        ids = [line for line in lines if "sample-" in line]
        plain = [re.sub(r"\[[\d;]*m", "", line).rstrip() for line in lines]

        assert max(map(len, plain)) <= columns
        assert len(ids) == (0 if command == "status" else 9)
    assert re.search(r"\d ms\b", on_terminal("trace", columns=columns))
