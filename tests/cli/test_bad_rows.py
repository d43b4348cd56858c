"""Commands over a table with rows that cannot be read."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, process

SKIPPED = "1 row cannot be read and left out; `pyanamo doctor` lists them\n"


def _spoil(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "pyanamo.db")) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize("command", ["trace", "status", "list"])
def test_a_bad_item_spoils_no_listing(ran: Cli, folder: Path, command: str) -> None:
    """What can be read is shown; how many rows were left out is said on stderr, once."""
    good = ran(command).out
    _spoil(folder, "UPDATE items SET Row = json_set(Row, '$.Log', 'long ago') WHERE itemID = 'a'")

    said = ran(command)

    assert said.status == 0
    shown = {line for line in said.out.splitlines() if not line.startswith("items per second")}  # it goes down
    assert shown <= {*good.splitlines()}
    assert said.err == ("" if command == "list" else SKIPPED)  # it does not read whole rows


@pytest.mark.parametrize("command", [("workers",), ("status",), ("workers", "drain", "--all"), ("reclaim",)], ids=str)
def test_a_bad_worker_spoils_no_command(ran: Cli, folder: Path, command: tuple[str, ...]) -> None:
    """It is left out, and said."""
    _spoil(folder, "UPDATE workers SET Desired = 'pause', Lease = 9e999")

    said = ran(*command)

    assert said.status == 0
    assert SKIPPED in said.err


def test_doctor_names_what_cannot_be_read_and_why(ran: Cli, folder: Path) -> None:
    """Items, and workers, with what to do about it; importing the item again mends it."""
    _spoil(folder, "UPDATE items SET Row = json_set(Row, '$.Wall_Time_Kills', 'many') WHERE itemID = 'a'")
    _spoil(folder, "UPDATE items SET ItemState = 'paused' WHERE itemID = 'b'")
    _spoil(folder, "UPDATE workers SET Slots = -1")

    said = ran("doctor", "--json")

    assert said.status == 3
    findings = json.loads(said.out)
    assert [each["finding"] for each in findings] == ["row unreadable", "state unknown", "worker unreadable"]
    assert findings[0]["which"] == "a: Wall_Time_Kills is 'many': not a whole number"
    assert "Slots is -1: not from 0 to 1,000,000,000" in findings[2]["which"]
    assert "--on-exists" in findings[0]["hint"]
    assert ["import" in finding["hint"] for finding in findings] == [True, False, False]
    shown = ran("show", "a")
    assert (shown.status, "cannot be read: Wall_Time_Kills is 'many'" in shown.err) == (1, True)

    assert ran("import", "single.txt", "--on-exists", "replace").status == 0
    assert ran("show", "a").status == 0


def test_a_worker_buries_what_it_cannot_read_and_does_the_rest(cli: Cli, folder: Path) -> None:
    """Whatever kind of text stands in the file, the good items are done."""
    assert cli("import", "single.txt").status == 0
    assert cli("import", "-n", "nested.txt").status == 0
    _spoil(folder, "UPDATE items SET Row = CAST(x'7bff' AS TEXT), Queue_Key = 'zzz' WHERE itemID = 'a'")
    _spoil(folder, "UPDATE items SET Row = replace(Row, 'todo', 'soon') WHERE itemID = 'n'")

    ran = process("run", "--max-failures", "1")

    assert ran.status == 3
    assert ran.err.count("row cannot be read") == 2
    listed = {line["itemID"]: line for line in cli("list", "--json").json()}
    assert {name: line["ItemState"] for name, line in listed.items()} == {"a": "failed", "b": "failed", "n": "failed"}
    assert listed["a"]["Reason"].startswith("row cannot be read: ")


def test_a_quiet_run_tells_of_rows_that_cannot_be_read(cli: Cli, folder: Path) -> None:
    """In one line: they are errors."""
    assert cli("import", "single.txt").status == 0
    _spoil(folder, "UPDATE items SET Row = '[]'")

    ran = process("run", "--quiet")

    assert (ran.status, ran.out) == (3, "")
    assert ran.err == "pyanamo: 2 rows cannot be read (a, b). hint: pyanamo doctor says why\n"


def test_importing_again_tells_of_rows_that_cannot_be_compared(cli: Cli, folder: Path) -> None:
    """Skipped they are all the same."""
    assert cli("import", "single.txt").status == 0
    _spoil(folder, "UPDATE items SET Row = '[]' WHERE itemID = 'a'")

    again = cli("import", "single.txt")

    assert (again.status, again.out) == (0, "0 added, 2 skipped, 0 replaced\n")
    assert "the rows of 1 item in the table cannot be read: a. hint: `pyanamo doctor` says why" in again.err


def test_buried_rows_are_failures_of_the_run(cli: Cli, folder: Path) -> None:
    """Who chains the next step to a run must not go on over them."""
    assert cli("import", "single.txt").status == 0
    _spoil(folder, "UPDATE items SET Row = '[]'")

    ran = process("run")

    assert ran.status == 3
    assert ran.err.splitlines()[-1].startswith("2 items are failed")
