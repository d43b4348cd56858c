"""Text from outside becomes visible."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from pyanamo_async.core.text.visible import field, one_line, visible, visible_json

TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\x00\t\n\r\x1b\x7f\x85\x9b\u2028\u202e\u2066")
)


@settings(max_examples=200)
@given(TEXT)
def test_no_character_is_left_that_has_no_picture(text: str) -> None:
    """Only line ends and tabs stay, and in one line, or in a field, not even those."""
    assert visible(text).replace("\n", "").replace("\t", "").isprintable()
    assert one_line(text).replace("\t", "").isprintable()
    assert field(text).isprintable()


@given(st.text(st.characters(exclude_categories=["C", "Z"])))
def test_what_is_visible_stays(text: str) -> None:
    """In any script."""
    assert field(text) == text


@settings(max_examples=200)
@given(TEXT)
def test_json_stays_exact(text: str) -> None:
    """Escaped or not, it is the same string."""
    escaped = visible_json(json.dumps(text, ensure_ascii=False).encode())

    assert json.loads(escaped) == text
    assert escaped.decode().isprintable()
