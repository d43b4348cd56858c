"""`NO_COLOR` (https://no-color.org): whoever sets it gets no colours, whatever the terminal can do."""

from __future__ import annotations

import re

import pytest

from tests.cli.conftest import Cli
from tests.cli.test_main import on_terminal

COMMANDS = ["status", "list", "show b", "trace"]


def _colours(text: str) -> list[str]:
    """Return the colours of what a terminal was told, of letters or behind them; bold and dim are none."""
    codes = [code for found in re.findall(r"\x1b\[([\d;]*)m", text) for code in found.split(";")]
    return [code for code in codes if re.fullmatch(r"[349]\d|10[0-7]", code) and code not in {"39", "49"}]


@pytest.mark.parametrize("variable", ["", "1"])
@pytest.mark.usefixtures("ran")
def test_no_colours_are_drawn_where_none_are_wanted(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """By any value but an empty one, as the convention has it."""
    monkeypatch.setenv("NO_COLOR", variable)

    coloured = [command for command in COMMANDS if _colours(on_terminal(*command.split()))]

    assert coloured == ([] if variable else COMMANDS)


@pytest.mark.parametrize("variable", ["", "1"])
def test_the_bar_of_a_worker_has_no_colours_then(ran: Cli, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Nor what stands above it."""
    monkeypatch.setenv("NO_COLOR", variable)
    ran("retry", "--all", "--yes")
    ran("hold", "b", "--yes")

    shown = on_terminal("run", stderr=True)

    assert "1 held" in shown
    assert bool(_colours(shown)) is not bool(variable)
