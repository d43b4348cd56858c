"""`pyanamo logs` and what surrounds the output."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Cli
from tests.cli.test_main import on_terminal


def test_what_is_said_does_not_go_on_a_line_of_the_output(cli: Cli, folder: Path) -> None:
    """On a terminal the outcome has a line of its own; in a pipe no byte is added to what was printed."""
    (folder / "items.txt").write_text("itemID|TaskID|TaskScript\nopen|s|printf 'no end'\nclosed|s|echo end\n")
    cli("import", "items.txt")
    cli("run")

    assert on_terminal("logs", "open", "-f", stderr=True) == "no end\r\npyanamo: attempt 1 succeeded\r\n"
    assert on_terminal("logs", "closed", "-f", stderr=True) == "end\r\npyanamo: attempt 1 succeeded\r\n"
    assert cli("logs", "open", "-f").out == "no end"


def test_an_empty_stream_is_named_beside_the_output(cli: Cli, folder: Path) -> None:
    """Whoever asks why an item failed may look at the wrong stream; nothing is added to stdout."""
    (folder / "items.txt").write_text("itemID|TaskID|TaskScript\nfails|s|echo reason >&2; exit 7\n")
    cli("import", "items.txt")
    assert cli("run", "--max-failures", "1").status == 3

    shown = cli("logs", "fails")
    assert shown.out == ""
    assert shown.err == "pyanamo: stdout is empty. hint: --both shows stdout and stderr\n"
    shown = cli("logs", "fails", "--stderr")
    assert (shown.out, shown.err) == ("reason\n", "")
    shown = cli("logs", "fails", "--tail", "0")
    assert (shown.out, shown.err) == ("", "")
