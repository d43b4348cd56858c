"""Names of files under way: hidden, beside the name they get when they are whole, and no two alike."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

_HIDDEN = re.compile(r"\.(.+)\.[0-9a-f]{8}")


def hidden(target: Path) -> Path:
    """Make a name for a file until it is whole."""
    return target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")


def find_hidden(folder: Path, *, below: bool) -> Iterator[tuple[Path, Path]]:
    """Find files under way in a folder, and `below` it: each with the name it is to get."""
    for place, folders, files in os.walk(folder):
        for file in files:
            if found := _HIDDEN.fullmatch(file):
                yield Path(place, file), Path(place, found[1])
        if not below:
            folders.clear()
