"""What a record says of files that a task left: its results, with the list stored beside them, and checkpoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from pyanamo_async.core.values import Value


class Results(Value):
    """What a record says of them: the location below which they are, how many, and of what size together."""

    at: str = ""
    files: int = 0
    size_bytes: int = 0


class CheckpointUse(Value):
    """What a record says of checkpoints: the last that was stored, and the one restored.

    `stored` and `restored` are the attempt and a number, as in `3/7`. Seconds are those that the script had run for it,
    in all attempts that led to it.
    """

    stored: str = ""
    files: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    restored: str = ""
    restored_seconds: float = 0.0
    made_progress: bool = False


class ResultFile(Value):
    """One of them, with its path as the script had it."""

    path: str
    size_bytes: int


def encode_results(files: Iterable[ResultFile]) -> bytes:
    """Return the list as it is stored."""
    return orjson.dumps(
        [{"path": each.path, "bytes": each.size_bytes} for each in files], option=orjson.OPT_APPEND_NEWLINE
    )


def decode_results(content: bytes) -> list[ResultFile]:
    """Return the files of a stored list.

    Raises:
        ValueError: it is none, or a path leads out of the folder.
    """
    files = [ResultFile(str(each["path"]), int(each["bytes"])) for each in _objects(orjson.loads(content))]
    for each in files:
        if any(part in ("", ".", "..") for part in each.path.split("/")) or "\0" in each.path:
            raise ValueError(f"'{each.path}' is no path in a folder")
    return files


def _objects(listed: object) -> list[dict[str, Any]]:
    if not isinstance(listed, list) or not all(
        isinstance(each, dict) and {"path", "bytes"} <= set(each) for each in listed
    ):
        raise ValueError("it is no list of files")
    return listed
