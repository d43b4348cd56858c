"""Text that compresses as logs and alignments do, to about a third."""

from __future__ import annotations

import random
from collections.abc import Iterator

CHUNK_BYTES = 62_500
_DICE = random.Random(3)
_LINES = [f"read.{number}\t{''.join(_DICE.choices('ACGT', k=100))}\tchr1\n".encode() for number in range(20_000)]
_TEXT = b"".join(_LINES)[: CHUNK_BYTES * 32]


def text(megabytes: int) -> Iterator[bytes]:
    """Make so many million bytes, in chunks as they come from a pipe."""
    for number in range(megabytes * 1_000_000 // CHUNK_BYTES):
        at = number % 32 * CHUNK_BYTES
        yield _TEXT[at : at + CHUNK_BYTES]
