"""Storing and restoring checkpoints, over every object store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from pyanamo_async.core.values import replace
from pyanamo_async.errors import LaunchFailed, LaunchRefused, OutputError
from pyanamo_async.outputs.memory import MemoryObjects
from pyanamo_async.ports import ObjectKey, ObjectStore, Sink
from pyanamo_async.worker.checkpoints import Checkpoints
from tests.contract.test_objects import KEY, objects, paths

__all__ = ["objects"]

Begin = Callable[..., Checkpoints]
folders: dict[Checkpoints, Path] = {}  # in which their scripts work


@pytest.fixture
def begin(objects: ObjectStore, tmp_path: Path) -> Begin:
    """Begin an attempt, with an empty folder, at the task of `KEY`."""

    def attempt(number: int, *, mark: str = "00ab", since: int = 0, store: ObjectStore = objects) -> Checkpoints:
        folder = tmp_path / f"{number}-{os.urandom(2).hex()}" / "checkpoint"
        folder.mkdir(parents=True)
        begun = Checkpoints(folder, store, KEY, attempt=number, mark=mark, since=since)
        folders[begun] = folder
        return begun

    return attempt


def folder_of(attempt: Checkpoints) -> Path:
    return folders[attempt]


def content(attempt: Checkpoints) -> dict[str, bytes]:
    folder = folder_of(attempt)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(attempt: Checkpoints, name: str, text: str) -> None:
    """Write a file as scripts are told to: under another name first."""
    path = folder_of(attempt) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name("new").write_text(text)
    path.with_name("new").replace(path)


async def test_the_next_attempt_finds_what_the_last_one_left(begin: Begin) -> None:
    """Files, folders, links, permissions and times, whichever pack they are in."""
    first = begin(1)
    await first.restore()
    write(first, "a/large", "x" * 3_000_000)
    write(first, "a/small", "1")
    (folder_of(first) / "empty").mkdir()
    (folder_of(first) / "nothing").touch()
    (folder_of(first) / "last").symlink_to("a/small")
    (folder_of(first) / "a/small").chmod(0o700)
    assert await first.store(seconds=1)
    write(first, "a/small", "22")
    assert await first.store(seconds=2)
    second = begin(2)
    await second.restore()

    assert content(second) == content(first)
    assert (folder_of(second) / "last").readlink() == Path("a/small")
    assert (folder_of(second) / "empty").is_dir()
    for name in ("a/large", "nothing"):
        one, two = ((folder_of(each) / name).stat() for each in (first, second))
        assert (one.st_mode, one.st_mtime_ns) == (two.st_mode, two.st_mtime_ns)
    assert second.restored is not None
    assert (second.restored.seconds, str(second.restored_from)) == (2, "1/2")


async def test_a_file_with_holes_takes_no_more_room_when_it_is_restored(begin: Begin) -> None:
    """What is stored is zeros; where the next attempt finds the same bytes, its disk holds no zeros."""
    first, size, data = begin(1), 8 << 20, b"x" * 5000
    with (folder_of(first) / "sparse").open("wb") as file:
        for at in (0, 2 << 20, (5 << 20) + 123):
            file.seek(at)
            file.write(data)
        file.truncate(size)
    await first.store(seconds=1)
    second = begin(2)
    await second.restore()

    restored = (folder_of(second) / "sparse").stat()
    assert content(second) == content(first)
    assert (restored.st_size, restored.st_blocks * 512 < size // 8) == (size, True)


async def test_only_what_changed_is_stored_again(begin: Begin, objects: ObjectStore) -> None:
    """In one pack and a manifest; nothing at all when nothing changed, and what is superseded goes."""
    first = begin(1)
    write(first, "large", "x" * 100_000)
    write(first, "small", "1")
    await first.store(seconds=1)
    assert not await first.store(seconds=2)
    write(first, "small", "2")
    await first.store(seconds=3)
    write(first, "small", "3")
    await first.store(seconds=4)

    assert [(path, size) for path, size in await paths(objects, "checkpoint/00ab/") if path.endswith("pack")] == [
        ("1/1/pack", 100_001),
        ("1/3/pack", 1),
    ]
    assert [path for path, _ in await paths(objects, "checkpoint/00ab/") if path.endswith("manifest")] == [
        "1/3/manifest"
    ]


async def test_packs_become_whole_again_when_most_is_outdated(begin: Begin, objects: ObjectStore) -> None:
    """What is stored stays below three times what is in the folder."""
    first = begin(1)
    for number in range(20):
        for name in ("a", "b", "c"):
            if number % (1 + ord(name) - ord("a")) == 0:
                write(first, name, name * (1000 + number))
        await first.store(seconds=number)
        stored = sum(size for path, size in await paths(objects, "checkpoint/00ab/") if path.endswith("pack"))
        assert stored <= 3 * sum(map(len, content(first).values()))
    second = begin(2)
    await second.restore()

    assert content(second) == content(first)


async def test_an_attempt_is_fenced_from_what_an_older_one_writes_later(begin: Begin) -> None:
    """Two at once: the successor goes on from what it restored, and its own successor from what it stored."""
    zombie = begin(1)
    write(zombie, "n", "1")
    await zombie.store(seconds=1)
    second = begin(2)
    await second.restore()
    write(zombie, "n", "zombie")
    await zombie.store(seconds=2)
    write(second, "n", "2")
    await second.store(seconds=1)
    write(zombie, "n", "zombie again")
    await zombie.store(seconds=3)
    third = begin(3)
    await third.restore()

    assert content(third) == {"n": b"2"}
    assert str(third.restored_from) == "2/1"


async def test_nobody_finds_the_state_of_a_stranger(begin: Begin) -> None:
    """Not that of an item with another mark, nor one that was given up."""
    first = begin(1)
    write(first, "n", "1")
    await first.store(seconds=1)
    for attempt in (begin(2, mark="ffff"), begin(2, since=2)):
        await attempt.restore()
        assert content(attempt) == {}


async def test_progress_is_new_content(begin: Begin) -> None:
    """Not the same again, however often it was written, and nothing is none."""
    first = begin(1)
    assert not await first.store(seconds=0, is_last=True)
    assert not first.made_progress()
    write(first, "n", "1")
    await first.store(seconds=1, is_last=True)
    assert first.made_progress()
    second = begin(2)
    await second.restore()
    write(second, "n", "1")
    await second.store(seconds=1, is_last=True)
    assert not second.made_progress()
    write(second, "n", "2")
    await second.store(seconds=1, is_last=True)

    assert second.made_progress()


@pytest.mark.parametrize("what", ["manifest", "pack"])
async def test_a_damaged_state_is_not_begun_from(begin: Begin, objects: ObjectStore, what: str) -> None:
    """Nor is an empty folder: the attempt does not start."""
    first = begin(1)
    write(first, "n", "12345")
    await first.store(seconds=1)
    key = replace(KEY, path=f"checkpoint/00ab/1/1/{what}")
    sink = objects.open(key)
    await sink.write(b"damage")
    await sink.close()

    with pytest.raises(LaunchFailed, match="damaged"):
        await begin(2).restore()


async def test_a_missing_pack_is_said(begin: Begin, objects: ObjectStore) -> None:
    """Somebody removed it: nothing starts from half of a state."""
    first = begin(1)
    write(first, "n", "12345")
    await first.store(seconds=1)
    await objects.remove(objects.location(replace(KEY, path="checkpoint/00ab/1/1/pack")))

    with pytest.raises(LaunchFailed, match="not whole"):
        await begin(2).restore()


async def test_done_leaves_nothing(begin: Begin, objects: ObjectStore) -> None:
    """Of any attempt."""
    for number in (1, 2):
        each = begin(number)
        await each.restore()
        write(each, "n", str(number))
        await each.store(seconds=1)
    await each.remove_all()

    assert await paths(objects, "checkpoint/") == []


class Broken(MemoryObjects):
    """A store that fails, and one in which a newer state supersedes an older one while that is read."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = False
        self.superseding: Callable[[], Awaitable[None]] | None = None

    def open(self, key: ObjectKey) -> Sink:
        if self.fails:
            raise OutputError("the bucket is on fire")
        return super().open(key)

    async def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        if location.endswith("pack") and (superseding := self.superseding):
            self.superseding = None
            await superseding()
        async for chunk in super().read(location, start=start):
            yield chunk


