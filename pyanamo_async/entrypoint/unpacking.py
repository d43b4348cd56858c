"""Unpack an archive of scripts into a folder: .tar.gz, .tgz, .tar or .zip, told apart by their content.

1. A compressed tar is decompressed first, to a file and no further than the limit; a cut one fails there.
2. Members are written by `archive.plan`, into new files only; links come last, so that nothing is written through one.
3. Owners, times and special bits of the archive are not taken over; what is executable there is executable here.
"""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from pyanamo_async.entrypoint.archive import ArchiveRefused, Kind, Limits, Member, plan, top_folder

GZIP, ZIP = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")
TAR, TAR_AT = b"ustar", 257
BLOCK_BYTES = 512
CHUNK_BYTES = 1 << 20
HEADER_BYTES = 4 << 20  # the longest that is read at once: a header of a tar says itself how long it is
LINK_BYTES = 4096
DAMAGED = (
    EOFError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    gzip.BadGzipFile,
    NotImplementedError,
    ValueError,
)
KINDS = {
    tarfile.REGTYPE: Kind.FILE,
    tarfile.AREGTYPE: Kind.FILE,
    tarfile.CONTTYPE: Kind.FILE,
    tarfile.GNUTYPE_SPARSE: Kind.FILE,
    tarfile.DIRTYPE: Kind.FOLDER,
    tarfile.SYMTYPE: Kind.SYMLINK,
    tarfile.LNKTYPE: Kind.HARDLINK,
}


def unpack(archive: Path, folder: Path, *, limits: Limits) -> Path:
    """Unpack an archive into a new folder below `folder`, and return its one top folder, or else the new folder.

    Raises:
        ArchiveRefused: it is no archive, is damaged, or holds what is not unpacked; nothing of it is left.
        OSError: the files cannot be written.
    """
    size = archive.stat().st_size
    if size > limits.archive_bytes:
        raise ArchiveRefused(f"it has {size:,} bytes; at most {limits.archive_bytes:,} are unpacked")
    fresh = Path(tempfile.mkdtemp(prefix="pyanamo-scripts-", dir=folder))
    try:
        return fresh / _unpacked(archive, size, fresh, limits)
    except DAMAGED as exc:
        shutil.rmtree(fresh, ignore_errors=True)
        raise ArchiveRefused(f"it is damaged or cut: {exc}") from exc
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def remove(unpacked: Path, folder: Path) -> None:
    """Remove what `unpack` returned for this folder."""
    shutil.rmtree(folder / unpacked.relative_to(folder).parts[0], ignore_errors=True)


def _unpacked(archive: Path, size: int, fresh: Path, limits: Limits) -> str:
    with archive.open("rb") as file:
        head = file.read(BLOCK_BYTES)
    if head.startswith(ZIP):
        return _unzip(archive, size, fresh, limits)
    if head.startswith(GZIP):
        with tempfile.TemporaryFile(dir=fresh.parent) as whole:
            _decompress(archive, whole, limits.unpacked_bytes(size) + limits.members * 4 * BLOCK_BYTES)
            return _untar(whole, size, fresh, limits)
    with archive.open("rb") as file:
        return _untar(file, size, fresh, limits)


def _decompress(archive: Path, into: IO[bytes], most: int) -> None:
    with gzip.open(archive) as compressed:
        while chunk := compressed.read(CHUNK_BYTES):
            into.write(chunk)
            if into.tell() > most:
                raise ArchiveRefused(f"it decompresses to more than {most:,} bytes")


class _ShortReads:
    """A file whose reads are short: a header may claim gigabytes, and `tarfile` would take them into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tell, self.seek = file.tell, file.seek

    def read(self, size: int) -> bytes:
        if size > HEADER_BYTES:
            raise ArchiveRefused(f"a header claims {size:,} bytes")
        return self._file.read(size)


def _untar(file: IO[bytes], size: int, fresh: Path, limits: Limits) -> str:
    file.seek(TAR_AT)
    if file.read(len(TAR)) != TAR:
        raise ArchiveRefused("it is neither .tar.gz, .tgz, .tar nor .zip")
    file.seek(0)
    with tarfile.open(fileobj=cast("IO[bytes]", _ShortReads(file)), mode="r:") as tar:
        infos: list[tarfile.TarInfo] = []
        members = plan(_tar_members(tar, infos), size, limits=limits)
        _check_end(tar, file)
        for member in _made(members, fresh):
            source = tar.extractfile(infos[member.index])
            if source is None:
                raise ArchiveRefused(f"{member.path} has no content")
            _write(fresh, member, source)
    return top_folder(members)


def _tar_members(tar: tarfile.TarFile, infos: list[tarfile.TarInfo]) -> Iterator[Member]:
    for info in tar:
        kind = KINDS.get(info.type, Kind.OTHER)
        size = info.size if kind is Kind.FILE else 0
        infos.append(info)
        yield Member(info.name, kind, len(infos) - 1, size, bool(info.mode & stat.S_IXUSR), info.linkname)


def _check_end(tar: tarfile.TarFile, file: IO[bytes]) -> None:
    """Refuse a tar that does not end with a block of zeros: `tarfile` takes a damaged header for the end, too."""
    file.seek(tar.offset)
    if file.read(BLOCK_BYTES) != bytes(BLOCK_BYTES):
        raise ArchiveRefused("it is damaged or cut: its end is missing")


def _unzip(archive: Path, size: int, fresh: Path, limits: Limits) -> str:
    with zipfile.ZipFile(archive) as packed:
        infos = packed.infolist()
        members = plan(_zip_members(packed, infos), size, limits=limits)
        for member in _made(members, fresh):
            with packed.open(infos[member.index]) as source:
                _write(fresh, member, source)
    return top_folder(members)


def _zip_members(packed: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> Iterator[Member]:
    for number, info in enumerate(infos):
        if info.flag_bits & 1:
            raise ArchiveRefused("it is encrypted")
        mode = info.external_attr >> 16
        kind, target = Kind.FILE, ""
        if info.is_dir():
            kind = Kind.FOLDER
        elif stat.S_ISLNK(mode):
            kind = Kind.SYMLINK
            with packed.open(info) as link:
                target = os.fsdecode(link.read(LINK_BYTES))
        elif stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            kind = Kind.OTHER
        yield Member(info.orig_filename, kind, number, info.file_size, bool(mode & stat.S_IXUSR), target)


def _made(members: list[Member], fresh: Path) -> Iterator[Member]:
    """Make folders and links, and yield the files that lie between them."""
    for member in members:
        place = fresh / member.path
        place.parent.mkdir(parents=True, exist_ok=True)
        match member.kind:
            case Kind.FOLDER:
                place.mkdir(exist_ok=True)
            case Kind.FILE:
                yield member
            case Kind.HARDLINK:
                place.hardlink_to(fresh / member.target)
            case Kind.SYMLINK:
                place.symlink_to(member.target)


def _write(fresh: Path, member: Member, source: IO[bytes]) -> None:
    descriptor = os.open(
        fresh / member.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755 if member.executable else 0o644
    )
    with os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(source, file, CHUNK_BYTES)
        if file.tell() != member.size_bytes:
            raise ArchiveRefused(f"{member.path} is cut")
