"""The border: whatever goes wrong is one line and an exit status."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from harness.program import program
from pyanamo_async import __version__
from pyanamo_async.app.settings import DEFAULT_TABLE
from pyanamo_async.cli import main
from pyanamo_async.errors import Denied, Unavailable, UsageError
from tests.cli.conftest import PYANAMO, Cli, process


def test_version(cli: Cli) -> None:
    """Data, like any other."""
    assert cli("--version").out == f"pyanamo {__version__}\n"


COMMANDS = """
import run status wait samples explain list show logs trace doctor reclaim workers
workers-drain workers-stop table-create table-describe table-delete
"""


@pytest.mark.parametrize("name", COMMANDS.split())
def test_every_command_takes_the_addresses_and_shows_their_variables(cli: Cli, name: str) -> None:
    """Flags are accepted after the command, as people type them."""
    text = cli(*name.split("-"), "--help").out

    for words in ("--table", "--bucket", "--bucket-key", "--region", "PYANAMO_TABLE", "S3_BUCKET", "AWS_REGION"):
        assert words in text


def test_run_documents_its_exit_statuses(cli: Cli) -> None:
    """In its own help, each with what it means."""
    lines = [line.split(maxsplit=1) for line in cli("run", "--help").out.splitlines()]

    meanings = {"0": "nothing", "3": "failed", "75": "interrupted", "2": "invalid usage", "1": "the worker itself"}
    for status, word in meanings.items():
        assert any(line[:1] == [status] and word in line[1] for line in lines if line)


@pytest.mark.parametrize(
    "argv", [[], ["walk"], ["status", "--loud"], ["show"], ["run", "-i", "0"], ["run", "-i", "many"], ["table"]]
)
def test_usage_errors_exit_2(cli: Cli, argv: list[str]) -> None:
    """Whoever finds them."""
    said = cli(*argv)

    assert said.status == 2
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("variable", "value", "argv"),
    [
        ("PYANAMO_TABLE", "no/table", ["status"]),
        ("PYANAMO_ITEMS", "many", ["run"]),
        ("PYANAMO_NESTS", "0", ["run"]),
        ("PYANAMO_WALL_TIME", "soon", ["run"]),
        ("S3_BUCKET", "no bucket", ["run"]),
    ],
)
def test_what_comes_from_the_environment_is_checked_too(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, argv: list[str]
) -> None:
    """And the complaint names the variable."""
    monkeypatch.setenv(variable, value)

    said = cli(*argv)

    assert said.status == 2
    assert variable in said.err


def test_the_environment_says_where(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag outweighs it."""
    monkeypatch.setenv("PYANAMO_TABLE", "sqlite:there.db")
    cli("import", "single.txt")

    assert (folder / "there.db").exists()
    assert cli("status", "--json").json()[0]["table"] == "sqlite:there.db"
    assert "here.db" in cli("status", "-t", "sqlite:here.db").err


@pytest.mark.parametrize("argv", [["status"], ["list"], ["list", "--json"], ["show", "a"], ["logs", "a"]])
def test_errors_are_one_line_on_stderr(cli: Cli, argv: list[str]) -> None:
    """What, which, and how to go on; stdout stays empty, without even a header."""
    said = cli(*argv)

    assert (said.status, said.out) == (1, "")
    [line] = said.err.splitlines()
    assert line.startswith("pyanamo: ")
    assert "pyanamo.db" in line
    assert ". hint: " in line


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UsageError("this", hint="that"), 2, "pyanamo: this. hint: that"),
        (Denied("no\nentry", hint="ask"), 1, "pyanamo: no entry. hint: ask"),
        (ExceptionGroup("x", [OSError("y"), Unavailable("away", hint="wait")]), 1, "pyanamo: away. hint: wait"),
        (ZeroDivisionError("oh"), 1, "pyanamo: ZeroDivisionError: oh. hint: PYANAMO_DEBUG=1 shows where it happened"),
    ],
)
def test_any_error_becomes_one_line(
    capsys: pytest.CaptureFixture[str], error: Exception, status: int, line: str
) -> None:
    """Ours with their own words, strangers with their name; of a group, the one that says most."""
    assert main.report(error) == status
    assert capsys.readouterr().err == f"{line}\n"


