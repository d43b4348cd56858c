"""The stores of the contract: each with a way to see from outside what is kept."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pyanamo_async.outputs.compression import PIECE_BYTES
from pyanamo_async.outputs.files import FileOutputs
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.ports import OutputKey, OutputStore


@dataclass(frozen=True, slots=True)
class Kept:
    """A store, and all that can be seen of it: files and folders, objects and uploads under way."""

    store: OutputStore
    traces: Callable[[], Awaitable[list[str]]]
    piece_bytes: int = PIECE_BYTES


def memory() -> Kept:
    """Keep in memory."""
    store = MemoryOutputs()

    async def traces() -> list[str]:
        return list(store.kept)

    return Kept(store, traces, piece_bytes=sys.maxsize)


def files(folder: Path) -> Kept:
    """Keep in a folder that is not there yet."""

    async def traces() -> list[str]:
        return [str(path) for path in folder.rglob("*")]

    return Kept(FileOutputs(folder / "new" / "logs", "PyAnamo"), traces)


async def write_all(store: OutputStore, key: OutputKey, chunks: Iterable[bytes]) -> str:
    """Write one output and return its location."""
    sink = store.open(key)
    for chunk in chunks:
        await sink.write(chunk)
    return await sink.close()


async def read_all(store: OutputStore, location: str, *, start: int = 0) -> bytes:
    """Read one output whole."""
    return b"".join([piece async for piece in store.read(location, start=start)])
