"""Say how many."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """Count things in words, as `1 item`, `2 items` and `2 crashes`."""
    return f"{count} {noun}{'' if count == 1 else 'es' if noun.endswith('sh') else 's'}"
