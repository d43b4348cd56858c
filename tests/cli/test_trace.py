"""`pyanamo trace`."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Cli
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
    assert all(float(row["Seconds"]) >= 0 and int(row["Max_RSS"]) > 0 for row in by_name)


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
