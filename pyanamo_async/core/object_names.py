r"""Name the objects of a task, within its place in a bucket or folder.

1. What an attempt leaves has the attempt's number and the item's mark in its name: an attempt whose claim was lost
   writes beside what its successor writes, never over it, and so does an item that is imported again.
2. A file keeps its name, so that other tools find it. Only what a bucket or folder could not hold is written as `=x`
   and two hex digits: control characters, `\`, and a dot at the beginning, which partial files have.
3. No two files share a name.
"""

from __future__ import annotations

import re

CHECKPOINTS = "checkpoint"
RESULTS_DEPTH = 6  # names in the path of a folder of results below its root, with that behind its last slash
_UNSAFE = re.compile(r"^\.|[\x00-\x1f\x7f\\]|=(?=x[0-9A-F]{2})")


def attempt_name(attempt: int, mark: str) -> str:
    """Return the name of an attempt among those at its task; marks that we make are lower-case hex digits."""
    return f"{attempt}-{mark_name(mark)}" if mark else str(attempt)


def mark_name(mark: str) -> str:
    """Return a mark as part of a name."""
    return object_path(mark).replace("/", "=x2F")


def results_folder(attempt: int, mark: str) -> str:
    """Return where the results of an attempt are, relative to their task."""
    return f"{attempt_name(attempt, mark)}/results/"


def results_index(folder: str) -> str:
    """Return where the list of the results is that are in a folder: a path or a location."""
    return f"{folder.rstrip('/')}.json"


def object_path(path: str) -> str:
    """Return the path of a file, relative to its folder, as objects have it."""
    return "/".join(_UNSAFE.sub(lambda found: f"=x{ord(found[0]):02X}", name) for name in path.split("/"))


def is_of(path: str, mark: str) -> bool:
    """Return whether an object, by its path relative to its task, is one of an item with this mark."""
    first, _, rest = path.partition("/")
    if first == CHECKPOINTS:
        return rest.startswith(f"{mark_name(mark)}/")
    name = attempt_name(int(number), mark) if (number := first.partition("-")[0]).isdecimal() else ""
    return first == name and rest.startswith("results")