async def test_a_checkpoint_that_fails_costs_only_itself(begin: Begin) -> None:
    """The one before it stands, and the next one is whole and good."""
    store = Broken()
    first = begin(1, store=store)
    write(first, "n", "1")
    await first.store(seconds=1)
    write(first, "n", "2")
    store.fails = True
    with pytest.raises(OutputError):
        await first.store(seconds=2)
    store.fails = False
    second = begin(2, store=store)
    await second.restore()
    assert content(second) == {"n": b"1"}
    await first.store(seconds=3)
    third = begin(3, store=store)
    await third.restore()

    assert content(third) == {"n": b"2"}


async def test_a_state_that_is_superseded_while_it_is_read_is_read_anew(begin: Begin) -> None:
    """A zombie removed it behind a newer one of its own: that is restored."""
    store = Broken()
    first = begin(1, store=store)
    write(first, "n", "1")
    await first.store(seconds=1)

    async def supersede() -> None:
        write(first, "n", "2")
        await first.store(seconds=2)

    store.superseding = supersede
    second = begin(2, store=store)
    await second.restore()

    assert content(second) == {"n": b"2"}


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/etc")])
async def test_what_cannot_be_stored_fails_the_checkpoint(begin: Begin, make: Callable[[Path], None]) -> None:
    """With a word for it; the state before stands."""
    first = begin(1)
    write(first, "n", "1")
    await first.store(seconds=1)
    make(folder_of(first) / "odd")
    with pytest.raises(OutputError, match="'odd' is"):
        await first.store(seconds=2)
    second = begin(2)
    await second.restore()

    assert content(second) == {"n": b"1"}


