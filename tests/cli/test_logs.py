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
