"""Write files for a person into a folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pyanamo_async.errors import OutputError
from pyanamo_async.host.new_file import new_file
from pyanamo_async.operate.batches import batches

T = TypeVar("T")
AT_ONCE = 8  # files that are written together


async def save_all(
    found: AsyncIterator[T], place: Callable[[T], Path], save: Callable[[T, Path], Awaitable[bool]]
) -> AsyncIterator[Path]:
    """Save what is found, several at once, each in its place; yield the paths of what `save` says that it saved.

    Raises:
        OutputError: a file cannot be written.
    """

    async def save_one(each: T) -> Path | None:
        path = place(each)
        try:
            return path if await save(each, path) else None
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}", hint="choose another folder") from error

    async for batch in batches(found, AT_ONCE):
        for path in await asyncio.gather(*map(save_one, batch)):
            if path:
                yield path


async def save_file(chunks: AsyncIterable[bytes], path: Path) -> None:
    """Write a file, and make the folders that it needs; raises `OSError` when it cannot be written."""
    with suppress(FileExistsError):  # it is a file, which the next step tells
        path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as file:
        async for chunk in chunks:
            await asyncio.to_thread(file.write, chunk)
