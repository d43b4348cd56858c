"""Sizes as people type them."""

from __future__ import annotations

import pytest

from pyanamo_async.core.text.byte_sizes import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1000000", 1_000_000),
        ("500k", 512_000),
        ("64MiB", 64 << 20),
        ("64 mib", 64 << 20),
        ("1.5G", 3 << 29),
        ("64MB", 64_000_000),
        (" 2GB ", 2_000_000_000),
        ("2T", 2 << 40),
        ("1.5 TiB", 3 << 39),
        ("2TB", 2 * 10**12),
    ],
)
def test_sizes_are_parsed(text: str, size: int) -> None:
    """A letter alone means powers of 1,024, as for `dd`."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "k", "ib", "5ib", "many", "-1", "1e6", "5 TBs", "1,000", "9" * 400])
def test_text_that_is_not_a_size_is_refused(text: str) -> None:
    """The error quotes the text and shows what a size looks like."""
    with pytest.raises(ValueError, match="is not a size like 64MiB"):
        parse_size(text)
