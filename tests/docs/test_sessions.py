"""Terminal sessions of the documentation, typed again: they print what the pages show.

The `console` blocks of a page are one session in an empty folder. Numbers, names of hosts and the spaces between
columns may differ.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.sessions import Terminal, blocks, essence, steps
from tests.docs.pages import AWS, PAGES, VARIANT_CALLING, name

SESSIONS = [page for page in PAGES if page not in {VARIANT_CALLING, AWS} and blocks(page.read_text())]


@pytest.mark.parametrize("page", SESSIONS, ids=name)
def test_a_session_prints_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """What is typed into an empty folder answers as it is written down."""
    terminal = Terminal(tmp_path)
    for step in steps(blocks(page.read_text())):
        printed, _ = terminal.type(step.typed)

        assert essence(printed) == essence(step.shown), f"{step.typed}\n{printed}"


def test_pages_that_a_newcomer_reads_have_a_session() -> None:
    """The first pages show the program at work."""
    assert {"README.md", "docs/guide/first-table.md", "docs/guide/output.md"} <= {name(page) for page in SESSIONS}
