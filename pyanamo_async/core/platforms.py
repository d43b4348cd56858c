"""Where a worker runs, as its platform names it.

1. Names come from outside: only characters are kept that are safe in keys, environments and terminals.
2. Whatever is unknown is empty. Nothing decides by it, except that no more items run at a time than the platform has
   CPUs for, unless a person says so.

Sources: AWS Batch user guide, "Job environment variables"; sbatch(1), "OUTPUT ENVIRONMENT VARIABLES"; Kubernetes,
"Expose Pod Information to Containers Through Environment Variables" and "Indexed Job". Kubernetes sets no variable with
the name of a pod: `POD_NAME`, `POD_NAMESPACE` and `NODE_NAME` are usual names for what a manifest asks for, and the
host's name is the pod's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from pyanamo_async.core.stored.columns import Column, Columns, byte_count, count, mapping, number, text
from pyanamo_async.core.values import Value, replace

LONGEST_NAME = 255  # of a host; a Batch job has a UUID and an index, an ECS task some 120 characters


class PlatformKind(StrEnum):
    """What started a worker, as far as it can know."""

    BATCH = "batch"
    ECS = "ecs"
    SLURM = "slurm"
    KUBERNETES = "kubernetes"
    HOST = "host"


class Platform(Value):
    """Where a worker runs. Empty, or None, is what is unknown, or what the platform does not have.

    `attempt` and `array_index` are those of a Batch or Slurm job, or the completion index of a Kubernetes Job. `task`
    and `cluster` are those of ECS (the ARN, and the cluster's name), `instance` an EC2 instance id, `node` that of
    Slurm or Kubernetes. `cpus` and `memory_bytes` are what the worker may use.
    `budget_bytes` is how much memory it lets its scripts use.
    """

    kind: PlatformKind = PlatformKind.HOST
    attempt: int | None = None
    array_index: int | None = None
    task: str = ""
    cluster: str = ""
    instance: str = ""
    pod: str = ""
    namespace: str = ""
    node: str = ""
    cpus: float | None = None
    memory_bytes: int | None = None
    budget_bytes: int | None = None


NOWHERE = Platform()
_COLUMNS = Columns(
    NOWHERE,
    Column("kind", "kind", PlatformKind, str),
    *(Column(name, name, count) for name in ("attempt", "array_index")),
    *(Column(name, name, text) for name in ("task", "cluster", "instance", "pod", "namespace", "node")),
    Column("cpus", "cpus", number),
    Column("memory_bytes", "memory_bytes", byte_count),
    Column("budget_bytes", "budget_bytes", byte_count),
)
FIELDS = _COLUMNS.names


class JobNames(Value):
    """A worker's name for its id, and its job as people read it; both are empty for one that is nobody's job."""

    worker: str
    job: str


def platform_of(environ: Mapping[str, str]) -> tuple[Platform, JobNames]:
    """Return what the environment says of the platform, and how the worker's job is called there."""
    if job := safe(environ.get("AWS_BATCH_JOB_ID", "")):
        attempt = safe(environ.get("AWS_BATCH_JOB_ATTEMPT", ""))
        index = _whole(environ.get("AWS_BATCH_JOB_ARRAY_INDEX", ""))
        batch = Platform(PlatformKind.BATCH, attempt=_whole(attempt), array_index=index)
        return batch, JobNames(job, f"{job} attempt {attempt}" if attempt else job)
    if job := safe(environ.get("SLURM_JOB_ID", "")):
        array, index = safe(environ.get("SLURM_ARRAY_JOB_ID", "")), _whole(environ.get("SLURM_ARRAY_TASK_ID", ""))
        name = f"{array}_{index}" if array and index is not None else job
        restarts = _whole(environ.get("SLURM_RESTART_COUNT", "")) or 0
        node, cluster = safe(environ.get("SLURMD_NODENAME", "")), safe(environ.get("SLURM_CLUSTER_NAME", ""))
        slurm = Platform(PlatformKind.SLURM, restarts + 1, index, node=node, cluster=cluster)
        return slurm, JobNames(f"slurm-{name}", f"slurm {name} attempt {restarts + 1}")
    if environ.get("KUBERNETES_SERVICE_HOST"):
        pod = safe(environ.get("POD_NAME", "") or environ.get("HOSTNAME", ""))
        namespace, node = safe(environ.get("POD_NAMESPACE", "")), safe(environ.get("NODE_NAME", ""))
        index = _whole(environ.get("JOB_COMPLETION_INDEX", ""))
        kubernetes = Platform(PlatformKind.KUBERNETES, None, index, pod=pod, namespace=namespace, node=node)
        return kubernetes, JobNames(pod, "/".join(filter(None, (namespace, pod))))
    kind = PlatformKind.ECS if environ.get("ECS_CONTAINER_METADATA_URI_V4") else PlatformKind.HOST
    return Platform(kind), JobNames("", "")


def with_task(platform: Platform, task: Platform) -> Platform:
    """Return a platform with what ECS says of the task: Batch runs its jobs there, too."""
    return replace(platform, task=task.task, cluster=task.cluster, cpus=task.cpus, memory_bytes=task.memory_bytes)


def encode_platform(platform: Platform) -> dict[str, object]:
    """Return a platform as a map, without what is unknown."""
    return _COLUMNS.encode(platform)


def read_platform(stored: object) -> Platform:
    """Return the platform of a map as stored.

    Raises:
        TypeError, ValueError: it is none.
    """
    return _COLUMNS.decode(mapping(stored))


def show_platform(platform: Platform) -> str:
    """Return where a worker runs in a few words: `ecs 3f2a in genomes`, `slurm node7`, `host i-0abc`."""
    task = platform.task.rpartition("/")[2]
    place = task or platform.instance or platform.pod or platform.node
    known = [str(platform.kind), place] if place or platform.kind is not PlatformKind.HOST else []
    around = platform.cluster if task else platform.node if platform.pod else ""
    return " ".join([*filter(None, known), *(["in" if task else "on", around] if around else [])])


def safe(name: str, *, also: str = "") -> str:
    """Return a name with only those characters that are safe wherever a worker's names go, and some more."""
    return re.sub(rf"[^A-Za-z0-9._:{also}-]", "_", name[:LONGEST_NAME])


def _whole(digits: str) -> int | None:
    return int(digits) if re.fullmatch(r"[0-9]{1,9}", digits) else None
