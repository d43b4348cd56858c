"""For the tests of programs that use pyanamo: a table and output in memory, gone when the process ends.

`open_table("memory:")` opens a table on both, whose workers run real scripts.
"""

from __future__ import annotations

from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.store.memory import MemoryStore

__all__ = ["MemoryOutputs", "MemoryStore"]
