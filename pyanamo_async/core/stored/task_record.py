"""Task records as stored rows: the part of `core.stored.record` for one attempt, under the same laws."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pyanamo_async.core.items import Output, TaskRecord
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Outcome, Succeeded, TimedOut
from pyanamo_async.core.stored.queue_key import format_time, parse_time

Row = dict[str, Any]
_Names = tuple[str, str, str, str, str]

# attributes of a stream: text, location, size, lines, and why it was not stored
STDOUT = ("stdout", "stdout_at", "stdout_bytes", "stdout_lines", "Log_Status")
STDERR = ("stderr", "stderr_at", "stderr_bytes", "stderr_lines", "Log_Status_stderr")

# attributes whose zero is not their default
MEANINGFUL_ZEROS = frozenset(
    {"Priority", "MaxFailures", "Exit_Code", "Seconds", "Max_RSS", "CPU_Seconds", "Timeout", "Limit"}
)


def encode_record(record: TaskRecord) -> Row:
    """Return the row of a task record."""
    return omit_empty(
        {
            **_outcome(record.outcome),
            "Started": format_time(record.started),
            "Finished": format_time(record.finished),
            "Seconds": record.seconds,
            "Max_RSS": record.max_rss_bytes,
            "CPU_Seconds": record.cpu_seconds,
            "Attempt": record.attempt,
            "Worker": record.worker,
            **_stream(record.stdout, STDOUT),
            **_stream(record.stderr, STDERR),
        }
    )


def decode_record(row: Mapping[str, Any]) -> TaskRecord:
    """Return the task record of a row."""
    rss, cpu = row.get("Max_RSS"), row.get("CPU_Seconds")
    return TaskRecord(
        outcome=_read_outcome(row),
        started=parse_time(row["Started"]),
        finished=parse_time(row["Finished"]),
        seconds=float(row["Seconds"]),
        attempt=int(row.get("Attempt", 0)),
        worker=row.get("Worker", ""),
        max_rss_bytes=None if rss is None else int(rss),
        cpu_seconds=None if cpu is None else float(cpu),
        stdout=_output(row, STDOUT),
        stderr=_output(row, STDERR),
    )


def _stream(output: Output, names: _Names) -> Row:
    text, at, size_bytes, lines, status = names
    return {text: output.text, at: output.at, size_bytes: output.size_bytes, lines: output.lines, status: output.status}


def _output(row: Mapping[str, Any], names: _Names) -> Output:
    text, at, size_bytes, lines, status = names
    return Output(
        text=row.get(text, ""),
        at=row.get(at, ""),
        size_bytes=int(row.get(size_bytes, 0)),
        lines=int(row.get(lines, 0)),
        status=row.get(status, ""),
    )


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
            return TimedOut(timedelta(seconds=float(row["Limit"])))
        case "Interrupted":
            return Interrupted(InterruptReason(row["Why"]))
        case "Failed":
            code, number = row.get("Exit_Code"), row.get("Signal")
            return Failed(
                exit_code=None if code is None else int(code),
                signal=None if number is None else int(number),
                detail=row.get("Detail", ""),
            )
    raise ValueError(f"there is no outcome '{row['Status']}'")


def omit_empty(row: Row) -> Row:
    """Leave out None, empty text, empty collections, and zeros that are defaults."""
    return {key: value for key, value in row.items() if value or (key in MEANINGFUL_ZEROS and value is not None)}