@pytest.mark.parametrize("put", [Path.touch, lambda path: path.symlink_to("/etc", target_is_directory=True)])
async def test_what_is_put_in_place_of_the_folder_is_not_stored(begin: Begin, put: Callable[[Path], None]) -> None:
    """Least of all the folder of somebody else."""
    first = begin(1)
    folder_of(first).rmdir()
    put(folder_of(first))
    for is_last in (False, True):
        with pytest.raises(OutputError, match="something else is where the folder was"):
            await first.store(seconds=1, is_last=is_last)


async def test_a_full_disk_puts_the_item_back(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may run on another machine; it does not begin from half of its state."""
    first = begin(1)
    write(first, "n", "1")
    await first.store(seconds=1)

    def full(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    second = begin(2)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(LaunchRefused, match="no room for its checkpoint"):
        await second.restore()


async def test_a_disk_that_is_full_fails_the_checkpoint_alone(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one before stands, and the next one is good."""
    first = begin(1)
    write(first, "n", "1")
    await first.store(seconds=1)
    write(first, "n", "2")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", full)
        with pytest.raises(OutputError, match="cannot be taken"):
            await first.store(seconds=2)
    await first.store(seconds=3)
    second = begin(2)
    await second.restore()

    assert content(second) == {"n": b"2"}


class Stalling(MemoryObjects):
    """A store in which what is written waits to be there until `go_on` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on, self.stalled = asyncio.Event(), asyncio.Event()
        self.go_on.set()

    def open(self, key: ObjectKey) -> Sink:
        return _Stalling(super().open(key), self)


class _Stalling:
    def __init__(self, sink: Sink, store: Stalling) -> None:
        self._sink, self._store = sink, store

    async def write(self, chunk: bytes) -> None:
        await self._sink.write(chunk)

    async def close(self) -> str:
        self._store.stalled.set()
        await self._store.go_on.wait()
        return await self._sink.close()

    async def abort(self) -> None:
        await self._sink.abort()


@pytest.mark.parametrize("at", ["pack", "manifest"])
async def test_a_checkpoint_that_is_given_up_is_never_found(begin: Begin, at: str) -> None:
    """As when the claim is lost while it is being stored: neither it nor a part of it is there, then or later."""
    store = Stalling()
    first = begin(1, store=store)
    write(first, "n", "1")
    await first.store(seconds=1)
    before = dict(store.kept)
    write(first, "n", "2")
    store.go_on.clear()
    store.stalled.clear()
    storing = asyncio.create_task(first.store(seconds=2))
    await store.stalled.wait()
    if at == "manifest":
        store.stalled.clear()
        store.go_on.set()
        store.go_on.clear()
        await store.stalled.wait()
    storing.cancel()
    await asyncio.gather(storing, return_exceptions=True)
    store.go_on.set()
    await first.abort_unfinished()
    second = begin(2, store=store)
    await second.restore()

    assert content(second) == {"n": b"1"}
    assert {each for each in store.kept if each.endswith("manifest")} == {each for each in before if "manifest" in each}
    assert before.items() <= store.kept.items()
