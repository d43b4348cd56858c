"""`pyanamo import`."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import PYANAMO, SINGLE, Cli, process


def test_import_creates_the_table_and_ends_with_counts(cli: Cli) -> None:
    """Once; the second time everything is skipped."""
    first, second = cli("import", "single.txt"), cli("import", "single.txt")

    assert (first.status, first.out) == (0, "2 added, 0 skipped, 0 replaced\n")
    assert first.err == "created table sqlite:pyanamo.db\n"
    assert (second.out, second.err) == ("0 added, 2 skipped, 0 replaced\n", "")


def test_counts_as_json(cli: Cli) -> None:
    """With items and tasks of the file."""
    said = cli("import", "-n", "nested.txt", "--json").json()

    assert said == {
        "dry_run": False,
        "items": 1,
        "tasks": 2,
        "added": 1,
        "skipped": 0,
        "replaced": 0,
        "locked": 0,
    }


def test_standard_input_is_a_file_too(folder: Path) -> None:
    """Under the name `-`, from a pipe or from a file."""
    piped = process("import", "-", stdin=None, input=SINGLE)
    with (folder / "nested.txt").open("rb") as file:
        redirected = process("import", "-n", "-", stdin=file)

    assert (piped.status, piped.out) == (0, "2 added, 0 skipped, 0 replaced\n")
    assert (redirected.status, redirected.out) == (0, "1 added, 0 skipped, 0 replaced\n")


def test_a_rehearsal_creates_nothing(cli: Cli, folder: Path) -> None:
    """Not even the table."""
    said = cli("import", "single.txt", "--dry-run")

    assert (said.status, said.out) == (0, "would be 2 added, 0 skipped, 0 replaced\n")
    assert not (folder / "pyanamo.db").exists()


def test_bad_lines_are_listed_and_nothing_is_written(cli: Cli, folder: Path) -> None:
    """Exit 2, one line that says how many, then one for each."""
    (folder / "bad.txt").write_text("itemID|TaskID|TaskScript\ngood|s|true\nb|s\na|s|\ngood|s|x\n")

    said = cli("import", "bad.txt")

    assert (said.status, said.out) == (2, "")
    assert said.err.splitlines() == [
        "pyanamo: bad.txt has 3 bad lines; nothing was imported. hint: correct them and import again",
        "  line 3: missing field TaskScript",
        "  line 4: empty script",
        "  line 5: itemID 'good' is already on line 2",
    ]
    assert not (folder / "pyanamo.db").exists()


def test_of_many_bad_lines_the_first_are_listed(cli: Cli, folder: Path) -> None:
    """And it is said that there are more."""
    (folder / "bad.txt").write_text("itemID|TaskID|TaskScript\n" + "b\n" * 70)

    lines = cli("import", "bad.txt").err.splitlines()

    assert "70 bad lines" in lines[0]
    assert (len(lines), lines[-1]) == (52, "  ... and 20 more")


@pytest.mark.parametrize("delimiter", [r"\t", "\t"])
def test_a_tab_can_be_written_as_people_write_it(cli: Cli, folder: Path, delimiter: str) -> None:
    r"""`-d '\t'` is what a shell passes on as two characters."""
    (folder / "tabs.txt").write_text("a\ts\techo 'x|y'\n")

    assert cli("import", "--no-header", "-d", delimiter, "tabs.txt").out == "1 added, 0 skipped, 0 replaced\n"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["import", "missing.txt"], "there is no file missing.txt"),
        (["import", "."], "cannot read .: Is a directory"),
        (["import", "-d", "", "single.txt", "--on-exists", "fail"], ""),
        (["import", "-d", "\n", "single.txt"], "delimiter"),
    ],
)
def test_files_that_cannot_be_imported(cli: Cli, argv: list[str], says: str) -> None:
    """Exit 2 and one line, or it works."""
    said = cli(*argv)

    assert said.status == (2 if says else 0)
    assert says in said.err


def test_items_that_exist_can_be_refused(cli: Cli) -> None:
    """With the names of some."""
    cli("import", "single.txt")

    said = cli("import", "single.txt", "--on-exists", "fail")

    assert (said.status, said.out) == (2, "")
    assert "the table already has 2 items of these (a, b); nothing was imported" in said.err


def test_an_interrupted_import_says_how_far_it_came(folder: Path) -> None:
    """And the next one goes on from there."""
    rows = 100_000
    (folder / "many.txt").write_text("itemID|TaskID|TaskScript\n" + "".join(f"i{n}|s|true\n" for n in range(rows)))
    with subprocess.Popen([PYANAMO, "import", "many.txt"], stderr=subprocess.PIPE, text=True) as importing:
        assert importing.stderr
        assert "created table" in importing.stderr.readline()
        importing.send_signal(signal.SIGINT)
        said = importing.stderr.read()

    assert importing.returncode == 130
    [line] = said.splitlines()
    assert re.fullmatch(r"interrupted: \d+ of 100000 items are in the table. hint: import again to continue", line)
    assert process("import", "many.txt").status == 0


@pytest.mark.parametrize(("rows", "drawn"), [(999, False), (1000, True)])
def test_a_long_import_draws_a_bar(folder: Path, rows: int, drawn: bool) -> None:
    """On the terminal that stderr is; a short one is over before."""
    (folder / "many.txt").write_text("itemID|TaskID|TaskScript\n" + "".join(f"i{n}|s|true\n" for n in range(rows)))
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}

    done = subprocess.run([PYANAMO, "import", "many.txt"], stdout=subprocess.PIPE, stderr=theirs, env=env, check=True)

    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.stdout == f"{rows} added, 0 skipped, 0 replaced\n".encode()
    assert ("importing" in shown and f"/{rows}" in shown) is drawn
