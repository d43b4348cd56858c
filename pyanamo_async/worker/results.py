"""Store what a script left in its folder for results, before its task counts as done.

Each file becomes an object of its own name, which other tools find. A list of them is stored last: where that stands,
all the files do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from pyanamo_async.core.object_names import object_path, results_folder, results_index
from pyanamo_async.core.results import ResultFile, Results, encode_results
from pyanamo_async.core.values import replace
from pyanamo_async.errors import OutputError
from pyanamo_async.host.folder_files import FoundFile, find_files, read_file
from pyanamo_async.host.working_folders import THREADS
from pyanamo_async.ports import ObjectKey, ObjectStore, Sink

AT_ONCE = 8


async def store_results(
    folder: Path, objects: ObjectStore, key: ObjectKey, *, attempt: int, mark: str, unfinished: list[Sink]
) -> Results:
    """Store the files of a folder as those of an attempt at the task of `key`; an empty folder stores nothing.

    What could not be stored is put into `unfinished`, to be aborted when there is time: storages may be slow.

    Raises:
        OutputError: they cannot be stored, or not all of what is there is a file.
    """
    place = results_folder(attempt, mark)
    files = _with_links_as_files(await THREADS.run(find_files, folder))
    if not files:
        return Results()
    waiting = iter(files)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(files))):
                group.create_task(_store(waiting, folder, objects, replace(key, path=place), unfinished))
    except* OutputError as errors:
        raise _first(errors) from None
    listed = encode_results(ResultFile(path, found.size_bytes) for path, found in files)
    await write_object(objects, replace(key, path=results_index(place)), listed, unfinished)
    location = objects.location(replace(key, path=place))
    return Results(location, len(files), sum(found.size_bytes for _, found in files))


def _with_links_as_files(found: list[FoundFile]) -> list[tuple[str, FoundFile]]:
    """Return the files by their paths; a link to a file is a copy of that, because objects know no links.

    Raises:
        OutputError: a link leads to something else.
    """
    by_path = {each.path: each for each in found if not each.is_folder}
    files = []
    for path, each in by_path.items():
        leads_to, steps = each, 0
        while leads_to.target:
            at = by_path.get(_joined(leads_to))
            steps += 1
            if at is None or steps > len(by_path):
                raise OutputError(f"'{path}' is a link, but not to a file in the folder")
            leads_to = at
        files.append((path, leads_to))
    return files


def _joined(link: FoundFile) -> str:
    parts: list[str] = link.path.split("/")[:-1]
    for part in link.target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


async def _store(
    waiting: Iterator[tuple[str, FoundFile]],
    folder: Path,
    objects: ObjectStore,
    key: ObjectKey,
    unfinished: list[Sink],
) -> None:
    for path, found in waiting:
        sink = objects.open(replace(key, path=key.path + object_path(path)))
        try:
            async for chunk in read_file(folder, found):
                await sink.write(chunk)
            await sink.close()
        except OSError as error:
            unfinished.append(sink)
            raise OutputError(f"'{path}' cannot be read: {error.strerror}") from error
        except BaseException:
            unfinished.append(sink)
            raise


async def write_object(objects: ObjectStore, key: ObjectKey, content: bytes, unfinished: list[Sink]) -> None:
    """Store an object whole; one that could not be stored is put into `unfinished`."""
    sink = objects.open(key)
    try:
        await sink.write(content)
        await sink.close()
    except BaseException:
        unfinished.append(sink)
        raise


def _first(errors: BaseExceptionGroup[OutputError]) -> OutputError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
