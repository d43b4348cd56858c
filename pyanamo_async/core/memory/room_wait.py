"""What a claimed item lacks that waits for room in its worker; in each worker at most one item waits.

1. The worker writes it with its heartbeats, so that commands can tell such an item from one that runs without a
   request.
2. What the last heartbeat names has not started (`worker.room`). When its worker dies, it is charged nothing.
"""

from __future__ import annotations

from pyanamo_async.core.items import Item
from pyanamo_async.core.reasons import with_reason
from pyanamo_async.core.stored.columns import Column, Columns, byte_count, count, mapping, text
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.transitions import release_unused
from pyanamo_async.core.values import Value, replace


class RoomWait(Value):
    """The `token` of the claim that waits, and of memory and CPUs, where short, what it needs and what was free."""

    token: str = ""
    memory_bytes: int = 0
    free_bytes: int = 0
    cpus: int = 0
    free_cpus: int = 0

    @property
    def is_short(self) -> bool:
        """Return whether it waits for something; the last that left its place in vain is named, but waits no more."""
        return bool(self.memory_bytes or self.cpus)

    def show(self) -> str:
        """Return what it needs and did not find; empty when enough is free, so that it starts in a moment."""
        short = []
        if self.memory_bytes:
            short.append(f"{show_size(self.memory_bytes)} of memory, of which {show_size(self.free_bytes)} was free")
        if self.cpus:
            short.append(f"{plural(self.cpus, 'CPU')}, of which {self.free_cpus} could be had")
        return " and ".join(short)


NOTHING_WAITS = RoomWait()
_COLUMNS = Columns(
    NOTHING_WAITS,
    Column("lockID", "token", text),
    *(Column(name, name, byte_count) for name in ("memory_bytes", "free_bytes")),
    *(Column(name, name, count) for name in ("cpus", "free_cpus")),
)
FIELDS = _COLUMNS.names


def reclaim_waiting(item: Item) -> Item:
    """Take an item from a vanished worker in which it waited for room, and charge it nothing.

    The token is cleared, so that a late write of the old holder is refused.
    """
    unused = replace(release_unused(item), token="")
    return with_reason(unused, f"its worker {item.worker} vanished while it waited there for room")


def encode_wait(wait: RoomWait) -> dict[str, object]:
    """Return it as a map, empty when nothing waits."""
    return _COLUMNS.encode(wait)


def read_wait(stored: object) -> RoomWait:
    """Return what a map as stored says.

    Raises:
        TypeError, ValueError: it is none.
    """
    return _COLUMNS.decode(mapping(stored))
