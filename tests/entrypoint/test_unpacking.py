"""Real archives, most of them hostile: what is refused leaves nothing behind, inside or outside."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pyanamo_async.entrypoint.archive import ArchiveRefused, Limits
from pyanamo_async.entrypoint.unpacking import unpack

LIMITS = Limits()
MB = 1 << 20
ESCAPED = "/tmp/pyanamo-escaped"  # noqa: S108


def tar_of(*members: tuple[str, bytes, bytes, str], mode: str = "w:gz") -> bytes:
    """Pack members of a name, a type, a content, and a target."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as tar:  # type: ignore[call-overload]
        for name, kind, content, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size, info.mode = kind, target, len(content), 0o4777
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def zip_of(*members: tuple[str, int, bytes]) -> bytes:
    """Pack members of a name, a mode, and a content."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, mode, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return packed.getvalue()


def a_file(name: str = "p/a.sh", content: bytes = b"echo a\n") -> tuple[str, bytes, bytes, str]:
    return name, tarfile.REGTYPE, content, ""


def claiming(size: int) -> bytes:
    """Pack a header that claims to be so long."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, size
    return info.tobuf(tarfile.USTAR_FORMAT) + bytes(10_240)


def many_files(number: int) -> bytes:
    """Pack empty files; their headers differ in the digits of the name, and in the checksum by those."""
    first = tarfile.TarInfo("p/000000").tobuf(tarfile.USTAR_FORMAT)
    checksum = int(first[148:154], 8)
    digits = (f"{each:06}" for each in range(number))
    headers = (
        first.replace(b"000000", each.encode(), 1)[:148] + b"%06o" % (checksum + sum(map(int, each))) + first[154:]
        for each in digits
    )
    return b"".join(headers) + bytes(10_240)


def damaged_midway() -> bytes:
    plain = bytearray(tar_of(a_file(), a_file("p/b.sh"), mode="w:"))
    plain[1024:1100] = b"x" * 76
    return bytes(plain)


def wrong_crc() -> bytes:
    packed = bytearray(zip_of(("a", 0o644, os.urandom(200))))
    packed[100] ^= 255
    return bytes(packed)


