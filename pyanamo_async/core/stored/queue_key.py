"""The place of an item in the queue index: `Queue` is its state and shard, `Queue_Key` its order in that state.

1. The key of a claimable item in `todo` is `0<priority><tiebreak>`; of one that has to wait, `1<time><tiebreak>`. An
   item that comes back has another tiebreak, so that a claim of what was seen before fails.
2. Items that only some workers take have lanes of their own within `todo` (`core.queue_lanes`): their keys begin with
   `2` and five digits, the memory class in GiB or 0 for last attempts, then go on as the others. Others end before `2`.
3. The key of a locked item is its worker; of a settled one, the time when it was settled.
4. Times have a fixed width, so their order as text is their order in time.
5. A key may have been written by anybody: a due time that cannot be read is due now.
"""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.queue_lanes import EVERYBODY, LAST_ATTEMPTS, Lane, lane_of

DELAYED = "1"
READY = "0"
LANES, BEYOND_LANES = "2", "3"  # how keys with a lane begin, and what comes after all of them
_LANE = re.compile(rf"{LANES}([0-9]{{5}})(?=[{READY}{DELAYED}])")
EPOCH = datetime.fromtimestamp(0, UTC)
TIME_LENGTH = len("1970-01-01T00:00:00.000Z")
YEARS = range(1970, 9999)  # times that may be shifted to any time zone


def shard_of(item_id: str, shards: int) -> int:
    """Return the shard of an item: the same for every worker, on every machine."""
    return zlib.crc32(item_id.encode()) % shards


def queue(state: State, shard: int) -> str:
    """Return the name of one shard of a state's queue."""
    return f"{state}#{shard}"


def state_in(queue: str) -> str:
    """Return the state that the name of a queue tells, which may be one that we do not know."""
    return queue.rpartition("#")[0]


def queue_key(item: Item, tiebreak: str) -> str:
    """Return the key of an item within its queue; `tiebreak` orders, or scatters, items of one priority."""
    match item.state:
        case State.TODO if item.not_before is not None:
            return f"{lane_prefix(lane_of(item))}{DELAYED}{format_time(item.not_before)}{tiebreak}"
        case State.TODO:
            return f"{lane_prefix(lane_of(item))}{READY}{item.priority}{tiebreak}"
        case State.LOCKED:
            return item.worker
        case _:
            return format_time(item.done_at) if item.done_at else ""


def lane_prefix(lane: Lane) -> str:
    """Return how keys of a lane begin; those of the lane of everybody have no prefix."""
    return "" if lane == EVERYBODY else f"{LANES}{lane.memory_class:05}"


def lane_bounds(lane: Lane) -> tuple[str, str]:
    """Return the first key that a lane may have, and what comes after all of them."""
    prefix = lane_prefix(lane)
    return prefix, f"{prefix}{chr(ord(DELAYED) + 1)}"


def lane_in(key: str) -> Lane:
    """Return the lane that the key of an item in `todo` tells."""
    found = _LANE.match(key)
    if found is None:
        return EVERYBODY
    return Lane(int(found[1])) if int(found[1]) else LAST_ATTEMPTS


def within_lane(key: str) -> str:
    """Return a key without its lane."""
    return key[len(LANES) + 5 :] if _LANE.match(key) else key


def format_time(time: datetime) -> str:
    """Return a time as ISO 8601 in UTC, to the millisecond, in a fixed width."""
    return f"{time.astimezone(UTC).isoformat('T', 'milliseconds').removesuffix('+00:00')}Z"


def parse_time(text: str) -> datetime:
    """Return the time, in UTC, that `format_time` wrote.

    Raises:
        TypeError, ValueError: it did not write that, and it is no other ISO 8601 time with an offset.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None or time.year not in YEARS:
        raise ValueError("not a time with an offset from UTC")
    return time if time.tzinfo is UTC else time.astimezone(UTC)


def time_in(text: str) -> datetime | None:
    """Return the time that a text means; None when it is no time."""
    try:
        return parse_time(text)
    except (TypeError, ValueError):
        return None


def due(key: str) -> datetime:
    """Return from its queue key when an item may be claimed; `EPOCH` if it may be claimed now."""
    return not_before(key) or EPOCH


def not_before(key: str) -> datetime | None:
    """Return until when an item has to wait, from its queue key; None when it need not."""
    key = within_lane(key)
    return time_in(key[1 : 1 + TIME_LENGTH]) if key.startswith(DELAYED) else None
