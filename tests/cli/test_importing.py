"""`pyanamo import`."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.servers.clients import client
from pyanamo_async.store.dynamodb import schema
from tests.cli.conftest import PYANAMO, SINGLE, Cli, process


def scripts_of(cli: Cli, item_id: str) -> list[str]:
    """Return the scripts of a nested item."""
    return [task["Script"] for task in cli("show", item_id, "--json").json()["TaskScript"].values()]


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
        "updated": 0,
        "locked": 0,
        "differing": 0,
        "unreadable": 0,
        "locked_ids": [],
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


def test_the_command_of_the_original_works(cli: Cli, folder: Path) -> None:
    """The file as an option, a delimiter, and that of the arguments behind `-n`."""
    (folder / "semicolons.txt").write_text("itemID|TaskID|TaskScript|TaskArgs\nn|s1|seq|2;1\n")

    assert cli("import", "-i", "nested.txt", "-d", "|", "-n", ",").out == "1 added, 0 skipped, 0 replaced\n"
    assert scripts_of(cli, "n") == ["seq 2", "seq 1"]
    assert cli("import", "-n", ";", "-i", "semicolons.txt").err == ""


@pytest.mark.parametrize(
    ("argv", "tasks"),
    [
        (["-n", "args.txt"], ["x 1;2  3\t4"]),
        (["args.txt", "-n"], ["x 1;2  3\t4"]),
        (["-n", "--", "args.txt"], ["x 1;2  3\t4"]),
        (["-n", "-i", "args.txt"], ["x 1;2  3\t4"]),
        (["-n", ";", "args.txt"], ["x 1", "x 2  3\t4"]),
        (["-n;", "args.txt"], ["x 1", "x 2  3\t4"]),
        (["--nested=;", "args.txt"], ["x 1", "x 2  3\t4"]),
        (["-n", " ", "args.txt"], ["x 1;2", "x 3", "x 4"]),
        (["-n", "\\t", "args.txt"], ["x 1;2  3", "x 4"]),
    ],
)
def test_what_stands_behind_n_is_a_delimiter_or_the_file(
    cli: Cli, folder: Path, argv: list[str], tasks: list[str]
) -> None:
    """Punctuation and blanks separate arguments; anything else is the file."""
    (folder / "args.txt").write_text("itemID|TaskID|TaskScript|TaskArgs\nn|s1|x|1;2  3\t4\n")

    assert cli("import", *argv).err == "created table sqlite:pyanamo.db\n"
    assert scripts_of(cli, "n") == tasks


def test_a_list_of_commands_is_found_and_said_to_be(cli: Cli, folder: Path) -> None:
    """Somebody may have meant something else."""
    (folder / "jobs.txt").write_text("seq 3\n\nseq 4\n")

    found, said = cli("import", "jobs.txt"), cli("import", "--lines", "jobs.txt")

    assert (found.out, said.out) == ("2 added, 0 skipped, 0 replaced\n", "0 added, 2 skipped, 0 replaced\n")
    assert "no header: each of 2 lines is a command\n" in found.err
    assert said.err == ""


def test_items_that_differ_are_named_with_what_to_type(cli: Cli, folder: Path) -> None:
    """Skipped they are all the same."""
    cli("import", "single.txt")
    (folder / "single.txt").write_text(SINGLE.replace("exit 3", "exit 4"))

    skipped = cli("import", "single.txt")
    replaced = cli("import", "single.txt", "--on-exists", "replace")

    assert skipped.out == "0 added, 2 skipped, 0 replaced\n"
    assert skipped.err.startswith("1 differs: b. hint: ")
    assert "--on-exists update" in skipped.err
    assert cli("import", "single.txt", "--json").json()["differing"] == 0
    assert (replaced.out, replaced.err) == ("0 added, 0 skipped, 2 replaced\n", "")


def test_a_template_with_arguments_of_a_file(cli: Cli, folder: Path) -> None:
    """One argument a line, or separated by commas on the command line."""
    (folder / "samples.csv").write_text("sample\nS 1\n")
    (folder / "chromosomes.txt").write_text("# of the test\nchr1\n\n  HLA-A*01\n")
    by_sample = ("import", "samples.csv", "--id", "{sample}", "--script", "x {sample}")

    assert cli(*by_sample, "--args-from", "chromosomes.txt").out.startswith("1 added")
    assert cli(*by_sample, "--args", "chr1, HLA-A*01").out == "0 added, 1 skipped, 0 replaced\n"
    assert scripts_of(cli, "S 1") == ["x 'S 1' chr1", "x 'S 1' 'HLA-A*01'"]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "no task file is named"),
        (["single.txt", "-i", "single.txt"], "both name a task file"),
        (["--lines", "-n", "single.txt"], "--lines and --nested contradict each other"),
        (["--lines", "-d", "|", "single.txt"], "--lines and --delimiter contradict each other"),
        (["--script", "x", "single.txt"], "--script needs --id"),
        (["--script", "x", "--id", "{a}", "--lines", "single.txt"], "--script and --lines contradict each other"),
        (["--sample", "x", "single.txt"], "--sample has no effect without --script"),
        (["--script", "x", "--id", "x", "--args", "1", "--args-from", "single.txt", "nested.txt"], "contradict"),
        (["--script", "x", "--id", "x", "--args-from", "missing", "nested.txt"], "missing"),
        (["--script", "x", "--id", "x", "--args-from", "empty", "nested.txt"], "empty has no arguments"),
        (["--script", "x", "--id", "x", "--args-from", "bytes", "nested.txt"], "bytes, line 1: not UTF-8"),
        (["--split", "0", "single.txt"], "--split"),
    ],
)
def test_options_that_contradict_each_other_are_refused(cli: Cli, folder: Path, argv: list[str], says: str) -> None:
    """By their names, before anything is read or written."""
    (folder / "empty").write_text("\n")
    (folder / "bytes").write_bytes(b"\xe9\n")

    said = cli("import", *argv)

    assert said.status == 2
    assert says in said.err
    assert not (folder / "pyanamo.db").exists()


def test_a_full_folder_for_temporary_files_is_named(folder: Path) -> None:
    """Importing from a pipe needs one."""
    limited = f"import resource, os; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); os.execv({PYANAMO!r}, "
    command = [sys.executable, "-c", limited + "['pyanamo', 'import', '-'])"]
    text = SINGLE + "".join(f"i{number}|s|true\n" for number in range(1000))
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, env=os.environ | {"TMPDIR": str(folder)}
    )

    assert done.returncode == 2
    assert f"the folder of TMPDIR ({folder}): File too large. hint: set TMPDIR" in done.stderr
    assert not (folder / "pyanamo.db").exists()


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
    """Never more than is true: a batch may have been on its way. The next one goes on from there."""
    rows = 100_000
    (folder / "many.txt").write_text("itemID|TaskID|TaskScript\n" + "".join(f"i{n}|s|true\n" for n in range(rows)))
    with subprocess.Popen([PYANAMO, "import", "many.txt"], stderr=subprocess.PIPE, text=True) as importing:
        assert importing.stderr
        assert "created table" in importing.stderr.readline()
        importing.send_signal(signal.SIGINT)
        said = importing.stderr.read()

    assert importing.returncode == 130
    [line] = said.splitlines()
    told = re.fullmatch(
        r"interrupted: (?:at least (\d+)|none or some) of 100000 items are in the table. "
        "hint: import again to continue",
        line,
    )
    assert told
    [status] = json.loads(process("status", "--json").out)
    assert int(told[1] or 0) <= status["total"]
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
    assert ("importing" in shown and f"{rows:,}/{rows:,}" in shown) is drawn


def test_a_terminal_that_closes_fails_no_import(cli: Cli, folder: Path) -> None:
    """Its bar goes to nobody; every row is in the table."""
    rows = "".join(f"i{number}|s|true\n" for number in range(30_000))
    (folder / "many.txt").write_text(f"itemID|TaskID|TaskScript\n{rows}")
    ours, theirs = pty.openpty()
    argv, out = [PYANAMO, "import", "many.txt"], subprocess.PIPE
    with subprocess.Popen(argv, stdout=out, stderr=theirs, text=True) as importing:
        os.close(theirs)
        assert os.read(ours, 100)  # it draws
        os.close(ours)
        said, _ = importing.communicate(timeout=60)

    assert (importing.returncode, said) == (0, "30000 added, 0 skipped, 0 replaced\n")
    assert cli("status", "--json").json()[0]["total"] == 30_000


def test_a_table_that_the_stack_made_is_not_called_created(
    cli: Cli, table: str, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there; the import makes it ready, once."""
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    client("dynamodb", aws_env["AWS_ENDPOINT_URL_DYNAMODB"]).create_table(**schema.creation(table))

    made, found = (cli("import", "-t", table, "single.txt") for _ in range(2))

    assert made.err == f"made table {table} ready, which existed and was empty\n"
    assert (found.status, found.err) == (0, "")
