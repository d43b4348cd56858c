"""What can be tested of the text itself: its words, its links, its length."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.program import ROOT
from tests.docs.pages import DECISIONS, DOCS, GENERATED, PAGES, README, codes, links, name, prose

README_LINES = 150
FIRST_SCREEN_LINES = 24
DEAD_WORDS = re.compile(
    r"\b(Boards?|calm|Patience|IMPATIENT|farewells?|beats?|thrift\w*|unborn|Manners|TimeKeeper|Leaving|Outlook|Others'"
    r"|Sights?|Tally|announce[ds]?|announcements?|filed_as|dice|Persistence|Rest)\b"
)
PACKAGE = ROOT / "pyanamo_async"
_SOURCE_FILE = re.compile(r"[\w/]+/\w+\.py(::\w+)?")  # in a folder: a name alone may be a reader's own file
WRITTEN_BY_HAND = [page for page in PAGES if page != GENERATED and page not in DECISIONS]


def test_the_readme_is_short() -> None:
    """One can read it at once."""
    assert len(README.read_text().splitlines()) <= README_LINES


def test_the_first_screen_has_the_problem_and_the_solution() -> None:
    """And the command that shows it."""
    screen = "\n".join(README.read_text().splitlines()[:FIRST_SCREEN_LINES])

    assert [
        word for word in ("shell commands", "table", "workers", "make demo", "make test") if word not in screen
    ] == []


@pytest.mark.parametrize("page", WRITTEN_BY_HAND, ids=name)
def test_a_page_uses_words_that_a_stranger_knows(page: Path) -> None:
    """No word of a mechanism that is gone, and no private name; only decisions look back."""
    assert DEAD_WORDS.findall(prose(page)) == []


@pytest.mark.parametrize("page", [page for page in PAGES if page not in DECISIONS], ids=name)
def test_a_page_names_files_that_exist(page: Path) -> None:
    """By their place in the package or in the repository; decisions name what was there on their day."""
    named = {word.partition("::")[0] for word in codes(prose(page)) if _SOURCE_FILE.fullmatch(word)}

    assert [file for file in sorted(named) if not any((root / file).exists() for root in (PACKAGE, ROOT))] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_links_to_files_that_exist(page: Path) -> None:
    """Also where MkDocs does not look; within docs/ it checks headings, too."""
    local = [link.partition("#")[0] for link in links(page) if not re.match(r"https?:|#", link)]

    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", DECISIONS, ids=name)
def test_a_decision_has_a_date_a_context_and_a_consequence(page: Path) -> None:
    """Its file begins with the day; the text says the same, and answers the three questions."""
    text = page.read_text()

    assert f"Date: {page.name[:10]}" in text
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == ["## Context", "## Decision", "## Consequence"]


def test_every_decision_is_listed() -> None:
    """The index links to each of them, and the README to the index."""
    assert {page.name for page in DECISIONS} <= set(links(DOCS / "decisions" / "index.md"))


def test_the_documentation_names_no_path_of_a_machine() -> None:
    """Nothing that was copied from a terminal leads to somebody's home."""
    homes = re.compile(r"(/home/|/root/|/tmp/|/work/)\w")

    assert [name(page) for page in PAGES if homes.search(page.read_text())] == []


def test_the_licence_is_there() -> None:
    """As the metadata of the package says."""
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")
