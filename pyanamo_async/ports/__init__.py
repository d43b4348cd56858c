"""The protocols between rooms, one for each need. `tests/contract` holds every implementation to their docstrings.

1. Implementations raise `errors.Unavailable` for what may succeed later (throttling, resets, 5xx, a locked file), and
   other errors of `errors` for what will not.
2. They retry for at most a few seconds, except output, which waits up to five minutes. They decide nothing about items.
"""

from pyanamo_async.ports.capacity import Capacity, CapacityAdmin, Operation, PartCapacity, ScalingPolicy, Throughput
from pyanamo_async.ports.description import (
    NO_OPTIONS,
    Creation,
    Description,
    Index,
    Indexes,
    TableAdmin,
    TableOptions,
    Units,
)
from pyanamo_async.ports.jobs import NO_LONGER_KNOWN, FleetJob, FleetJobs, Job, JobOrder, JobRun, JobService
from pyanamo_async.ports.lanes import LaneReader
from pyanamo_async.ports.notifications import Notifications
from pyanamo_async.ports.output import (
    ObjectKey,
    ObjectStore,
    OutputKey,
    OutputStore,
    Sink,
    StoredObject,
    UnfinishedOutput,
)
from pyanamo_async.ports.output_tails import OutputTails
from pyanamo_async.ports.platform import (
    BucketCondition,
    Caller,
    Image,
    JobDefinition,
    JobQueue,
    Platform,
    RetryRule,
    TableCondition,
)
from pyanamo_async.ports.runtime import Clock, EventLog, Processes, Runtime
from pyanamo_async.ports.scripts import Command, Exit, Launcher, Process, Receiver
from pyanamo_async.ports.table import (
    INDEX_LAG_AT_MOST,
    AddResult,
    ItemQueue,
    ItemReader,
    Store,
    WorkerRegistry,
)

__all__ = [
    "INDEX_LAG_AT_MOST",
    "NO_LONGER_KNOWN",
    "NO_OPTIONS",
    "AddResult",
    "BucketCondition",
    "Caller",
    "Capacity",
    "CapacityAdmin",
    "Clock",
    "Command",
    "Creation",
    "Description",
    "EventLog",
    "Exit",
    "FleetJob",
    "FleetJobs",
    "Image",
    "Index",
    "Indexes",
    "ItemQueue",
    "ItemReader",
    "Job",
    "JobDefinition",
    "JobOrder",
    "JobQueue",
    "JobRun",
    "JobService",
    "LaneReader",
    "Launcher",
    "Notifications",
    "ObjectKey",
    "ObjectStore",
    "Operation",
    "OutputKey",
    "OutputStore",
    "OutputTails",
    "PartCapacity",
    "Platform",
    "Process",
    "Processes",
    "Receiver",
    "RetryRule",
    "Runtime",
    "ScalingPolicy",
    "Sink",
    "Store",
    "StoredObject",
    "TableAdmin",
    "TableCondition",
    "TableOptions",
    "Throughput",
    "UnfinishedOutput",
    "Units",
    "WorkerRegistry",
]
