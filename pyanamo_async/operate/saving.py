"""Write files for a person: one under its own name is complete, and one that exists is replaced."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pyanamo_async.errors import OutputError
from pyanamo_async.host.modes import make_folder, open_new
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


async def save_file(chunks: AsyncIterable[bytes], path: Path, umask: int) -> None:
    """Write a file, and make the folders that it needs; raises `OSError` when it cannot be written."""
    _make_folders(path.parent, umask)
    partial = path.with_name(f".{secrets.token_hex(8)}")
    descriptor = open_new(partial, umask)
    try:
        with os.fdopen(descriptor, "wb") as file:
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _make_folders(folder: Path, umask: int) -> None:
    if not folder.is_dir():
        _make_folders(folder.parent, umask)
        with suppress(FileExistsError):  # made meanwhile, or a file, which the next step tells
            make_folder(folder, umask)
