"""A program, or the shell, on a mount that is dead: its items wait, all others go on, and the worker can be stopped."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from harness.program import until
from tests.process.away import Away, away
from tests.recovery.processes import Site

HANG, GO_ON = 3, 20


@pytest.fixture
def tool(site: Site) -> Iterator[Away]:
    """A program that hangs whoever starts it, and else leaves a file."""
    with away(site.folder / "tool", f"touch {site.folder}/ran") as made:
        yield made


def _items(site: Site, tool: Away) -> None:
    site.items(*(f"h{n}|s|{tool.program}" for n in range(HANG)), *(f"i{n}|s|true" for n in range(GO_ON)))


def _done(site: Site) -> set[str]:
    return {item for item, state in site.states().items() if state == "done"}


def test_others_go_on_and_the_worker_stops_in_time(site: Site, tool: Away) -> None:
    """What hangs is given back as interrupted, and is not started any more, whenever its folder comes back."""
    _items(site, tool)
    worker = site.start("-i", str(HANG + 1), "--grace", "0s")
    until(lambda: len(_done(site)) == GO_ON)

    worker.signal(signal.SIGTERM)
    assert worker.exit() == 75  # while the folder is still away

    rows = {item: row for item, row in site.rows().items() if item.startswith("h")}
    assert {(row["ItemState"], row["Interruptions"]) for row in rows.values()} == {("todo", 1)}
    tool.back()
    time.sleep(0.2)  # for what must not happen
    assert site.scripts() == []
    assert not (site.folder / "ran").exists()


def test_a_folder_that_comes_back_makes_up_for_it(site: Site, tool: Away) -> None:
    """Nothing has failed, and nothing was started twice."""
    _items(site, tool)
    worker = site.start("-i", str(HANG + 1))
    until(lambda: len(_done(site)) == GO_ON)
    tool.back()

    assert worker.exit() == 0, worker.said()
    assert {row["Log"]["Attempt"] for row in site.rows().values()} == {1}


def test_a_worker_whose_shell_is_away_stops_in_time(site: Site) -> None:
    """Starts that hang are abandoned and given back as interrupted; no script of theirs runs on unattended."""
    with away(site.folder / "shell", "sleep 600") as shell:
        _stops_in_time(site, shell)


def _stops_in_time(site: Site, shell: Away) -> None:
    site.items(*(f"h{n}|s|true" for n in range(HANG)))
    worker = site.start("-i", str(HANG), "--grace", "0s", "--shell", str(shell.program))
    until(lambda: set(site.states().values()) == {"locked"})
    time.sleep(1)  # so that threads are at it

    worker.signal(signal.SIGTERM)
    assert worker.exit() == 75  # while the shell is still away

    assert {(row["ItemState"], row["Interruptions"]) for row in site.rows().values()} == {("todo", 1)}
    shell.back()
    until(lambda: site.processes() == [])


def test_items_wait_for_a_shell_that_comes_back(site: Site, tool: Away) -> None:
    """Nothing has failed, and nothing was started twice."""
    site.items(*(f"h{n}|s|true" for n in range(HANG)))
    worker = site.start("-i", str(HANG), "--shell", str(tool.program))
    until(lambda: set(site.states().values()) == {"locked"})
    time.sleep(1)
    tool.back()

    assert worker.exit() == 0, worker.said()
    assert {row["Log"]["Attempt"] for row in site.rows().values()} == {1}
