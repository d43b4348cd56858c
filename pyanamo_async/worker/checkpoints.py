"""Store the checkpoints of one attempt at one task, and restore that of an earlier attempt: `core.checkpoints`.

1. A checkpoint that fails costs nothing but itself: the one before it stands, and the script runs on.
2. What does not differ from what is stored is not stored again.
3. A state that cannot be restored is an error, never an empty folder. One that is removed while it is read was
   superseded: then the newer one is restored.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from pyanamo_async.core.checkpoints import (
    DIGEST_BYTES,
    MANIFEST,
    PACK,
    Entry,
    Manifest,
    Position,
    decode_manifest,
    encode_manifest,
    folder_of,
    newest,
    outdated,
)
from pyanamo_async.core.values import replace
from pyanamo_async.errors import (
    CheckpointRefused,
    LaunchFailed,
    LaunchRefused,
    OutputError,
    OutputMissing,
    PyanamoError,
)
from pyanamo_async.host.folder_files import FoundFile, find_files, read_file
from pyanamo_async.host.snapshots import Unpacker, finish_folder, make_skeleton, take_snapshot
from pyanamo_async.host.working_folders import THREADS, remove_folder
from pyanamo_async.ports import ObjectKey, ObjectStore, Sink
from pyanamo_async.worker.results import write_object

TRIES = 5  # restoring what others supersede meanwhile
MOST_PACKS = 100
REMOVALS_AT_ONCE = 8

Stamp = tuple[int, int, int] | str  # inode, size, time of change: while they stay, so does the content; or a target


class Checkpoints:
    """The checkpoints of an attempt at the task of `key`, whose files are in `folder`; older than `since` are none."""

    def __init__(
        self, folder: Path, objects: ObjectStore, key: ObjectKey, *, attempt: int, mark: str, since: int = 0
    ) -> None:
        self._folder, self._snapshot = folder, folder.with_name(f"{folder.name}.snapshot")
        self._objects, self._key = objects, replace(key, path=folder_of(mark))
        self._attempt, self._since = attempt, since
        self._sequence = 0
        self._paths: set[str] = set()  # what is stored, as far as this attempt knows
        self._stamps: dict[str, Stamp] = {}
        self._pack_bytes: dict[int, int] = {}
        self.unfinished: list[Sink] = []  # what could not be stored, to be aborted when there is time
        self.restored: Manifest | None = None
        self.restored_from: Position | None = None
        self.stored: Manifest | None = None
        self.stored_at: Position | None = None

    async def restore(self) -> None:
        """Fill the folder with the state that the latest earlier attempt left, if there is one.

        Raises:
            LaunchFailed: what is stored is damaged.
            LaunchRefused, CheckpointRefused: there is no room for it here, or the storage does not give it.
        """
        if self._attempt == 1:
            return
        try:
            for rest in reversed(range(TRIES)):
                self._paths = {each.path async for each in self._objects.below(self._objects.location(self._key))}
                position = newest(self._paths, before=self._attempt, since=self._since)
                if position is None:
                    return
                try:
                    self.restored, self.restored_from = await self._restored(position), position
                except OutputMissing:
                    if not rest:
                        raise
                    await THREADS.run(_empty, self._folder)
                else:
                    return
        except ValueError as error:
            raise LaunchFailed(f"its checkpoint is damaged: {error}") from error
        except OutputMissing as error:
            raise LaunchFailed(f"its checkpoint is not whole: {error.what}") from error
        except OSError as error:
            no_room = error.errno in (errno.ENOSPC, errno.EDQUOT)
            what = "no room for" if no_room else "this machine cannot restore"
            raise LaunchRefused(f"{what} its checkpoint: {error.strerror}", hint="TMPDIR names another disk") from error
        except PyanamoError as error:
            raise CheckpointRefused(f"its checkpoint cannot be read: {error.what}", hint=error.hint) from error

    async def store(self, *, seconds: float, is_last: bool = False) -> bool:
        """Store what is in the folder after `seconds` of this attempt; return whether it differs from what was stored.

        The last one is taken when the script has ended: then nothing changes, and `remove_older` is left for later.

        Raises:
            OutputError: it cannot be stored.
        """
        try:
            return await self._store(seconds, is_last=is_last)
        except OSError as error:
            raise OutputError(f"a checkpoint cannot be taken: {error.strerror}") from error

    async def _store(self, seconds: float, *, is_last: bool) -> bool:
        if is_last:
            source, found = self._folder, await THREADS.run(find_files, self._folder)
        else:
            await self.abort_unfinished()
            source, found = self._snapshot, await THREADS.run(take_snapshot, self._folder, self._snapshot)
        stamps = {each.path: _stamp(each) for each in found}
        if stamps == self._stamps or (not found and not is_last):
            return False
        self._sequence += 1
        position = Position(self._attempt, self._sequence)
        entries, packed = await self._pack(source, found, stamps, position)
        before_s = self.restored.seconds if self.restored else 0.0
        manifest = Manifest(entries, round(before_s + seconds, 3))
        if is_last and not manifest.files:
            return False
        await write_object(
            self._objects, self._at(f"{position}/{MANIFEST}"), encode_manifest(manifest), self.unfinished
        )
        self.stored, self.stored_at, self._stamps = manifest, position, stamps
        self._paths |= {f"{position}/{MANIFEST}", *([f"{position}/{PACK}"] if packed else [])}
        if not is_last:
            await self._tidy_up(position, manifest)
        return True

    def made_progress(self) -> bool:
        """Return whether something is stored that this attempt did not find."""
        return self.stored is not None and bool(self.stored.files) and not self.stored.is_like(self.restored)

    async def abort_unfinished(self) -> None:
        """Leave nothing behind of what could not be stored."""
        while self.unfinished:
            await self.unfinished.pop().abort()

    async def remove_older(self) -> None:
        """Remove what the last one supersedes; call it when there is time."""
        if self.stored is not None and self.stored_at is not None:
            await self._tidy_up(self.stored_at, self.stored)

    async def remove_all(self) -> None:
        """Remove all checkpoints of the task; call it when the task is done, and the table says so."""
        if self._attempt > 1 or self._sequence:
            await self._remove([each.path async for each in self._objects.below(self._objects.location(self._key))])

    async def _restored(self, position: Position) -> Manifest:
        manifest = decode_manifest(await self._read(f"{position}/{MANIFEST}"))
        await THREADS.run(make_skeleton, self._folder, manifest.entries)
        for pack in sorted(manifest.packs):
            inside = [each for each in manifest.entries if each.pack == pack and each.size_bytes]
            unpacker = Unpacker(self._folder, inside)
            location = self._objects.location(self._at(f"{position.attempt}/{pack}/{PACK}"))
            try:
                async for chunk in self._objects.read(location, start=unpacker.first):
                    await THREADS.run(unpacker.feed, chunk)
                    if unpacker.is_done:
                        break
            except BaseException:
                with suppress(ValueError):
                    unpacker.close()
                raise
            unpacker.close()
        await THREADS.run(finish_folder, self._folder, manifest.entries)
        self._stamps = {each.path: _stamp(each) for each in await THREADS.run(find_files, self._folder)}
        return manifest

    async def _pack(
        self, source: Path, found: list[FoundFile], stamps: dict[str, Stamp], position: Position
    ) -> tuple[tuple[Entry, ...], bool]:
        """Store the files that changed in a pack; return the entries of all, and whether there is a pack."""
        known = {each.path: each for each in self.stored.entries} if self.stored and not self._is_sparse() else {}
        key, sequence = self._at(f"{position}/{PACK}"), position.sequence
        sink, offset, entries = self._objects.open(key), 0, []
        try:
            for each in found:
                if each.path in known and self._stamps.get(each.path) == stamps[each.path]:
                    entries.append(known[each.path])
                    continue
                entry = Entry(each.path, each.mode, each.is_folder, each.target, each.size_bytes, each.mtime_ns)
                if not each.is_folder and not each.target:
                    checksum = blake2b(digest_size=DIGEST_BYTES)
                    async for chunk in read_file(source, each):
                        checksum.update(chunk)
                        await sink.write(chunk)
                    entry = replace(entry, digest=checksum.hexdigest(), pack=sequence, offset=offset)
                    offset += each.size_bytes
                entries.append(entry)
            if offset:
                await sink.close()
                self._pack_bytes[sequence] = offset
            else:
                await sink.abort()
        except BaseException:
            self.unfinished.append(sink)
            raise
        return tuple(entries), bool(offset)

    def _is_sparse(self) -> bool:
        """Return whether packs hold more that is outdated than is not: then the next is whole again."""
        if self.stored is None:
            return True
        packs = self.stored.packs
        return len(packs) > MOST_PACKS or sum(self._pack_bytes[each] for each in packs) > 2 * self.stored.size_bytes

    async def _tidy_up(self, position: Position, manifest: Manifest) -> None:
        superfluous = outdated(self._paths, position, manifest.packs)
        with suppress(PyanamoError):  # it only takes room, and is tried again
            await self._remove(superfluous)
            self._paths.difference_update(superfluous)

    async def _remove(self, paths: Iterable[str]) -> None:
        waiting = iter(sorted(paths, key=lambda path: not path.endswith(MANIFEST)))  # no manifest without its packs

        async def remove() -> None:
            for path in waiting:
                await self._objects.remove(self._objects.location(self._at(path)))

        await asyncio.gather(*(remove() for _ in range(REMOVALS_AT_ONCE)))

    async def _read(self, path: str) -> bytes:
        return b"".join([chunk async for chunk in self._objects.read(self._objects.location(self._at(path)))])

    def _at(self, path: str) -> ObjectKey:
        return replace(self._key, path=self._key.path + path)


def _stamp(found: FoundFile) -> Stamp:
    return found.target or (found.inode, found.size_bytes, found.mtime_ns)


def _empty(folder: Path) -> None:
    remove_folder(folder)
    folder.mkdir(0o700)
