"""The pictures of the documentation."""

from __future__ import annotations

import re

from tests.docs.pages import DOCS

LARGEST = 150_000  # bytes: a page with it opens at once
MADE_BY = (DOCS.parent / "Makefile").read_text()


def test_every_picture_of_a_report_is_shown_small_and_made_by_a_command() -> None:
    """Whoever changes the report takes it anew with `make screens`."""
    shown = {
        (page.parent / path).resolve()
        for page in DOCS.rglob("*.md")
        for path in re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", page.read_text())
    }

    assert shown == {picture.resolve() for picture in DOCS.rglob("*.png")}
    assert DOCS / "guide" / "memory.png" in shown
    for picture in shown:
        content = picture.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < LARGEST
        assert str(picture.relative_to(DOCS.parent)) in MADE_BY
