"""What can go wrong with the file of a table, and the errors that say so."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pyanamo_async.errors import SchemaMismatch, StoreError, TableMissing, Unavailable, UsageError
from pyanamo_async.ports import Creation
from pyanamo_async.store.sqlite import SqliteStore
from tests.contract.steps import a_worker, claim_one, settled
from tests.contract.test_sqlite import store
from tests.fakes import NOON, an_item

__all__ = ["store"]  # a fixture

NOBODY = 65534


async def test_a_lock_that_stays_is_named(store: SqliteStore) -> None:
    """The call ends after the busy timeout, says which file is locked, and may be repeated; reading goes on."""
    await store.add([an_item("a")])
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match=rf"{store.path} is locked.*hint: "):
            await store.claim("w1", limit=1, now=NOON)
        assert (await store.counts()).total == 1
        other.execute("COMMIT")

    assert (await claim_one(store)).attempt == 1


@pytest.mark.parametrize("content", [b"not a database\n" * 300, b"x"], ids=["text", "one byte"])
async def test_a_file_that_is_not_a_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """It is neither read as a table, nor made into one, nor deleted."""
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    store = SqliteStore(path)

    for call in (store.counts, lambda: store.create(shards=1), store.drop):
        with pytest.raises(SchemaMismatch, match=r"notes\.txt.*hint: "):
            await call()
    assert path.read_bytes() == content
    await store.close()


async def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """Ours are marked; nothing is ever written into another's, or deleted."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    store = SqliteStore(path)

    for call in (store.counts, lambda: store.create(shards=1), store.drop):
        with pytest.raises(SchemaMismatch, match="another program"):
            await call()
    assert path.exists()
    await store.close()


@pytest.mark.parametrize("version", [1, 99])
async def test_another_schema_version_is_named(store: SqliteStore, version: int) -> None:
    """A table of an older or a later pyanamo is left alone, and the error says what to do."""
    await store.close()
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    other = SqliteStore(store.path)

    for call in (other.counts, lambda: other.create(shards=1), other.drop):
        with pytest.raises(SchemaMismatch, match=rf"{store.path} has schema version {version}, .* version 8.*hint: "):
            await call()
    assert store.path.exists()
    await other.close()


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM description",
        "INSERT INTO description SELECT * FROM description",
        "DROP TABLE description",
        "UPDATE description SET Shards = 0",
        "UPDATE description SET Created = 'long ago'",
        "UPDATE description SET Mark = '../../other'",
        "UPDATE description SET Mark = CAST(x'ff' AS TEXT)",
    ],
)
async def test_a_description_of_another_hand_is_refused(store: SqliteStore, damage: str) -> None:
    """Its mark is part of the paths of outputs."""
    await store.describe()
    with closing(sqlite3.connect(store.path)) as other:
        other.execute(damage)
        other.commit()

    with pytest.raises(SchemaMismatch, match=r"description is not as pyanamo wrote it.*hint: "):
        await store.describe()


async def test_an_empty_file_is_not_a_table_yet(tmp_path: Path) -> None:
    """It is missing until it is created in that place."""
    path = tmp_path / "table.db"
    path.touch()
    store = SqliteStore(path)
    with pytest.raises(TableMissing, match="pyanamo import"):
        await store.counts()

    assert await store.create(shards=1) is Creation.CREATED
    assert (await store.counts()).total == 0
    await store.close()


async def test_using_a_missing_table_creates_nothing(tmp_path: Path) -> None:
    """A mistyped name leaves no empty file."""
    store = SqliteStore(tmp_path / "table.db")
    with pytest.raises(TableMissing):
        await store.claim("w1", limit=1, now=NOON)

    assert list(tmp_path.iterdir()) == []
    await store.close()


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """Folders are made by people."""
    store = SqliteStore(tmp_path / "absent" / "table.db")
    with pytest.raises(StoreError, match=r"no folder .*absent.*hint: "):
        await store.create(shards=1)

    assert list(tmp_path.iterdir()) == []
    await store.close()


async def test_a_folder_is_not_a_table(tmp_path: Path) -> None:
    """Nor can it become one."""
    store = SqliteStore(tmp_path)
    for call in (store.counts, lambda: store.create(shards=1), store.drop):
        with pytest.raises(StoreError, match=r"cannot be opened.*hint: "):
            await call()
    await store.close()


