"""What users of the API build their own tests on."""

from __future__ import annotations

from pyanamo_async.ports import OutputStore, Store
from pyanamo_async.testing import MemoryOutputs, MemoryStore


async def test_stores_in_memory_are_public() -> None:
    """They implement the ports, as the contract suite holds them to."""
    store: Store = MemoryStore()
    outputs: OutputStore = MemoryOutputs()

    assert await store.create(shards=1)
    assert [finding async for finding in outputs.unfinished("memory")] == []
