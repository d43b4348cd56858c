"""Workers as stored rows: attribute names and plain values, without a worker's place among the rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pyanamo_async.core.output_tail import TaskRef
from pyanamo_async.core.stored.queue_key import format_time, parse_time
from pyanamo_async.core.stored.task_record import Row
from pyanamo_async.core.workers import Desired, Worker, WorkerState


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
        "Stopped_By": worker.stopped_by,
    }


def decode_worker(
    row: Mapping[str, Any], worker_id: str, *, heartbeat: datetime, state: WorkerState, following: tuple[TaskRef, ...]
) -> Worker:
    """Return the worker of a row."""
    return Worker(
        worker_id=worker_id,
        host=row["Host"],
        started=parse_time(row["Started"]),
        heartbeat=heartbeat,
        lease=timedelta(seconds=float(row["Lease"])),
        job=row["Job"],
        process=row["Process"],
        slots=int(row["Slots"]),
        running=int(row["Running"]),
        done=int(row["Done"]),
        rss_bytes=int(row["RSS"]),
        desired=Desired(row.get("Desired", Desired.RUN)),
        following=following,
        state=state,
        stopped_by=row.get("Stopped_By", ""),
    )
