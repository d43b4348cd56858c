"""Say how many."""

from __future__ import annotations


def many(count: int, noun: str) -> str:
    """Count things in words, as `1 item` and `2 items`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
