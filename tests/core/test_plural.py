"""How many of what: nobody reads `1 failures`."""

from __future__ import annotations

import pytest

from pyanamo_async.cli.views import size
from pyanamo_async.core.text.plural import plural


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [(0, "item", "0 items"), (1, "item", "1 item"), (2, "crash", "2 crashes"), (1, "crash", "1 crash")],
)
def test_one_is_no_plural(count: int, noun: str, said: str) -> None:
    """And some plurals are longer."""
    assert plural(count, noun) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.0 KB"),
        (3 << 29, "1.5 GB"),
        (1 << 50, "1024.0 TB"),
    ],
)
def test_sizes_for_people(count: int, said: str) -> None:
    """One byte too."""
    assert size(count) == said
