"""pyanamo_async: a pilot-job worker. Shell tasks in a table, any number of identical workers, one event loop each.

The public API is what `__all__` lists; `open_table` is where it begins. Nothing is imported before it is used.

The map, each line using only the lines below it:

cli/        talks: typer commands, parsing of flags, tables, JSON; on the API and values of core/
testing.py  stores in memory, for the tests of programs that use pyanamo
api.py      open_table() -> Table: all that a person can do
table_batch.py  the part of Table that has to do with its workers on AWS Batch
table_capacity.py  the part of Table that has to do with what DynamoDB takes
table_editor.py  the part of Table by which a person corrects items
table_report.py  the part of Table that draws what became of its tasks
table_files.py  the part of Table that has the files which tasks left as their results
table_results.py  the part of Table that has what is in it, as rows and files
table_progress.py  the part of Table that tells how far it is
table_reader.py  the half of Table that changes nothing
app/        wires: settings, where tables and outputs are, opening and closing them, putting a worker together
operate/    verbs of a person: import, select, change, status, failures, logs, follow, workers, reclaim, doctor
worker/     conducts one worker: the loop, one attempt, heartbeats, stopping
fleet/      how workers cooperate: membership, reclaim, when one may exit, notifications
store/      remembers: memory, sqlite, dynamodb
outputs/    carries output: files, s3, cloudwatch, memory
execution/  runs one script: event loop, process group, pipes, resource usage
aws/        the platform: session, clients, Spot notices
host/       the machine: clock, CPUs, PID 1, which processes are alive
ports/      the seams: small protocols, whose docstrings are law
core/       the rules: pure functions on items
errors.py   the whole error tree
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pyanamo_async.api import Table as Table, open_table as open_table
    from pyanamo_async.app.bench import BenchReport as BenchReport
    from pyanamo_async.app.running import RunResult as RunResult, run_on_loop as run_on_loop
    from pyanamo_async.app.output_settings import OutputSettings as OutputSettings
    from pyanamo_async.app.settings import WorkerSettings as WorkerSettings
    from pyanamo_async.core.counts import Counts as Counts, Ledgers as Ledgers, Quarter as Quarter
    from pyanamo_async.core.failure_policy import (
        FailurePolicy as FailurePolicy,
        Verdict as Verdict,
        parse_on_exit as parse_on_exit,
    )
    from pyanamo_async.core.items import (
        Held as Held,
        Item as Item,
        Output as Output,
        State as State,
        Summary as Summary,
        Task as Task,
        TaskRecord as TaskRecord,
        TaskState as TaskState,
    )
    from pyanamo_async.core.outcomes import (
        Checkpointed as Checkpointed,
        Failed as Failed,
        Interrupted as Interrupted,
        OutOfMemory as OutOfMemory,
        Outcome as Outcome,
        Succeeded as Succeeded,
        TimedOut as TimedOut,
    )
    from pyanamo_async.core.pace import Pace as Pace, TimeLeft as TimeLeft
    from pyanamo_async.core.samples import SampleRow as SampleRow, SampleStep as SampleStep
    from pyanamo_async.core.selection import Selection as Selection
    from pyanamo_async.core.tag_columns import Misfit as Misfit
    from pyanamo_async.core.taskfile.parameters import ItemTemplate as ItemTemplate
    from pyanamo_async.core.workers import Desired as Desired, Worker as Worker
    from pyanamo_async.errors import (
        BadRow as BadRow,
        BucketMissing as BucketMissing,
        Denied as Denied,
        ItemMissing as ItemMissing,
        OutputError as OutputError,
        OutputMissing as OutputMissing,
        PyanamoError as PyanamoError,
        SchemaMismatch as SchemaMismatch,
        StoreError as StoreError,
        TableMissing as TableMissing,
        TaskFileInvalid as TaskFileInvalid,
        Unavailable as Unavailable,
        UsageError as UsageError,
    )
    from pyanamo_async.fleet.membership import WorkerCondition as WorkerCondition, WorkerStatus as WorkerStatus
    from pyanamo_async.operate.adopting import AdoptResult as AdoptResult
    from pyanamo_async.operate.batch import CancelledJobs as CancelledJobs
    from pyanamo_async.operate.batch_planning import BatchPlan as BatchPlan
    from pyanamo_async.operate.changing import (
        ChangeOptions as ChangeOptions,
        ChangeResult as ChangeResult,
        OrderOptions as OrderOptions,
    )
    from pyanamo_async.operate.checking import CheckedItems as CheckedItems, check_task_file as check_task_file
    from pyanamo_async.operate.findings import Finding as Finding, FindingKind as FindingKind
    from pyanamo_async.operate.explaining import Explanation as Explanation
    from pyanamo_async.operate.free_workers import NextStep as NextStep
    from pyanamo_async.operate.exporting.export import ExportResult as ExportResult
    from pyanamo_async.operate.failures import FailureGroup as FailureGroup
    from pyanamo_async.operate.id_files import read_ids as read_ids
    from pyanamo_async.operate.importing import ImportResult as ImportResult, OnExists as OnExists
    from pyanamo_async.operate.jobs import WorkerJob as WorkerJob
    from pyanamo_async.operate.logs import TaskLog as TaskLog
    from pyanamo_async.operate.many_logs import FoundLog as FoundLog
    from pyanamo_async.operate.result_files import TaskFile as TaskFile
    from pyanamo_async.operate.metrics import (
        WorkerMetrics as WorkerMetrics,
        emf_status as emf_status,
        prometheus_status as prometheus_status,
    )
    from pyanamo_async.operate.reporting.report import ReportResult as ReportResult
    from pyanamo_async.operate.status import Status as Status
    from pyanamo_async.operate.waiting import WaitResult as WaitResult
    from pyanamo_async.operate.workers import ReclaimResult as ReclaimResult
    from pyanamo_async.ports import (
        Capacity as Capacity,
        Creation as Creation,
        Description as Description,
        EventLog as EventLog,
        FleetJob as FleetJob,
        Index as Index,
        JobOrder as JobOrder,
        JobRun as JobRun,
        Operation as Operation,
        PartCapacity as PartCapacity,
        ScalingPolicy as ScalingPolicy,
        Throughput as Throughput,
        Units as Units,
    )
    from pyanamo_async.table_progress import sample_matrix as sample_matrix
    from pyanamo_async.table_report import (
        serve_report as serve_report,
        write_perfetto as write_perfetto,
        write_report as write_report,
    )

_HOMES = {
    "pyanamo_async.api": ("Table", "open_table"),
    "pyanamo_async.app.bench": ("BenchReport",),
    "pyanamo_async.app.running": ("RunResult", "run_on_loop"),
    "pyanamo_async.app.output_settings": ("OutputSettings",),
    "pyanamo_async.app.settings": ("WorkerSettings",),
    "pyanamo_async.core.counts": ("Counts", "Ledgers", "Quarter"),
    "pyanamo_async.core.failure_policy": ("FailurePolicy", "Verdict", "parse_on_exit"),
    "pyanamo_async.core.items": ("Held", "Item", "Output", "State", "Summary", "Task", "TaskRecord", "TaskState"),
    "pyanamo_async.core.outcomes": (
        "Checkpointed",
        "Failed",
        "Interrupted",
        "OutOfMemory",
        "Outcome",
        "Succeeded",
        "TimedOut",
    ),
    "pyanamo_async.core.pace": ("Pace", "TimeLeft"),
    "pyanamo_async.core.samples": ("SampleRow", "SampleStep"),
    "pyanamo_async.core.selection": ("Selection",),
    "pyanamo_async.core.tag_columns": ("Misfit",),
    "pyanamo_async.core.taskfile.parameters": ("ItemTemplate",),
    "pyanamo_async.core.workers": ("Desired", "Worker"),
    "pyanamo_async.errors": (
        "BadRow",
        "BucketMissing",
        "Denied",
        "ItemMissing",
        "OutputError",
        "OutputMissing",
        "PyanamoError",
        "SchemaMismatch",
        "StoreError",
        "TableMissing",
        "TaskFileInvalid",
        "Unavailable",
        "UsageError",
    ),
    "pyanamo_async.fleet.membership": ("WorkerCondition", "WorkerStatus"),
    "pyanamo_async.operate.adopting": ("AdoptResult",),
    "pyanamo_async.operate.batch": ("CancelledJobs",),
    "pyanamo_async.operate.batch_planning": ("BatchPlan",),
    "pyanamo_async.operate.changing": ("ChangeOptions", "ChangeResult", "OrderOptions"),
    "pyanamo_async.operate.checking": ("CheckedItems", "check_task_file"),
    "pyanamo_async.operate.findings": ("Finding", "FindingKind"),
    "pyanamo_async.operate.explaining": ("Explanation",),
    "pyanamo_async.operate.free_workers": ("NextStep",),
    "pyanamo_async.operate.exporting.export": ("ExportResult",),
    "pyanamo_async.operate.failures": ("FailureGroup",),
    "pyanamo_async.operate.id_files": ("read_ids",),
    "pyanamo_async.operate.importing": ("ImportResult", "OnExists"),
    "pyanamo_async.operate.jobs": ("WorkerJob",),
    "pyanamo_async.operate.logs": ("TaskLog",),
    "pyanamo_async.operate.many_logs": ("FoundLog",),
    "pyanamo_async.operate.result_files": ("TaskFile",),
    "pyanamo_async.operate.metrics": ("WorkerMetrics", "emf_status", "prometheus_status"),
    "pyanamo_async.operate.reporting.report": ("ReportResult",),
    "pyanamo_async.operate.status": ("Status",),
    "pyanamo_async.operate.waiting": ("WaitResult",),
    "pyanamo_async.operate.workers": ("ReclaimResult",),
    "pyanamo_async.ports": (
        "Capacity",
        "Creation",
        "Description",
        "EventLog",
        "FleetJob",
        "Index",
        "JobOrder",
        "JobRun",
        "Operation",
        "PartCapacity",
        "ScalingPolicy",
        "Throughput",
        "Units",
    ),
    "pyanamo_async.table_progress": ("sample_matrix",),
    "pyanamo_async.table_report": ("serve_report", "write_perfetto", "write_report"),
}

__all__ = ["__version__", *(name for names in _HOMES.values() for name in names)]


def __getattr__(name: str) -> object:
    """Import a public name from the module that defines it, when it is first used."""
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(home), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
