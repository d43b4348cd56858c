from .api import Table as Table, open_table as open_table
from .app.bench import BenchReport as BenchReport
from .app.running import RunResult as RunResult, run_on_loop as run_on_loop
from .app.output_settings import OutputSettings as OutputSettings
from .app.settings import WorkerSettings as WorkerSettings
from .core.counts import Counts as Counts, Ledgers as Ledgers, Quarter as Quarter
from .core.failure_policy import (
    FailurePolicy as FailurePolicy,
    Verdict as Verdict,
    parse_on_exit as parse_on_exit,
)
from .core.items import (
    Held as Held,
    Item as Item,
    Output as Output,
    State as State,
    Summary as Summary,
    Task as Task,
    TaskRecord as TaskRecord,
    TaskState as TaskState,
)
from .core.outcomes import (
    Checkpointed as Checkpointed,
    Failed as Failed,
    Interrupted as Interrupted,
    OutOfMemory as OutOfMemory,
    Outcome as Outcome,
    Succeeded as Succeeded,
    TimedOut as TimedOut,
)
from .core.pace import Pace as Pace, TimeLeft as TimeLeft
from .core.queue_lanes import Lane as Lane, OutOfReach as OutOfReach
from .core.samples import SampleRow as SampleRow, SampleStep as SampleStep
from .core.selection import Selection as Selection
from .core.tags import Misfit as Misfit
from .core.taskfile.parameters import ItemTemplate as ItemTemplate
from .core.workers import Desired as Desired, Worker as Worker
from .errors import (
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
from .fleet.membership import WorkerCondition as WorkerCondition, WorkerStatus as WorkerStatus
from .operate.adopting import AdoptResult as AdoptResult
from .operate.batch import CancelledJobs as CancelledJobs
from .operate.batch_planning import BatchPlan as BatchPlan
from .operate.changing import (
    ChangeOptions as ChangeOptions,
    ChangeResult as ChangeResult,
    OrderOptions as OrderOptions,
)
from .operate.checking import CheckedItems as CheckedItems, check_task_file as check_task_file
from .operate.findings import Finding as Finding, FindingKind as FindingKind
from .operate.explaining import Explanation as Explanation
from .operate.free_workers import NextStep as NextStep
from .operate.exporting.export import ExportResult as ExportResult
from .operate.failures import FailureGroup as FailureGroup
from .operate.id_files import read_ids as read_ids
from .operate.importing import ImportResult as ImportResult, OnExists as OnExists
from .operate.jobs import WorkerJob as WorkerJob
from .operate.logs import TaskLog as TaskLog
from .operate.many_logs import FoundLog as FoundLog
from .operate.result_files import TaskFile as TaskFile
from .operate.metrics import (
    WorkerMetrics as WorkerMetrics,
    emf_status as emf_status,
    prometheus_status as prometheus_status,
)
from .operate.reporting.report import ReportResult as ReportResult
from .operate.status import Status as Status
from .operate.waiting import WaitResult as WaitResult
from .operate.workers import ReclaimResult as ReclaimResult
from .ports import (
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
from .table_progress import sample_matrix as sample_matrix
from .table_report import (
    serve_report as serve_report,
    write_perfetto as write_perfetto,
    write_report as write_report,
)

__version__: str
__all__: list[str]
