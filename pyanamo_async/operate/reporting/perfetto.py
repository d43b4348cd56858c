"""Write attempts in Chrome's trace event format, which Perfetto and `chrome://tracing` show.

A worker is a process, and each of its slots a thread. Source: the "Trace Event Format" of the Chromium project.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson

from pyanamo_async.core.selection import Selection
from pyanamo_async.core.stored.queue_key import parse_time
from pyanamo_async.core.text.visible import field
from pyanamo_async.core.timeline_lanes import TimelineLanes
from pyanamo_async.operate.exporting.files import Writable
from pyanamo_async.operate.tracing import trace
from pyanamo_async.ports import Store

MICROSECONDS = 1_000_000
COLOURS = {
    "Succeeded": "good",
    "Checkpointed": "good",
    "Failed": "terrible",
    "TimedOut": "terrible",
    "OutOfMemory": "bad",
    "Interrupted": "bad",
}
ARGUMENTS = ("taskID", "Attempt", "Status", "Exit_Code", "Signal", "Reason", "CPU_Seconds", "Max_RSS")

Event = dict[str, Any]


async def write_trace(stores: Sequence[tuple[str, Store]], file: Writable) -> int:
    """Write an event for each attempt of some tables, by name, and return how many there are."""
    file.write(b'{"displayTimeUnit":"ms","traceEvents":[')
    number, separator = 0, b"\n"
    workers: dict[tuple[str, str], int] = {}
    for step, store in stores:
        async for event in _events(step, store, workers):
            number += event["ph"] == "X"
            file.write(separator + orjson.dumps(event))
            separator = b",\n"
    file.write(b"\n]}\n")
    return number


async def _events(step: str, store: Store, workers: dict[tuple[str, str], int]) -> AsyncIterator[Event]:
    """Yield the events of a table; the process of each worker gets its name before its first one."""
    lanes: dict[int, TimelineLanes] = {}
    async for row in trace(store, Selection(all=True), sort="Started", reverse=False, limit=None):
        worker = (step, row["Worker"] or "")
        process = workers.setdefault(worker, len(workers) + 1)
        if process not in lanes:
            lanes[process] = TimelineLanes()
            yield {"ph": "M", "name": "process_name", "pid": process, "args": {"name": field(": ".join(worker))}}
        started, seconds = parse_time(row["Started"]).timestamp(), float(row["Seconds"])
        yield {
            "ph": "X",
            "name": field(f"{row['itemID']} {row['Task']}"),
            "cat": row["Status"],
            "cname": COLOURS[row["Status"]],
            "ts": round(started * MICROSECONDS),
            "dur": round(seconds * MICROSECONDS),
            "pid": process,
            "tid": lanes[process].place(started, started + seconds) + 1,
            "args": {name: row[name] for name in ARGUMENTS if row[name] is not None},
        }
