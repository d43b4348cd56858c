"""Sizes as people type and read them: `1000000`, `500k`, `64MiB`, `1GB`, `2T`, `9.8 KB`, `35 MB`."""

from __future__ import annotations

import re

from pyanamo_async.core.text.plural import plural

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
UNITS |= {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
KILOBYTE = 1024
GIB = 1 << 30
ONE_FIGURE = 9.95  # more rounds to two
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,15})?) *([a-z]*)")


def parse_size(text: str) -> int:
    """Return bytes: `K`, `M`, `G` and `T` (or `KiB` and so on) are powers of 1,024, `KB` and so on of 1,000.

    Raises:
        ValueError: the text is not a size.
    """
    found = _SIZE.fullmatch(text.strip().lower())
    unit = found[2].removesuffix("ib") if found else "?"
    if not found or unit not in UNITS or found[2] == "ib":
        raise ValueError(f"'{text}' is not a size like 64MiB, 500MB or 1G")
    return int(float(found[1]) * UNITS[unit])


def show_size(count: int) -> str:
    """Return a number of bytes for people, in two or more figures, by powers of 1,024."""
    amount = float(count)
    if count < KILOBYTE:
        return plural(count, "byte")
    units = iter(("KB", "MB", "GB", "TB"))
    while round(amount) >= KILOBYTE and (larger := next(units, "")):
        amount, unit = amount / KILOBYTE, larger
    return f"{amount:.1f} {unit}" if amount < ONE_FIGURE else f"{amount:.0f} {unit}"
