"""The place of an item in the queue index: `Queue` is its state and shard, `Queue_Key` its order in that state.

1. The key of a claimable item in `todo` is `0<priority><tiebreak>`; of one that has to wait, `1<time>`.
2. The key of a locked item is its worker; of a settled one, the time when it was settled.
3. Times have a fixed width, so their order as text is their order in time.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime

from pyanamo_async.core.items import Item, State

DELAYED = "1"
READY = "0"
EPOCH = datetime.fromtimestamp(0, UTC)


def shard_of(item_id: str, shards: int) -> int:
    """Return the shard of an item: the same for every worker, on every machine."""
    return zlib.crc32(item_id.encode()) % shards


def queue(state: State, shard: int) -> str:
    """Return the name of one shard of a state's queue."""
    return f"{state}#{shard}"


def queue_key(item: Item, tiebreak: str) -> str:
    """Return the key of an item within its queue; `tiebreak` orders, or scatters, claimable items of one priority."""
    match item.state:
        case State.TODO if item.not_before is not None:
            return DELAYED + format_time(item.not_before)
        case State.TODO:
            return f"{READY}{item.priority}{tiebreak}"
        case State.LOCKED:
            return item.worker
        case _:
            return format_time(item.done_at) if item.done_at else ""


def format_time(time: datetime) -> str:
    """Return a time as ISO 8601 in UTC, to the millisecond, in a fixed width."""
    return f"{time.astimezone(UTC).isoformat('T', 'milliseconds').removesuffix('+00:00')}Z"


def parse_time(text: str) -> datetime:
    """Return the time that `format_time` wrote."""
    return datetime.fromisoformat(text)


def due(key: str) -> datetime:
    """Return from its queue key when an item may be claimed; `EPOCH` if it may be claimed now."""
    return parse_time(key[len(DELAYED) :]) if key.startswith(DELAYED) else EPOCH