async def test_a_folder_that_cannot_be_written_is_named() -> None:
    """Creating and claiming say what must be writable."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.db"
        store = SqliteStore(path)
        await store.create(shards=1)
        await store.add([an_item("a")])
        await store.close()
        with _read_only(Path(folder)):
            for call in (_claim_from(path), _create(Path(folder) / "other.db")):
                with pytest.raises(StoreError, match=r"cannot be opened or written.*hint: the file and its folder"):
                    await call


async def test_a_full_disk_is_waited_for(store: SqliteStore) -> None:
    """What could not be written was not written; once there is room the same call succeeds."""
    await store.add([an_item("small")])
    large = an_item("large", script="x" * 300_000)
    with _no_file_larger_than(200_000):
        with pytest.raises(Unavailable, match=rf"{store.path}.*hint: "):
            await store.add([large])
        assert await store.existing(["small", "large"]) == {"small"}

    await store.add([large])
    assert large == await store.read("large")


async def test_text_that_is_not_unicode_is_refused(store: SqliteStore) -> None:
    """A lone surrogate, as Python makes of undecodable arguments, fails its own call and no other."""
    bad = an_item("bad", script="\udcff")
    outcomes = await asyncio.gather(
        store.add([an_item("a")]), store.add([bad]), store.read("\udcff"), store.add([an_item("b")]),
        return_exceptions=True,
    )  # fmt: skip

    assert [type(outcome) for outcome in outcomes] == [list, StoreError, StoreError, list]
    assert await store.existing(["a", "bad", "b"]) == {"a", "b"}


async def test_dropping_leaves_nothing(store: SqliteStore, tmp_path: Path) -> None:
    """Not the log beside the file either, also while another has it open."""
    other = SqliteStore(store.path)
    await other.add([an_item("a")])

    await store.drop()

    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TableMissing):
        await other.counts()
    await other.close()
    assert list(tmp_path.iterdir()) == []


async def test_further_indexes_are_refused(tmp_path: Path) -> None:
    """They are DynamoDB's."""
    with pytest.raises(UsageError, match="indexes"):
        await SqliteStore(tmp_path / "table.db").create(shards=1, indexes=[{"IndexName": "x"}])


async def test_a_closed_store_says_so(store: SqliteStore) -> None:
    """It does not open its file again."""
    claimed = await store.add([an_item("a")])
    await store.close()

    assert claimed
    with pytest.raises(StoreError, match="closed"):
        await store.save(an_item("a"), settled(an_item("a")))


async def _claim_from(path: Path) -> None:
    store = SqliteStore(path)
    try:
        await store.claim("w1", limit=1, now=NOON)
    finally:
        await store.close()


async def _create(path: Path) -> None:
    store = SqliteStore(path)
    try:
        await store.create(shards=1)
    finally:
        await store.close()


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """Remove the permission to write; root becomes `nobody` meanwhile."""
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


@contextmanager
def _no_file_larger_than(size_bytes: int) -> Iterator[None]:
    """Let writes beyond a size fail, as they do on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_no_two_tables_share_an_output_namespace(tmp_path: Path) -> None:
    """Neither files of one name in two folders, nor names that differ in the suffix, nor a table created again."""
    names = set()
    for path in ("1/same.db", "2/same.db", "2/same.sqlite", "2/same.db"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        store = SqliteStore(tmp_path / path)
        if await store.create(shards=1) is Creation.FOUND:
            await store.drop()
            await store.create(shards=1)
        names.add((await store.describe()).output_namespace)
        assert (await store.describe()).output_namespace in names
        await store.close()

    assert len(names) == 4
    assert all(name.startswith("same-") for name in names)


async def test_foreign_columns_and_indexes_are_harmless(store: SqliteStore) -> None:
    """Users may add some to the file."""
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("ALTER TABLE workers ADD COLUMN Remark TEXT")
        other.execute("CREATE INDEX Mine ON workers (Remark)")
    registered = SqliteStore(store.path)
    await registered.heartbeat(a_worker("w"))

    assert len(await registered.workers()) == 1
    await registered.close()


@pytest.mark.parametrize("foreign", [
    "CREATE TRIGGER theirs AFTER UPDATE ON items BEGIN DELETE FROM items; END",
    "CREATE VIEW theirs AS SELECT * FROM items",
])  # fmt: skip
async def test_triggers_and_views_of_others_are_refused(store: SqliteStore, foreign: str) -> None:
    """They would run with our statements: such a file is neither read, nor changed, nor deleted."""
    await store.close()
    with closing(sqlite3.connect(store.path)) as other:
        other.execute(foreign)
    opened = SqliteStore(store.path)

    for call in (opened.counts, lambda: opened.create(shards=1), opened.drop):
        with pytest.raises(SchemaMismatch, match=rf"{store.path} has a (trigger|view) .*theirs.*hint: "):
            await call()
    assert store.path.exists()
    await opened.close()


async def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    """Workers of two machines would destroy the file; the error says where else a table can be."""
    for path in (tmp_path / "table.db", tmp_path / "new.db"):
        store = SqliteStore(path, network=lambda _: "nfs4")
        with pytest.raises(StoreError, match=r"on a network file system \(nfs4\).*hint: .*DynamoDB"):
            await store.create(shards=1)
        await store.close()

    assert list(tmp_path.iterdir()) == []


async def test_a_table_on_a_network_file_system_is_read_only(store: SqliteStore) -> None:
    """An archive may be there. While it has a log it is refused: a worker of another machine may be writing."""
    await store.add([an_item("a")])
    there = SqliteStore(store.path, network=lambda _: "nfs4")
    with pytest.raises(StoreError, match=r"latest changes .*hint: run the command on the machine of its workers"):
        await there.counts()

    await store.close()
    assert (await there.counts()).total == 1
    with pytest.raises(StoreError, match="network file system"):
        await there.claim("w1", limit=1, now=NOON)
    await there.drop()
    assert not store.path.exists()
    await there.close()


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o007])
async def test_a_new_file_has_the_permissions_asked_for(tmp_path: Path, umask: int) -> None:
    """The log beside it as well; by default they are its owner's alone."""
    store = SqliteStore(tmp_path / "table.db") if umask == 0o077 else SqliteStore(tmp_path / "table.db", umask=umask)
    await store.create(shards=1)
    await store.add([an_item("a")])

    assert {0o666 & ~umask} == {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    await store.close()
