"""`pyanamo table create`, `describe`, `adopt` and `delete`."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from pyanamo_async import AdoptResult
from pyanamo_async.cli.tables import _show_adopted
from tests.cli.conftest import PYANAMO, Cli


def test_create_is_a_no_op_on_a_table_of_ours_and_says_so(cli: Cli) -> None:
    """It may stand in scripts."""
    first, second = cli("table", "create"), cli("table", "create")

    assert (first.status, first.out) == (0, "created table sqlite:pyanamo.db\n")
    assert (second.status, second.out) == (0, "table sqlite:pyanamo.db exists; nothing was changed\n")


def test_describe(cli: Cli) -> None:
    """Keys, indexes, shards, billing, counts; for people and as JSON."""
    cli("import", "single.txt")

    said = cli("table", "describe", "--json").json()
    text = cli("table", "describe").out

    assert (said["table"], said["keys"], said["total"], said["items"]["todo"]) == (
        "sqlite:pyanamo.db",
        ["itemID"],
        2,
        2,
    )
    assert {"indexes", "shards", "billing", "schema_version"} <= said.keys()
    assert said["output_namespace"].startswith("pyanamo-")
    for words in ("keys", "index", "billing", "2 todo", f"stored under {said['output_namespace']}"):
        assert words in text


def test_last_attempts_are_turned_on_and_off(cli: Cli) -> None:
    """A description shows it; a number that is none is refused."""
    cli("table", "create")
    assert cli("table", "describe", "--json").json()["last_attempts_after"] is None

    said = cli("table", "last-attempts", "--after", "2").out
    assert said == "items that lost their machine 2 times are left to workers with --last-attempts\n"
    assert f"last:\t{said}" in cli("table", "describe").out
    assert cli("table", "last-attempts", "--after", "0").status == 2
    refused = cli("table", "last-attempts", "--after", "3", "--off")
    assert (refused.status, refused.err) == (
        2,
        "pyanamo: --after and --off contradict each other. hint: leave out one\n",
    )
    assert cli("table", "describe", "--json").json()["last_attempts_after"] == 2
    assert cli("table", "last-attempts", "--off").out == "no more items are left to workers with --last-attempts\n"
    assert cli("table", "describe", "--json").json()["last_attempts_after"] is None


def test_adopt_finds_nothing_where_no_other_program_writes(cli: Cli) -> None:
    """And may be repeated."""
    cli("import", "single.txt")

    for flags in ([], ["--locked"]):
        said = cli("table", "adopt", *flags)
        assert (said.status, said.out) == (0, "0 items were adopted\n")
    said = cli("table", "adopt", "--dry-run", "--json")
    nothing = {"adopted": 0, "fenced": 0, "failed": 0, "locked": [], "item_ids": []}
    assert {"dry_run": True, **nothing} == said.json()


def test_adopt_names_what_it_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """With its reason, each kind in a line."""
    _show_adopted(AdoptResult(1, fenced=2, failed=1, locked=[f"i{number}" for number in range(7)]), dry_run=False)
    said = capsys.readouterr()

    assert said.out == "1 item was adopted\n"
    assert said.err.splitlines() == [
        "7 items left alone, because somebody may be running them: i0, i1, i2, i3, i4, ...",
        "2 items left alone, because they changed meanwhile",
        "1 item left alone, because its row has no room",
    ]


def test_delete_without_a_terminal_wants_yes(cli: Cli, folder: Path) -> None:
    """Nothing is deleted by a script that forgot to say so."""
    cli("import", "single.txt")

    done = subprocess.run(
        [PYANAMO, "table", "delete"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "--yes" in done.stderr
    assert (folder / "pyanamo.db").exists()


def test_delete(cli: Cli, folder: Path) -> None:
    """With --yes it is gone, and commands say so."""
    cli("import", "single.txt")

    assert cli("table", "delete", "--yes").out == "deleted table sqlite:pyanamo.db with 2 items\n"
    assert not (folder / "pyanamo.db").exists()
    assert cli("status").status == 1
    assert cli("table", "delete", "--yes").status == 1


@pytest.mark.parametrize(("answer", "status", "there"), [(b"y\n", 0, False), (b"n\n", 1, True), (b"\x04", 1, True)])
def test_delete_asks_on_a_terminal(cli: Cli, folder: Path, answer: bytes, status: int, there: bool) -> None:
    """And takes no for an answer, and the end of input too."""
    cli("import", "single.txt")
    ours, theirs = pty.openpty()

    asked = subprocess.Popen([PYANAMO, "table", "delete"], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.write(ours, answer)
    _, err = asked.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)

    assert asked.returncode == status
    assert b"delete table sqlite:pyanamo.db with 2 items?" in err
    assert b"Traceback" not in err
    assert (folder / "pyanamo.db").exists() is there


def test_shards_are_for_dynamodb(cli: Cli, folder: Path) -> None:
    """A SQLite table has none, and says so instead of ignoring the flag."""
    said = cli("table", "create", "--shards", "4")

    assert said.status == 2
    assert said.err.startswith("pyanamo: --shards has no effect on table sqlite:pyanamo.db. hint: ")
    assert not (folder / "pyanamo.db").exists()


@pytest.mark.parametrize(
    "flags", [("--tag", "a=b"), ("--kms-key", "k"), ("--point-in-time-recovery",), ("--deletion-protection",)]
)
def test_options_of_dynamodb_have_no_effect_elsewhere(cli: Cli, folder: Path, flags: tuple[str, ...]) -> None:
    """A SQLite table says so instead of ignoring them."""
    said = cli("table", "create", *flags)

    assert said.status == 2
    assert said.err.startswith(f"pyanamo: {flags[0]} has no effect on table sqlite:pyanamo.db. hint: ")
    assert not (folder / "pyanamo.db").exists()


@pytest.mark.parametrize("tag", ["project", "=genomes", ""])
def test_a_tag_has_a_key_and_a_value(cli: Cli, tag: str) -> None:
    """Others are refused before anything is asked."""
    said = cli("table", "create", "-t", "some-table", "--tag", tag)

    assert (said.status, "is not a tag like project=genomes" in said.err) == (2, True)


def test_indexes_are_for_dynamodb(cli: Cli, folder: Path) -> None:
    """A SQLite table refuses them."""
    (folder / "indexes.json").write_text('[{"IndexName": "ItemStateIndex"}]')

    said = cli("table", "create", "--indexes", "indexes.json")

    assert said.status == 2
    assert "hint: leave --indexes out" in said.err
