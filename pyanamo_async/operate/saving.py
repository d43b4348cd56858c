"""Write files for a person: one under its own name is complete, and one that exists is replaced."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterable
from contextlib import suppress
from pathlib import Path

from pyanamo_async.errors import OutputError
from pyanamo_async.host.modes import make_folder, open_new


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


def not_written(path: Path, error: OSError) -> OutputError:
    """Return what to tell a person of a file that cannot be written."""
    return OutputError(f"{path} cannot be written: {error.strerror}", hint="choose another folder")


def _make_folders(folder: Path, umask: int) -> None:
    if not folder.is_dir():
        _make_folders(folder.parent, umask)
        with suppress(FileExistsError):  # made meanwhile, or a file, which the next step tells
            make_folder(folder, umask)