def test_the_traceback_is_there_for_those_who_ask(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the line."""
    monkeypatch.setenv("PYANAMO_DEBUG", "1")

    said = cli("status")

    assert "Traceback" in said.err
    assert said.err.splitlines()[-1].startswith("pyanamo: ")


@pytest.mark.parametrize("argv", [["status"], ["status", "--json"], ["list"]])
def test_a_full_device_is_told(argv: list[str]) -> None:
    """Output that could not be written is a failure, in a line that names stdout."""
    assert process("table", "create").status == 0
    with Path("/dev/full").open("w") as full:
        said = process(*argv, stdout=full, stderr=subprocess.PIPE, capture_output=False)

    assert said.status == 1
    assert said.err.startswith("pyanamo: stdout cannot be written: No space left on device. hint: ")
    assert len(said.err.splitlines()) == 1


def test_root_of_a_checkout_runs_it(folder: Path) -> None:
    """`python cli.py` is the same program."""
    checkout = Path(main.__file__).parents[2]

    done = subprocess.run(
        [Path(PYANAMO).with_name("python"), checkout / "cli.py", "table", "create"],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )

    assert done.stdout == "created table sqlite:pyanamo.db\n"


def test_tables_are_drawn_on_a_terminal(ran: Cli) -> None:
    """With the same facts as in a pipe."""
    assert ran("status").status == 0

    status, listed, shown = on_terminal("status"), on_terminal("list"), on_terminal("show", "b")

    for words in ("Wall_Time_Exceeded", "66.7%", "33.3%", "tasks: 3 of 4 done, 1 failed"):
        assert words in status
    for words in ("attempt 1: exit status 3", "─────"):
        assert words in listed
    assert "exit status 3" in shown


def test_what_the_system_refuses_is_said_in_words(cli: Cli, folder: Path) -> None:
    """What could not be read or written and why, without numbers of errors."""
    (folder / "tasks.txt").write_text("true\n")
    cli("import", "tasks.txt")
    (folder / "shut").mkdir(mode=0o500)
    run = program(folder, table=DEFAULT_TABLE, bucket="", env={}).run
    table = f"the table {folder}/shut/x.db cannot be opened or written: Permission denied. hint: "
    for argv, says in (
        (["import", "tasks.txt", "-t", "sqlite:shut/x.db"], table),
        (["export", "--to", "shut/x.db"], "--to shut/x.db cannot be written: Permission denied. hint: "),
        (["export", "--to", "shut/x.tsv"], "--to shut/x.tsv cannot be written: Permission denied. hint: "),
        (["run", "--heartbeat-file", "shut/x"], "heartbeat file not touched trouble='shut/x: Permission denied'"),
    ):
        said = run(*argv, obeys_modes=True).stderr
        assert (says in said, "Errno" in said) == (True, False), said


def test_only_an_option_that_there_is_not_may_be_an_id(cli: Cli) -> None:
    """Of a value that is no number, nothing is to be written behind `--`."""
    hint = "hint: write -- before an item whose id begins with -, as in `pyanamo {} -- -x`"

    assert hint.format("logs") in cli("logs", "-x").err
    assert hint.format("hold") in cli("hold", "-x").err
    for argv in ("logs x --tail abc", "logs x --tail -1", "list --colums x"):
        said = cli(*argv.split())
        assert (said.status, "hint" in said.err) == (2, False)


def on_terminal(*argv: str, stderr: bool = False, columns: int = 100, status: int = 0) -> str:
    """Run a command with a terminal for stdout, and for stderr if so, and return what appears on it."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    said = theirs if stderr else None
    with subprocess.Popen([PYANAMO, *argv], stdin=subprocess.DEVNULL, stdout=theirs, stderr=said, env=env) as shown:
        os.close(theirs)
        pieces = []
        while piece := _read(ours):
            pieces.append(piece)
    os.close(ours)
    assert shown.returncode == status
    return b"".join(pieces).decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other end is closed
        return b""


@pytest.mark.parametrize(
    ("closing", "argv", "status", "says"),
    [
        (">&-", "status", 2, "stdout is closed. hint: "),
        ("<&-", "import -", 2, "standard input has no items. hint: "),
        ("2>&-", "status", 0, ""),
        ("<&- 2>&-", "status --json", 0, ""),
    ],
)
def test_a_closed_stream_is_no_file(cli: Cli, closing: str, argv: str, status: int, says: str) -> None:
    """What is opened next does not take its place: the table stays sound, and what matters is said in a line."""
    cli("import", "single.txt")

    done = subprocess.run(["bash", "-c", f"{PYANAMO} {argv} {closing}"], capture_output=True, text=True, check=False)

    assert (done.returncode, len(done.stderr.splitlines())) == (status, 1 if says else 0)
    assert says in done.stderr
    assert cli("status", "--json").json()[0]["total"] == 2


def test_a_folder_that_is_gone_is_told() -> None:
    """In a line that says so."""
    command = f"mkdir gone && cd gone && rmdir ../gone && {PYANAMO} status"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "pyanamo: the current folder is gone. hint: change to one that exists\n"


def test_an_argument_that_is_no_text_is_told(cli: Cli) -> None:
    """Ids are UTF-8, and what is not is no id."""
    said = cli("show", os.fsdecode(b"\xff"))

    assert (said.status, len(said.err.splitlines())) == (2, 1)
    assert "is not UTF-8. hint: " in said.err
    assert "is not UTF-8" not in cli("show", "ä").err


@pytest.mark.parametrize("command", ["show", "logs"])
def test_an_id_that_looks_like_a_flag_can_be_named(cli: Cli, folder: Path, command: str) -> None:
    """And whoever tries without is told how."""
    (folder / "flag.txt").write_text("itemID|TaskID|TaskScript\n-x|s|true\n")
    cli("import", "flag.txt")

    assert f"`pyanamo {command} -- -x`" in cli(command, "-x").err
    assert cli("show", "--", "-x").status == 0
    assert f"pyanamo {command} -- " not in cli(command).err
