"""What a record says about the files of a task: its result files, with the list stored beside them, and checkpoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from pyanamo_async.core.values import Value


class Results(Value):
    """Where the result files of a task are stored, how many there are, and how large they are together."""

    at: str = ""
    files: int = 0
    size_bytes: int = 0


class CheckpointUse(Value):
    """The last checkpoint that an attempt stored, and the one that it began from.

    `stored` and `restored` are the attempt and a number, as in `3/7`. `seconds` and `restored_seconds` are how long the
    script had run for that checkpoint, in all attempts that led to it.
    """

    stored: str = ""
    files: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    restored: str = ""
    restored_seconds: float = 0.0
    made_progress: bool = False


class ResultFile(Value):
    """One result file, with its path in the folder of the script."""

    path: str
    size_bytes: int


def encode_results(files: Iterable[ResultFile]) -> bytes:
    """Return the list of result files as it is stored."""
    return orjson.dumps(
        [{"path": each.path, "bytes": each.size_bytes} for each in files], option=orjson.OPT_APPEND_NEWLINE
    )


def decode_results(content: bytes) -> list[ResultFile]:
    """Return the result files of a stored list.

    Raises:
        ValueError: the content is no list of files, or a path leads out of the folder.
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
