"""Folders in which attempts work: each new, all removed, whatever became of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pyanamo_async.errors import OutputError
from pyanamo_async.host.folder_files import FileChanged, FoundFile, find_files, read_file, stays_inside
from pyanamo_async.host.working_folders import WorkingFolders, fastest_disk, remove_folder


def test_each_folder_is_new_and_ones_own(tmp_path: Path) -> None:
    """No two attempts share one, and nobody else can look into it."""
    folders = WorkingFolders(tmp_path)
    one, two = folders.make("results"), folders.make("results")

    assert one != two
    assert [each.name for each in one.iterdir()] == ["results"]
    assert one.stat().st_mode & 0o077 == 0
    folders.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """And nothing of one that lives, or of another program."""
    code = f"""
from pathlib import Path
from pyanamo_async.host.working_folders import WorkingFolders
print((folders := WorkingFolders(Path({str(tmp_path)!r}))).make("scratch"), flush=True)
input()
"""
    other = tmp_path / "pyanamo-other"
    other.mkdir()
    living = WorkingFolders(tmp_path)
    kept = living.make()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert process.stdout is not None
    left = Path(process.stdout.readline().strip())
    assert left.is_dir()
    WorkingFolders(tmp_path).make()
    assert left.is_dir()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    WorkingFolders(tmp_path).make()

    assert not left.parent.exists()
    assert kept.is_dir()
    assert other.is_dir()


def test_closed_folders_and_links_are_removed(tmp_path: Path) -> None:
    """Missing permissions keep nothing, and what a link leads to stays."""
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    (outside / "kept").mkdir(parents=True)
    closed = folder / "deep" / "closed"
    closed.mkdir(parents=True)
    (closed / "file").write_text("x")
    (folder / "link").symlink_to(outside)
    closed.chmod(0)
    (folder / "deep").chmod(0o500)
    remove_folder(folder)

    assert not folder.exists()
    assert (outside / "kept").is_dir()


def test_the_named_disk_comes_first(tmp_path: Path) -> None:
    """TMPDIR is what schedulers set to a machine's own disk; one that is no folder is passed over."""
    (tmp_path / "file").touch()
    assert fastest_disk({"TMPDIR": str(tmp_path)}) == tmp_path
    for odd in ("not", "file"):
        assert fastest_disk({"TMPDIR": str(tmp_path / odd)}, (str(tmp_path),)) == tmp_path


def test_files_folders_and_links_inside_are_found(tmp_path: Path) -> None:
    """Parents come before their children."""
    (tmp_path / "b" / "empty").mkdir(parents=True)
    (tmp_path / "b" / "file").write_text("123")
    (tmp_path / "a").symlink_to("b/file")

    assert [(each.path, each.is_folder, each.target, each.size_bytes) for each in find_files(tmp_path)] == [
        ("a", False, "b/file", 0),
        ("b", True, "", 0),
        ("b/empty", True, "", 0),
        ("b/file", False, "", 3),
    ]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "'x' is a pipe"),
        (lambda path: path.symlink_to("/etc/passwd"), "'x' is a link that leads out of the folder"),
        (lambda path: path.symlink_to("../../etc"), "'x' is a link that leads out of the folder"),
        (lambda path: Path(os.fsdecode(os.fsencode(path) + b"\xff")).touch(), r"the name 'x\\udcff' is not UTF-8"),
    ],
)
def test_what_is_no_file_is_named(tmp_path: Path, make: object, said: str) -> None:
    """Nothing is left out in silence, and nothing is waited for."""
    make(tmp_path / "x")  # type: ignore[operator]
    with pytest.raises(OutputError) as caught:
        find_files(tmp_path)

    assert caught.value.what == said.replace("\\\\", "\\")


@pytest.mark.parametrize("change", [b"more bytes", b"123", None])
async def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path, change: bytes | None) -> None:
    """Also when its size stays the same, or when it goes."""
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    [found] = find_files(tmp_path)
    if change is None:
        file.unlink()
    else:
        file.write_bytes(change)
        os.utime(file, ns=(1, found.mtime_ns + 1))

    with pytest.raises(FileChanged):
        await content(tmp_path, found)


async def test_a_replaced_file_is_another(tmp_path: Path) -> None:
    """Even with the same size and time."""
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    [found] = find_files(tmp_path)
    (tmp_path / "new").write_bytes(b"xyz")
    os.utime(tmp_path / "new", ns=(found.mtime_ns, found.mtime_ns))
    (tmp_path / "new").replace(file)

    with pytest.raises(FileChanged):
        await content(tmp_path, found)


async def content(folder: Path, found: FoundFile) -> bytes:
    return b"".join([chunk async for chunk in read_file(folder, found)])


@pytest.mark.parametrize(
    ("path", "target", "inside"),
    [
        ("last", "state-5", True),
        ("a/last", "../b/state", True),
        ("a/b/last", "../../x", True),
        ("a", "..", False),
        ("a/x", "../../y", False),
        ("a", "/x", False),
        ("a", "b/../../c", False),
        ("a", "", False),
    ],
)
def test_links_stay_inside_or_lead_out(path: str, target: str, inside: bool) -> None:
    """As their names tell."""
    assert stays_inside(path, target) is inside
