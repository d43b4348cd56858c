"""The folders that a task may have: for its checkpoints, for its results, and to work in.

1. A task has a folder when its item, the worker's settings or the script's own text ask for it; all others cost
   nothing. What a script's text names is the variable that holds the folder's path.
2. The folder to work in has no variable: it is where the script starts, and `TMPDIR` is in it.
"""

from __future__ import annotations

from enum import StrEnum


class Folder(StrEnum):
    """A folder of a task, by the word that asks for it."""

    CHECKPOINT = "checkpoint"  # what one attempt leaves to the next
    RESULTS = "results"  # stored when the script succeeds
    SCRATCH = "scratch"  # fresh for each attempt, and gone after it


CHECKPOINT_EXIT = 85  # "checkpoint taken, run me again", as in HTCondor
REQUEST_S = 30.0
Folders = frozenset[Folder]
NO_FOLDERS: Folders = frozenset()
PREFIX = "PYANAMO_"
VARIABLES = {Folder.CHECKPOINT: f"{PREFIX}CHECKPOINT", Folder.RESULTS: f"{PREFIX}RESULTS"}


def folders_of(script: str, asked: Folders = NO_FOLDERS) -> Folders:
    """Return the folders of a task: those that were asked for, and those whose variables its script names."""
    if PREFIX not in script:
        return asked
    return asked | {folder for folder, variable in VARIABLES.items() if variable in script}


def parse_folders(text: str) -> Folders:
    """Return the folders written as `checkpoint,results`.

    Raises:
        ValueError: a word is not one of a folder.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if unknown := next((word for word in words if word not in set(Folder)), ""):
        raise ValueError(f"'{unknown[:40]}' is none of {', '.join(Folder)}")
    return frozenset(map(Folder, words))


def show_folders(folders: Folders) -> str:
    """Return folders as `parse_folders` reads them."""
    return ",".join(sorted(folders))


def requested_before_s(last_storing_s: float) -> float:
    """Return how long before the end of the wall time to ask for a checkpoint, given how long storing the last took."""
    return REQUEST_S + 2 * last_storing_s