def encrypted() -> bytes:
    packed = bytearray(zip_of(("a", 0o644, b"a")))
    packed[6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "tar, absolute": (lambda: tar_of(a_file(ESCAPED)), "absolute"),
    "tar, ..": (lambda: tar_of(a_file("p/../../escaped")), r"'\.\.'"),
    "tar, link out": (lambda: tar_of(("p/l", tarfile.SYMTYPE, b"", "../../escaped")), "outside"),
    "tar, through a link": (
        lambda: tar_of(("p", tarfile.SYMTYPE, b"", "."), a_file("p/../escaped")),
        r"'\.\.'",
    ),
    "tar, file over a link": (
        lambda: tar_of(("p/l", tarfile.SYMTYPE, b"", "x"), a_file("p/l")),
        "twice",
    ),
    "tar, hard link out": (lambda: tar_of(("p/l", tarfile.LNKTYPE, b"", "/etc/passwd")), "absolute"),
    "tar, device": (lambda: tar_of(("p/d", tarfile.CHRTYPE, b"", "")), "device"),
    "tar, pipe": (lambda: tar_of(("p/d", tarfile.FIFOTYPE, b"", "")), "device"),
    "tar, bomb": (lambda: tar_of(a_file(content=bytes(70 * MB))), "more than"),
    "tar, 100,000 files": (lambda: many_files(100_000), "20,000 members"),
    "tar, header of 5 GB": (lambda: claiming(5_000 * MB), "claims"),
    "gzip, bomb": (lambda: gzip.compress(bytes(108 * MB)), "decompresses to more"),
    "tar, cut": (lambda: tar_of(a_file(content=os.urandom(5000)))[:-2000], "damaged or cut"),
    "tar, uncompressed, cut": (lambda: tar_of(a_file(), a_file("p/b"), mode="w:")[:1024], "end is missing"),
    "tar, damaged": (damaged_midway, "end is missing"),
    "no archive": (lambda: b"#!/bin/sh\n", "neither"),
    "empty": (lambda: b"", "neither"),
    "gzip of no tar": (lambda: gzip.compress(b"hello"), "neither"),
    "zip, absolute": (lambda: zip_of((ESCAPED, 0o644, b"x")), "absolute"),
    "zip, ..": (lambda: zip_of(("p/../../escaped", 0o644, b"x")), r"'\.\.'"),
    "zip, link out": (lambda: zip_of(("p/l", 0o120777, b"../../escaped")), "outside"),
    "zip, device": (lambda: zip_of(("p/d", 0o020666, b"")), "device"),
    "zip, bomb": (lambda: zip_of(("p/a", 0o644, bytes(70 * MB))), "more than"),
    "zip, cut": (lambda: zip_of(("p/a", 0o644, os.urandom(5000)))[:-30], "damaged or cut"),
    "zip, damaged": (wrong_crc, "damaged or cut"),
    "zip, encrypted": (encrypted, "encrypted"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused(tmp_path: Path, name: str) -> None:
    """With the reason; nothing is left of it, and nothing is written elsewhere."""
    make, why = HOSTILE[name]
    (tmp_path / "archive").write_bytes(make())
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)

    with pytest.raises(ArchiveRefused, match=why):
        unpack(tmp_path / "archive", folder, limits=LIMITS)

    assert [str(each.relative_to(tmp_path)) for each in sorted(tmp_path.rglob("*"))] == [
        "archive",
        "deep",
        "deep/folder",
    ]
    assert not Path(ESCAPED).exists()


def test_an_archive_that_is_too_large_is_not_opened(tmp_path: Path) -> None:
    """Whatever it is."""
    (tmp_path / "archive").write_bytes(b"x" * 100)
    with pytest.raises(ArchiveRefused, match="100 bytes"):
        unpack(tmp_path / "archive", tmp_path, limits=Limits(archive_bytes=99))


@pytest.mark.parametrize("mode", ["w:gz", "w:"])
def test_a_tar_is_unpacked(tmp_path: Path, mode: str) -> None:
    """What is executable stays so, without special bits; links lead where they led."""
    members = [
        ("./", tarfile.DIRTYPE, b"", ""),
        a_file("./p/a.sh"),
        ("./p/l", tarfile.SYMTYPE, b"", "a.sh"),
        ("./p/h", tarfile.LNKTYPE, b"", "./p/a.sh"),
    ]
    (tmp_path / "archive").write_bytes(tar_of(*members, mode=mode))

    found = unpack(tmp_path / "archive", tmp_path, limits=LIMITS)

    assert found.name == "p"
    assert {each.name: each.read_text() for each in found.iterdir()} == dict.fromkeys(["a.sh", "l", "h"], "echo a\n")
    assert (found / "a.sh").stat().st_mode & 0o7777 & ~0o022 == 0o755
    assert str((found / "l").readlink()) == "a.sh"


def test_a_zip_is_unpacked(tmp_path: Path) -> None:
    """With its modes and links; without one folder at the top, the pipeline is the fresh folder."""
    packed = zip_of(
        ("a.sh", 0o100755, b"echo a\n"), ("d/b", 0o100644, b"b"), ("l", 0o120777, b"d/b"), ("e/", 0o040755, b"")
    )
    (tmp_path / "archive").write_bytes(packed)

    found = unpack(tmp_path / "archive", tmp_path, limits=LIMITS)

    assert found.name.startswith("pyanamo-scripts-")
    assert sorted(each.name for each in found.iterdir()) == ["a.sh", "d", "e", "l"]
    assert os.access(found / "a.sh", os.X_OK)
    assert not os.access(found / "d/b", os.X_OK) or not (found / "d/b").stat().st_mode & 0o111
    assert (found / "l").read_text() == "b"


def test_a_sparse_file_counts_as_long_as_it_becomes(tmp_path: Path) -> None:
    """It takes a few bytes in the archive, and writes all of them."""
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(100 * MB)
    if os.system(f"cd {tmp_path} && tar czSf archive sparse 2>/dev/null"):
        pytest.skip("needs GNU tar")

    with pytest.raises(ArchiveRefused, match="more than"):
        unpack(tmp_path / "archive", tmp_path, limits=LIMITS)
