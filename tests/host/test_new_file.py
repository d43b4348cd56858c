"""What a person names as a file to write: it is written where the name leads, and nothing but a file is replaced."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from pyanamo_async.host.new_file import is_replaced, new_file


def write(path: Path, data: bytes = b"new\n", *, may_wait: bool = True) -> None:
    with new_file(path, may_wait=may_wait) as file:
        file.write(data)


def test_a_new_file_has_the_mode_that_the_umask_permits(tmp_path: Path) -> None:
    """As a file that a shell makes."""
    before = os.umask(0o027)
    try:
        write(tmp_path / "new")
    finally:
        os.umask(before)

    assert (tmp_path / "new").stat().st_mode & 0o7777 == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o646])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    """Who could read the old one can read the new one, and nobody else."""
    path = tmp_path / "old"
    path.write_bytes(b"old")
    path.chmod(mode)
    write(path)

    assert (path.read_bytes(), path.stat().st_mode & 0o7777) == (b"new\n", mode)


def test_a_file_is_as_it_was_until_the_new_one_is_complete(tmp_path: Path) -> None:
    """Whatever fails meanwhile; and nothing is left beside it."""
    path = tmp_path / "old"
    path.write_bytes(b"old")
    seen = []

    def fail() -> None:
        with new_file(path) as file:
            file.write(b"half")
            file.flush()
            seen.append(path.read_bytes())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert seen == [b"old"]
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_a_link(tmp_path: Path, *, exists: bool) -> None:
    """What it leads to is written, whether that exists or not, in another folder, and through another link."""
    real, link, further = tmp_path / "there" / "real", tmp_path / "link", tmp_path / "further"
    real.parent.mkdir()
    if exists:
        real.write_bytes(b"old")
    link.symlink_to("there/real")
    further.symlink_to(link)
    write(further)

    assert (further.readlink(), str(link.readlink())) == (link, "there/real")
    assert (real.read_bytes(), real.is_symlink()) == (b"new\n", False)


def test_a_fifo_is_written_into(tmp_path: Path) -> None:
    """Its reader gets what was written, and it stays a FIFO."""
    path, got = tmp_path / "fifo", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()), daemon=True)
    reader.start()
    write(path)
    reader.join(60)

    assert (got, path.is_fifo(), is_replaced(path)) == ([b"new\n"], True, False)


def test_a_fifo_that_nobody_reads_holds_up_nobody_who_may_not_wait(tmp_path: Path) -> None:
    """It is an error, and it stays a FIFO."""
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="No such device"):
        write(tmp_path / "fifo", may_wait=False)

    assert (tmp_path / "fifo").is_fifo()


def test_a_device_is_written_into(tmp_path: Path) -> None:
    """Also through a link. The device is a terminal: anybody may make one, and it stands where nobody makes files."""
    ours, its = os.openpty()
    link = tmp_path / "terminal"
    link.symlink_to(os.ttyname(its))
    write(link, b"new")

    assert os.read(ours, 100) == b"new"
    assert (link.is_symlink(), link.is_char_device(), is_replaced(link)) == (True, True, False)
    os.close(ours)
    os.close(its)


def test_a_pipe_that_is_open_is_written_into(tmp_path: Path) -> None:
    """By its name below /proc, as bash names the pipes of `>(command)`."""
    ours, its = os.pipe()
    link = tmp_path / "out"
    link.symlink_to(f"/proc/self/fd/{its}")
    write(link)
    os.close(its)

    assert (os.read(ours, 100), link.is_symlink()) == (b"new\n", True)
    os.close(ours)


def test_a_file_that_has_lost_its_name_gets_no_other(tmp_path: Path) -> None:
    """It is written through its name below /proc, and no file is made that is called `... (deleted)`."""
    path = tmp_path / "lost"
    with path.open("w+b") as file:
        path.unlink()
        write(Path(f"/proc/self/fd/{file.fileno()}"))

        assert (file.read(), list(tmp_path.iterdir())) == (b"new\n", [])


def test_what_takes_no_bytes_is_an_error_and_stays(tmp_path: Path) -> None:
    """A folder, and a socket."""
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for name in ("folder", "socket"):
            with pytest.raises(OSError, match=name):
                write(tmp_path / name)

    assert (tmp_path / "socket").is_socket()
    assert (tmp_path / "folder").is_dir()
