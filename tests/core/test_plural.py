"""Counts and sizes in words."""

from __future__ import annotations

import pytest

from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.plural import plural


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [(0, "item", "0 items"), (1, "item", "1 item"), (2, "crash", "2 crashes"), (1, "crash", "1 crash")],
)
def test_nouns_agree_with_their_count(count: int, noun: str, text: str) -> None:
    """One of a kind is singular; nouns that end in `sh` take `es`."""
    assert plural(count, noun) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.0 KB"),
        (3 << 29, "1.5 GB"),
        (35 << 20, "35 MB"),
        ((1 << 20) - 1, "1.0 MB"),
        (1 << 50, "1024 TB"),
    ],
)
def test_sizes_are_shown_in_their_largest_unit(count: int, text: str) -> None:
    """Sizes under 1 KB are in bytes, larger ones in powers of 1,024 in two figures or more."""
    assert show_size(count) == text
