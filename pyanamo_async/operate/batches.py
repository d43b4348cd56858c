"""Cut what is read one by one into lists."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def batches(each: AsyncIterable[T], size: int) -> AsyncIterator[list[T]]:
    """Yield lists of `size`, and last what is left, if anything is."""
    batch: list[T] = []
    async for one in each:
        batch.append(one)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
