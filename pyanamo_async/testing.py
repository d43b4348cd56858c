"""For the tests of programs that use pyanamo: tables and output in memory, gone when they are closed.

async with memory_table() as table:
    await table.add([{"itemID": "a", "TaskID": "s", "TaskScript": "echo hello"}])
    assert (await table.run()).done == 1
"""

from __future__ import annotations

from pyanamo_async.api import Table, open_table
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.store.memory import MemoryStore

__all__ = ["MemoryOutputs", "MemoryStore", "memory_table"]


def memory_table() -> Table:
    """Return a table in memory, empty and not yet created, whose workers run real scripts."""
    return open_table("memory:")
