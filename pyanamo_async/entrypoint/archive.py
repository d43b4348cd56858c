"""Decide whether an archive of scripts may be unpacked, from the list of its members alone.

1. Nothing may end up outside the folder: no absolute path, no `..`, no path through a link, no link that leads out.
2. Only files, folders and links are made; no device, no pipe.
3. What it unpacks to is limited in number and in size, also measured by the size of the archive.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from enum import StrEnum

from pyanamo_async.core.text.visible import one_line
from pyanamo_async.core.values import Value
from pyanamo_async.errors import PyanamoError

LONGEST_PATH = 1024
LONGEST_SHOWN = 80
JUNK = {"__MACOSX", ".DS_Store"}  # what macOS adds beside what one packs, with files called `._NAME`


class ArchiveRefused(PyanamoError):
    """The archive is none, is damaged, or holds what is not unpacked."""


class Kind(StrEnum):
    """What a member of an archive is."""

    FILE = "file"
    FOLDER = "folder"
    SYMLINK = "symbolic link"
    HARDLINK = "hard link"
    OTHER = "device or pipe"


class Member(Value):
    """A member of an archive as it calls itself; `index` is its place there, `target` what a link leads to."""

    path: str
    kind: Kind
    index: int = 0
    size_bytes: int = 0
    executable: bool = False
    target: str = ""


class Limits(Value):
    """How much an archive may unpack to: so many members, and so many bytes.

    Up to `small_bytes` are always right; above that, at most `ratio` times the size of the archive.
    """

    members: int = 20_000
    archive_bytes: int = 1 << 30
    total_bytes: int = 8 << 30
    small_bytes: int = 64 << 20
    ratio: int = 100

    def unpacked_bytes(self, archive_bytes: int) -> int:
        """Return how much an archive of this size may unpack to."""
        return min(self.total_bytes, max(self.small_bytes, self.ratio * archive_bytes))


def plan(members: Iterable[Member], archive_bytes: int, *, limits: Limits) -> list[Member]:
    """Return what to make, in an order in which it can be made: folders, files, and then links.

    Reads no further in `members` than to the first that is refused.

    Raises:
        ArchiveRefused: a member, or all of them together, must not be unpacked.
    """
    chosen: dict[str, Member] = {}
    total, most = 0, limits.unpacked_bytes(archive_bytes)
    for number, member in enumerate(members, 1):
        if number > limits.members:
            raise ArchiveRefused(f"it has more than {limits.members:,} members")
        total += max(0, member.size_bytes)
        if total > most:
            raise ArchiveRefused(f"it unpacks to more than {most:,} bytes, from {archive_bytes:,}")
        checked = _checked(member)
        if not checked.path:
            continue  # the folder itself
        known = chosen.setdefault(checked.path, checked)
        if known is not checked and not known.kind == checked.kind == Kind.FOLDER:
            raise ArchiveRefused(f"it has {_shown(checked.path)} twice")
    _check_parents(chosen)
    _check_hardlinks(chosen)
    order = [Kind.FOLDER, Kind.FILE, Kind.HARDLINK, Kind.SYMLINK]
    return sorted(chosen.values(), key=lambda each: (order.index(each.kind), each.path))


def top_folder(members: Sequence[Member]) -> str:
    """Return the one folder that holds everything; empty when there is no such folder."""
    tops = {member.path.split("/")[0] for member in members}
    tops = {top for top in tops if top not in JUNK and not top.startswith("._")}
    [top] = tops if len(tops) == 1 else [""]
    is_folder = any(each.path.startswith(f"{top}/") or (each.path, each.kind) == (top, Kind.FOLDER) for each in members)
    return top if is_folder else ""


def _checked(member: Member) -> Member:
    """Return a member with its path without `.` and doubled slashes; refuse what is unsafe by itself."""
    path = _inside(member.path, "a path")
    if not path and member.kind is not Kind.FOLDER:
        raise ArchiveRefused(f"a {member.kind} has no name")
    match member.kind:
        case Kind.OTHER:
            raise ArchiveRefused(f"{_shown(path)} is a {member.kind}")
        case Kind.HARDLINK:
            return _with(member, path, _inside(member.target, f"{_shown(path)}, a link,"))
        case Kind.SYMLINK:
            _check_symlink(path, member.target)
    return _with(member, path, member.target)


def _with(member: Member, path: str, target: str) -> Member:
    return Member(path, member.kind, member.index, member.size_bytes, member.executable, target)


def _inside(path: str, what: str) -> str:
    if "\0" in path or len(path) > LONGEST_PATH:
        raise ArchiveRefused(f"{what} has a NUL byte or more than {LONGEST_PATH:,} characters")
    if path.startswith("/"):
        raise ArchiveRefused(f"{what} is absolute: {_shown(path)}")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise ArchiveRefused(f"{what} leads through '..': {_shown(path)}")
    return "/".join(parts)


def _check_symlink(path: str, target: str) -> None:
    """Refuse a link that leads out.

    After a name, `..` is refused wherever it leads: the name may be a link, and what is above it be outside.
    """
    parts = [part for part in target.split("/") if part not in {"", "."}]
    up = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    too_far = up > path.count("/") or ".." in parts[up:]
    if not target or "\0" in target or len(target) > LONGEST_PATH or target.startswith("/") or too_far:
        raise ArchiveRefused(f"{_shown(path)} is a link that leads, or may lead, outside: {_shown(target)}")


def _check_parents(chosen: dict[str, Member]) -> None:
    """Refuse members below what is no folder: a link there would lead them elsewhere."""
    for path in chosen:
        parent = posixpath.dirname(path)
        while parent:
            if parent in chosen and chosen[parent].kind is not Kind.FOLDER:
                raise ArchiveRefused(f"{_shown(path)} lies below {_shown(parent)}, a {chosen[parent].kind}")
            parent = posixpath.dirname(parent)


def _check_hardlinks(chosen: dict[str, Member]) -> None:
    for path, member in chosen.items():
        found = chosen.get(member.target)
        if member.kind is Kind.HARDLINK and (found is None or found.kind is not Kind.FILE):
            raise ArchiveRefused(f"{_shown(path)} is a hard link to no file of the archive: {_shown(member.target)}")


def _shown(path: str) -> str:
    """Return a path as one may print it: short, and visible."""
    return one_line(path if len(path) <= LONGEST_SHOWN else f"{path[:LONGEST_SHOWN]}...")
