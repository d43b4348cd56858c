"""What is kept of one attempt at a task, as it is stored: a part of `core.record`, whose laws hold here too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pyanamo_async.core.items import Output, TaskRecord
from pyanamo_async.core.outcomes import Failed, Interrupted, Outcome, Succeeded, TimedOut, Why
from pyanamo_async.core.queue import moment, stamp

Row = dict[str, Any]

TELLING_ZEROS = frozenset(
    {"Priority", "MaxFailures", "Exit_Code", "Seconds", "Max_RSS", "CPU_Seconds", "Timeout", "Limit"}
)


def encode_record(record: TaskRecord) -> Row:
    """Write what is kept of one attempt."""
    row = {
        **_outcome(record.outcome),
        "Started": stamp(record.started),
        "Finished": stamp(record.finished),
        "Seconds": record.seconds,
        "Max_RSS": record.max_rss_bytes,
        "CPU_Seconds": record.cpu_seconds,
        "Attempt": record.attempt,
        "Worker": record.worker,
    }
    for name, output in (("stdout", record.stdout), ("stderr", record.stderr)):
        row[name] = output.text
        row[f"{name}_at"] = output.at
        row[f"{name}_bytes"] = output.size_bytes
        row[f"{name}_lines"] = output.lines
        row["Log_Status" if name == "stdout" else "Log_Status_stderr"] = output.status
    return sparse(row)


def decode_record(row: Mapping[str, Any]) -> TaskRecord:
    """Read what `encode_record` wrote."""
    rss, cpu = row.get("Max_RSS"), row.get("CPU_Seconds")
    return TaskRecord(
        outcome=_read_outcome(row),
        started=moment(row["Started"]),
        finished=moment(row["Finished"]),
        seconds=float(row["Seconds"]),
        attempt=int(row.get("Attempt", 0)),
        worker=row.get("Worker", ""),
        max_rss_bytes=None if rss is None else int(rss),
        cpu_seconds=None if cpu is None else float(cpu),
        stdout=_output(row, "stdout", "Log_Status"),
        stderr=_output(row, "stderr", "Log_Status_stderr"),
    )


def _output(row: Mapping[str, Any], name: str, status: str) -> Output:
    return Output(
        text=row.get(name, ""),
        at=row.get(f"{name}_at", ""),
        size_bytes=int(row.get(f"{name}_bytes", 0)),
        lines=int(row.get(f"{name}_lines", 0)),
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
            return Interrupted(Why(row["Why"]))
    code, number = row.get("Exit_Code"), row.get("Signal")
    return Failed(
        exit_code=None if code is None else int(code),
        signal=None if number is None else int(number),
        detail=row.get("Detail", ""),
    )


def sparse(row: Row) -> Row:
    """Leave out what says nothing: None, empty text and collections, ledgers at zero."""
    return {key: value for key, value in row.items() if value or (key in TELLING_ZEROS and value is not None)}
