"""Shorten a line that tells of a trouble: its cause stands at the end, behind a path that may be long."""

from __future__ import annotations

CUT = "..."


def shorten(line: str, most_bytes: int) -> str:
    """Return a line of at most so many bytes in UTF-8, at least ten; what is too much is left out in the middle."""
    text = line.encode(errors="replace")
    if len(text) <= most_bytes:
        return text.decode()
    end = (most_bytes - len(CUT)) // 2
    begin = most_bytes - len(CUT) - end
    return CUT.join(part.decode(errors="ignore") for part in (text[:begin], text[-end:]))
