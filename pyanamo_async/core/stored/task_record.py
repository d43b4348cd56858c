"""Task records as stored rows: the part of `core.stored.record` for one attempt, under the same laws."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pyanamo_async.core.items import Output, TaskRecord
from pyanamo_async.core.memory.measure import Measure
from pyanamo_async.core.outcomes import (
    Checkpointed,
    Failed,
    Interrupted,
    InterruptReason,
    OutOfMemory,
    Succeeded,
    TimedOut,
)
from pyanamo_async.core.results import CheckpointUse, Results
from pyanamo_async.core.stored.columns import (
    Column,
    Columns,
    Row,
    byte_count,
    count,
    duration_column,
    number,
    read_as,
    seconds,
    text,
    time_column,
)
from pyanamo_async.core.stored.queue_key import EPOCH
from pyanamo_async.core.values import replace

RECORD = Columns(
    TaskRecord(Succeeded(), started=EPOCH, finished=EPOCH, seconds=-1.0, attempt=0, worker=""),
    time_column("Started", "started"),
    time_column("Finished", "finished"),
    Column("Seconds", "seconds", number),
    Column("Max_RSS", "max_rss_bytes", byte_count),
    Column("Max_RSS_By", "max_rss_by", Measure, str),
    Column("CPU_Seconds", "cpu_seconds", number),
    Column("Attempt", "attempt", count),
    Column("Worker", "worker", text),
)
NO_RESULTS, NO_CHECKPOINT = Results(), CheckpointUse()
RESULTS = Columns(
    Results(),
    Column("Results_at", "at", text),
    Column("Results_Files", "files", byte_count),
    Column("Results_Bytes", "size_bytes", byte_count),
)
CHECKPOINT = Columns(
    CheckpointUse(),
    Column("Checkpoint", "stored", text),
    Column("Checkpoint_Files", "files", byte_count),
    Column("Checkpoint_Bytes", "size_bytes", byte_count),
    Column("Checkpoint_Seconds", "seconds", seconds),
    Column("Restored_From", "restored", text),
    Column("Restored_Seconds", "restored_seconds", seconds),
    Column("Progress", "made_progress", bool, int),
)
OUTCOMES: dict[str, Columns[Any]] = {
    "Succeeded": Columns(Succeeded()),
    "Checkpointed": Columns(Checkpointed()),
    "Failed": Columns(
        Failed(),
        Column("Exit_Code", "exit_code", count),
        Column("Signal", "signal", count),
        Column("Detail", "detail", text),
    ),
    "TimedOut": Columns(TimedOut(timedelta.max), duration_column("Limit", "limit")),
    "OutOfMemory": Columns(OutOfMemory(), Column("Exit_Code", "exit_code", count), Column("Signal", "signal", count)),
    "Interrupted": Columns(Interrupted(InterruptReason.FENCED), Column("Why", "why", InterruptReason, str)),
}  # the defaults are values that are never stored: a fenced worker writes no record
STDOUT, STDERR = (
    Columns(
        Output(),
        Column(stream, "text", text),
        Column(f"{stream}_at", "at", text),
        Column(f"{stream}_bytes", "size_bytes", byte_count),
        Column(f"{stream}_lines", "lines", byte_count),
        Column(status, "status", text),
        *tags,
    )
    for stream, status, tags in (
        ("stdout", "Log_Status", [Column("Tags", "tags", byte_count), Column("Tags_Cut", "tags_cut", byte_count)]),
        ("stderr", "Log_Status_stderr", []),
    )
)


def encode_record(record: TaskRecord) -> Row:
    """Return the row of a task record."""
    outcome = record.outcome
    status = (
        {"Status": outcome.status, "Exit_Code": 0} if isinstance(outcome, Succeeded) else {"Status": outcome.status}
    )
    own = status | OUTCOMES[outcome.status].encode(outcome)
    known = own | RECORD.encode(record) | STDOUT.encode(record.stdout) | STDERR.encode(record.stderr)
    if record.results != NO_RESULTS:
        known |= RESULTS.encode(record.results)
    return known | CHECKPOINT.encode(record.checkpoint) if record.checkpoint != NO_CHECKPOINT else known


def decode_record(row: Mapping[str, Any]) -> TaskRecord:
    """Return the task record of a row; any error means that it cannot be read."""
    status = read_as(text, "Status", row["Status"])
    if status not in OUTCOMES:
        raise ValueError(f"Status is {status!r}, none that is known")
    outcome, stdout, stderr = OUTCOMES[status].decode(row), STDOUT.decode(row), STDERR.decode(row)
    record = replace(RECORD.decode(row), outcome=outcome, stdout=stdout, stderr=stderr)
    if RESULTS.names[0] in row:
        record = replace(record, results=RESULTS.decode(row))
    has_checkpoint = not row.keys().isdisjoint(CHECKPOINT.names)
    return replace(record, checkpoint=CHECKPOINT.decode(row)) if has_checkpoint else record
