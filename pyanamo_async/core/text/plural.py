"""Counts in words."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: `1 item`, `2 items`, `2 crashes`."""
    return f"{count} {noun}{'' if count == 1 else 'es' if noun.endswith('sh') else 's'}"
