"""Workers, and what they publish, as stored rows: names and plain values, without a worker's place among the rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pyanamo_async.core.memory.room_wait import encode_wait, read_wait
from pyanamo_async.core.output_tail import TailChunk, TaskRef
from pyanamo_async.core.platforms import encode_platform, read_platform
from pyanamo_async.core.stored.bad_rows import read_row
from pyanamo_async.core.stored.columns import Row, byte_count, count, duration, read_as, text
from pyanamo_async.core.stored.queue_key import EPOCH, format_time, parse_time, time_in
from pyanamo_async.core.workers import NEVER, Desired, Orders, Worker, WorkerState
from pyanamo_async.errors import BadRow


def encode_worker(worker: Worker) -> Row:
    """Return what a heartbeat says of a worker."""
    return {
        "Host": worker.host,
        "Job": worker.job,
        "Process": worker.process,
        "Started": format_time(worker.started),
        "Lease": worker.lease.total_seconds(),
        "Slots": worker.slots,
        "Running": worker.running,
        "Done": worker.done,
        "RSS": worker.rss_bytes,
        "Last_Attempts": int(worker.last_attempts),
        "Stopped_By": worker.stopped_by,
        "Platform": encode_platform(worker.platform),
        "Waiting": encode_wait(worker.waiting),
    }


def read_worker(
    row: Mapping[str, Any],
    worker_id: str,
    *,
    stamp: object,
    state: object,
    following: Iterable[str],
    note: Callable[[BadRow], None],
) -> Worker:
    """Return the worker of a row; of one that cannot be read, what others need to know whether it lives.

    `stamp` is its heartbeat as stored, `following` the tasks that somebody follows. `note` takes a row that is bad.
    """

    def decode(row: Mapping[str, Any]) -> Worker:
        return Worker(
            worker_id=read_as(text, "InstanceID", worker_id),
            host=read_as(text, "Host", row["Host"]),
            started=read_as(parse_time, "Started", row["Started"]),
            heartbeat=read_as(parse_time, "the heartbeat", stamp),
            lease=read_as(duration, "Lease", row["Lease"]),
            job=read_as(text, "Job", row["Job"]),
            process=read_as(text, "Process", row["Process"]),
            slots=read_as(count, "Slots", row["Slots"]),
            running=read_as(count, "Running", row["Running"]),
            done=read_as(count, "Done", row["Done"]),
            rss_bytes=read_as(byte_count, "RSS", row["RSS"]),
            last_attempts=bool(read_as(count, "Last_Attempts", row.get("Last_Attempts", 0))),
            desired=read_as(Desired, "Desired", row.get("Desired", Desired.RUN)),
            following=tuple(sorted(read_as(TaskRef.read, "Following", each) for each in following)),
            state=read_as(WorkerState, "State", state),
            stopped_by=read_as(text, "Stopped_By", row.get("Stopped_By", "")),
            platform=read_as(read_platform, "Platform", row.get("Platform", {})),
            waiting=read_as(read_wait, "Waiting", row.get("Waiting", {})),
        )

    try:
        return read_row(row, decode)
    except BadRow as bad:
        note(bad)
        known = state if isinstance(state, WorkerState) else WorkerState.RUNNING
        return Worker(
            worker_id,
            "",
            EPOCH,
            heartbeat_at(stamp),
            timedelta(0),
            state=known,
            problem=bad.why,
            stamp=stamp if isinstance(stamp, str) else "",
        )


def read_chunk(data: object, end: object) -> TailChunk:
    """Return the part of a stream that a worker published.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(data, bytes):
        raise ValueError(f"its text is {data!r}")  # noqa: TRY004 - as for all that is read
    known = read_as(byte_count, "its end", end)
    if known < len(data):
        raise ValueError(f"its end is {known}, and it has {len(data)} bytes")
    return TailChunk(data, known)


def heartbeat_at(stamp: object) -> datetime:
    """Return the time of a heartbeat as stored; `NEVER` when it cannot be read."""
    return (time_in(stamp) if isinstance(stamp, str) else None) or NEVER


def read_orders(desired: object, following: Iterable[str], release: object = (), *, written: bool = True) -> Orders:
    """Return a worker's orders, without those that cannot be read: a worker must not end because of them."""
    tasks = []
    for each in following:
        try:
            tasks.append(TaskRef.read(each))
        except ValueError:
            continue
    known = desired in set(Desired) if isinstance(desired, str) else False
    tokens = release if isinstance(release, Collection) and not isinstance(release, str) else ()
    return Orders(
        Desired(str(desired)) if known else Desired.RUN,
        tuple(sorted(tasks)),
        frozenset(token for token in tokens if isinstance(token, str)),
        written,
    )
