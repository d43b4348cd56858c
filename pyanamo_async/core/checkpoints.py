"""The rules of checkpoints: what a manifest says, which one an attempt restores, and what may be removed.

A checkpoint is a manifest and the packs it refers to, at `checkpoint/<mark>/<attempt>/<sequence>/`.

1. The manifest is written last: where one stands, the checkpoint is whole. The greatest name is the latest, because
   attempts and sequences only grow; an attempt restores the greatest below its own number, and so is fenced from what
   an older attempt writes later. The order of names is all there is: no checkpoint costs a write to the table.
2. A manifest refers only to packs of its own attempt. The first pack is whole; later ones have the files that changed.
3. An attempt removes what older attempts stored only when a manifest of its own stands, and never what newer ones did.
4. What a manifest says is not believed: one that is damaged, or leads out of the folder, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from pyanamo_async.core.object_names import CHECKPOINTS, mark_name
from pyanamo_async.core.values import Value

FORMAT = 1
DIGEST_BYTES = 16
MANIFEST, PACK = "manifest", "pack"
PARTS = 3  # of a path below the mark: attempt, sequence, and what it is


class Entry(Value):
    """A file, a folder, or a link with its `target`; of a file with content, where in which pack that is."""

    path: str
    mode: int
    is_folder: bool = False
    target: str = ""
    size_bytes: int = 0
    mtime_ns: int = 0
    digest: str = ""
    pack: int = 0
    offset: int = 0

    @property
    def content(self) -> tuple[str, bool, str, int, str]:
        """Return what makes it the same as another, whenever that was written."""
        return self.path, self.is_folder, self.target, self.size_bytes, self.digest


class Manifest(Value):
    """A checkpoint: what was in the folder when the script had run for `seconds`, in all attempts that led to it."""

    entries: tuple[Entry, ...]
    seconds: float = 0.0

    @property
    def size_bytes(self) -> int:
        """Return the size of all files."""
        return sum(each.size_bytes for each in self.entries)

    @property
    def files(self) -> int:
        """Return how many there are, links included."""
        return sum(not each.is_folder for each in self.entries)

    @property
    def packs(self) -> frozenset[int]:
        """Return the packs that it refers to."""
        return frozenset(each.pack for each in self.entries if each.size_bytes)

    def is_like(self, other: Manifest | None) -> bool:
        """Return whether another has the same content."""
        return other is not None and [each.content for each in self.entries] == [each.content for each in other.entries]


class Position(NamedTuple):
    """The place of a checkpoint among those of its task; the greatest is the latest."""

    attempt: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.attempt}/{self.sequence}"


def folder_of(mark: str) -> str:
    """Return where the checkpoints of a task are, relative to it."""
    return f"{CHECKPOINTS}/{mark_name(mark)}/"


def newest(paths: Iterable[str], *, before: int, since: int = 0) -> Position | None:
    """Return the latest whole checkpoint below attempt `before`, and not below `since`; paths are below the mark."""
    found = (position for position, what in _parsed(paths) if what == MANIFEST)
    return max((each for each in found if since <= each.attempt < before), default=None)


def outdated(paths: Iterable[str], position: Position, packs: frozenset[int]) -> list[str]:
    """Return the paths of what the checkpoint at a position, whose manifest stands, makes superfluous."""
    return [
        f"{each}/{what}"
        for each, what in _parsed(paths)
        if each.attempt < position.attempt
        or (
            (each.attempt == position.attempt and each.sequence < position.sequence)
            and (what == MANIFEST or each.sequence not in packs)
        )
    ]


def _parsed(paths: Iterable[str]) -> Iterable[tuple[Position, str]]:
    for path in paths:
        parts = path.split("/")
        if len(parts) == PARTS and parts[0].isdecimal() and parts[1].isdecimal() and parts[2] in {MANIFEST, PACK}:
            yield Position(int(parts[0]), int(parts[1])), parts[2]


def encode_manifest(manifest: Manifest) -> bytes:
    """Return a manifest as it is stored: its checksum in the first line, then JSON."""
    entries = [
        [e.path, e.mode, e.is_folder, e.target, e.size_bytes, e.mtime_ns, e.digest, e.pack, e.offset]
        for e in manifest.entries
    ]
    content = orjson.dumps({"format": FORMAT, "seconds": manifest.seconds, "entries": entries})
    return digest_of(content).encode() + b"\n" + content


def decode_manifest(stored: bytes) -> Manifest:
    """Return the manifest of what is stored.

    Raises:
        ValueError: it is damaged, or no manifest of ours.
    """
    checksum, _, content = stored.partition(b"\n")
    if checksum != digest_of(content).encode():
        raise ValueError("the manifest is damaged")
    try:
        read: Mapping[str, Any] = orjson.loads(content)
        if read["format"] != FORMAT:
            raise ValueError(f"the manifest is of format {read['format']}")
        entries = tuple(Entry(*each) for each in read["entries"])
        _check_paths(entries)
        return Manifest(entries, float(read["seconds"]))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("the manifest is not one of ours") from error


def _check_paths(entries: Iterable[Entry]) -> None:
    """Raise `ValueError` unless each path is in the folder, below folders of the manifest."""
    kinds: dict[str, bool] = {"": True}
    for entry in entries:
        parent, slash, name = entry.path.rpartition("/")
        is_odd = bool(slash) != bool(parent) or name in ("", ".", "..") or "\0" in entry.path
        if is_odd or entry.path in kinds or not kinds.get(parent, False):
            raise ValueError(f"'{entry.path}' is no path in a folder")
        kinds[entry.path] = entry.is_folder


def digest_of(content: bytes) -> str:
    """Return the checksum of some bytes."""
    return blake2b(content, digest_size=DIGEST_BYTES).hexdigest()
