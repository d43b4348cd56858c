"""Task records as stored rows: the part of `core.stored.record` for one attempt, under the same laws."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pyanamo_async.core.items import Output, TaskRecord
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Outcome, Succeeded, TimedOut
from pyanamo_async.core.stored.columns import Column, Columns, Row, time_column
from pyanamo_async.core.stored.queue_key import EPOCH
from pyanamo_async.core.values import replace

RECORD = Columns(
    TaskRecord(Succeeded(), started=EPOCH, finished=EPOCH, seconds=-1.0, attempt=0, worker=""),
    time_column("Started", "started"),
    time_column("Finished", "finished"),
    Column("Seconds", "seconds", read=float),
    Column("Max_RSS", "max_rss_bytes"),
    Column("CPU_Seconds", "cpu_seconds", read=float),
    Column("Attempt", "attempt"),
    Column("Worker", "worker"),
)
STDOUT, STDERR = (
    Columns(
        Output(),
        Column(stream, "text"),
        Column(f"{stream}_at", "at"),
        Column(f"{stream}_bytes", "size_bytes"),
        Column(f"{stream}_lines", "lines"),
        Column(status, "status"),
    )
    for stream, status in (("stdout", "Log_Status"), ("stderr", "Log_Status_stderr"))
)


def encode_record(record: TaskRecord) -> Row:
    """Return the row of a task record."""
    outcome = {name: value for name, value in _outcome(record.outcome).items() if value not in (None, "")}
    return outcome | RECORD.encode(record) | STDOUT.encode(record.stdout) | STDERR.encode(record.stderr)


def decode_record(row: Mapping[str, Any]) -> TaskRecord:
    """Return the task record of a row."""
    outcome, stdout, stderr = _read_outcome(row), STDOUT.decode(row), STDERR.decode(row)
    return replace(RECORD.decode(row), outcome=outcome, stdout=stdout, stderr=stderr)


def _outcome(outcome: Outcome) -> Row:
    match outcome:
        case Succeeded():
            return {"Status": "Succeeded", "Exit_Code": 0}
        case Failed(exit_code=code, signal=number, detail=detail):
            return {"Status": "Failed", "Exit_Code": code, "Signal": number, "Detail": detail}
        case TimedOut(limit=limit):
            return {"Status": "TimedOut", "Limit": limit.total_seconds()}
        case Interrupted(why=why):
            return {"Status": "Interrupted", "Why": str(why)}


def _read_outcome(row: Mapping[str, Any]) -> Outcome:
    match row["Status"]:
        case "Succeeded":
            return Succeeded()
        case "TimedOut":
            return TimedOut(timedelta(seconds=row["Limit"]))
        case "Interrupted":
            return Interrupted(InterruptReason(row["Why"]))
        case "Failed":
            return Failed(row.get("Exit_Code"), row.get("Signal"), row.get("Detail", ""))
    raise ValueError(f"there is no outcome '{row['Status']}'")
