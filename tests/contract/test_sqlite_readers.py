"""Reading needs no write access and no room on the disk, and shows what a running worker has written."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pyanamo_async.errors import StoreError, Unavailable
from pyanamo_async.store.sqlite import SqliteStore
from tests.contract.steps import claim_one
from tests.fakes import NOON, an_item

NOBODY = 65534
SHARED = 0o022  # everybody may read


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody can reach; root may have become `nobody` in the test."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        become(0)
        folder.chmod(0o755)


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[SqliteStore]:
    """A table that everybody may read, with items `a` and `b`."""
    store = SqliteStore(folder / "table.db", umask=SHARED)
    await store.create(shards=1)
    await store.add([an_item("a"), an_item("b")])
    yield store
    await store.close()


def obeyed(folder: Path, *, files: int = 0o444, mode: int = 0o555) -> None:
    """Remove the permission to write, from root too."""
    for file in folder.iterdir():
        file.chmod(files)
    folder.chmod(mode)
    become(NOBODY)


def become(user: int) -> None:
    """Go on as root or nobody, where root runs the tests."""
    if os.getuid() == 0:
        os.seteuid(user)


async def _read(path: Path) -> int:
    reader = SqliteStore(path)
    try:
        assert (await reader.read("a")).item_id == "a"
        assert [each.item_id async for each in reader.items()] == ["a", "b"]
        return (await reader.counts()).total
    finally:
        await reader.close()


async def test_a_table_at_rest_is_read(store: SqliteStore, folder: Path) -> None:
    """Nothing may be written: neither the file nor its folder. Reading leaves nothing behind."""
    await store.close()
    obeyed(folder)

    assert await _read(store.path) == 2
    assert [file.name for file in folder.iterdir()] == ["table.db"]


async def test_a_reader_leaves_no_file_of_its_own(store: SqliteStore, folder: Path) -> None:
    """In a folder that it may write: a log of another user would shut out the workers."""
    await store.close()
    obeyed(folder, mode=0o777)

    assert await _read(store.path) == 2
    assert [file.name for file in folder.iterdir()] == ["table.db"]


async def test_a_reader_sees_what_a_running_worker_wrote(store: SqliteStore, folder: Path) -> None:
    """Its last changes are in its log, which others may read through the index that it keeps."""
    obeyed(folder, files=0o644)

    reader = SqliteStore(store.path)
    assert (await reader.counts()).total == 2
    await store.add([an_item("c")])
    assert (await reader.counts()).total == 3
    await reader.close()


@pytest.mark.parametrize("beside", [["-wal"], ["-wal", "-shm"]], ids=["log", "log and index"])
async def test_a_reader_sees_what_a_killed_worker_left(store: SqliteStore, folder: Path, beside: list[str]) -> None:
    """The changes in its log, also in a copy of it in an archive that nobody can write."""
    archive = folder / "archive"
    archive.mkdir()
    for suffix in ("", *beside):
        shutil.copy(f"{store.path}{suffix}", archive)
    with closing(sqlite3.connect(f"{(archive / 'table.db').as_uri()}?immutable=1", uri=True)) as without:
        assert without.execute("SELECT count(*) FROM items").fetchone() == (0,)  # both are in the log
    obeyed(archive)

    assert await _read(archive / "table.db") == 2
    assert {file.name for file in archive.iterdir()} == {f"table.db{suffix}" for suffix in ("", *beside)}


@pytest.mark.parametrize("room_bytes", [0, 1000])
async def test_a_reader_needs_no_room(store: SqliteStore, folder: Path, room_bytes: int) -> None:
    """On a full disk as a killed worker left it, the log cannot get an index; whoever writes waits for room."""
    copied = folder / "copied"
    copied.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{store.path}{suffix}", copied)
    other = SqliteStore(copied / "table.db")
    with no_room(room_bytes):
        assert await _read(other.path) == 2
        with pytest.raises(Unavailable, match="no space is left for the table"):
            await other.add([an_item("c")])

    await other.add([an_item("c")])
    assert (await other.counts()).total == 3
    await other.close()


@contextmanager
def no_room(room_bytes: int) -> Iterator[None]:
    """Limit the files that this process may write, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_log_that_cannot_be_read_is_said(store: SqliteStore, folder: Path) -> None:
    """Old numbers would be believed."""
    log, index = Path(f"{store.path}-wal"), Path(f"{store.path}-shm")
    log.chmod(0o600)
    index.chmod(0o600)
    folder.chmod(0o555)
    become(NOBODY)

    with pytest.raises(StoreError, match=r"latest changes .* in its log, which cannot be read.*hint: "):
        await _read(store.path)


async def test_a_table_at_rest_may_come_to_life(store: SqliteStore, folder: Path) -> None:
    """A reader without write access learns of what workers write after it began."""
    await store.close()
    reader, worker = SqliteStore(store.path), SqliteStore(store.path)
    obeyed(folder, files=0o644)
    assert (await reader.counts()).total == 2
    with pytest.raises(StoreError, match="cannot be opened or written"):
        await reader.claim("w1", limit=1, now=NOON)

    become(0)
    folder.chmod(0o755)
    assert (await claim_one(worker)).item_id == "a"
    await worker.add([an_item("c")])
    become(NOBODY)

    assert (await reader.counts()).total == 3
    await reader.close()
    become(0)
    await worker.close()
