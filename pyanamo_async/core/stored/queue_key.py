"""Where an item stands in the queue index: `Queue` says state and shard, `Queue_Key` what matters in that state.

todo `0<priority><tiebreak>` when claimable, `1<time>` when not before a time · locked: the worker · settled: the time.
Times have a fixed width, so that their order as text is their order in time.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from functools import lru_cache

from pyanamo_async.core.items import Item, State

DELAYED = "1"
READY = "0"
EPOCH = datetime.fromtimestamp(0, UTC)


def shard_of(item_id: str, shards: int) -> int:
    """Choose the shard of an item: the same for every worker, on every machine."""
    return zlib.crc32(item_id.encode()) % shards


def queue(state: State, shard: int) -> str:
    """Name one shard of one state's queue."""
    return f"{state}#{shard}"


def queue_key(item: Item, tiebreak: str) -> str:
    """Place an item within its queue; `tiebreak` orders (or scatters) claimable items of one priority."""
    match item.state:
        case State.TODO if item.not_before is not None:
            return DELAYED + format_time(item.not_before)
        case State.TODO:
            return f"{READY}{item.priority}{tiebreak}"
        case State.LOCKED:
            return item.worker
        case _:
            return format_time(item.done_at) if item.done_at else ""


def format_time(moment: datetime) -> str:
    """Write a moment as ISO 8601 in UTC, to the millisecond, in a fixed width."""
    return _written(moment if moment.tzinfo is UTC else moment.astimezone(UTC))


@lru_cache(maxsize=1024)  # the moment of a claim is written with each of a worker's writes of that item
def _written(utc: datetime) -> str:
    return f"{utc.isoformat('T', 'milliseconds').removesuffix('+00:00')}Z"


def parse_time(text: str) -> datetime:
    """Read what `stamp` wrote."""
    return datetime.fromisoformat(text)


def due(key: str) -> datetime:
    """Tell from its queue key when an item may be claimed; what is claimable now has been so since the epoch."""
    return parse_time(key[len(DELAYED) :]) if key.startswith(DELAYED) else EPOCH
