"""Where a worker runs, from what its environment says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.platforms import (
    NOWHERE,
    JobNames,
    Platform,
    PlatformKind,
    encode_platform,
    platform_of,
    read_platform,
    show_platform,
    with_task,
)

JOB = "0b5b1d7f-b7bc-4f8f-9a4f-3e5c0a2c1b11"
URI = "http://169.254.170.2/v4/1"
TASK = "arn:aws:ecs:eu-west-2:012345678901:task/genomes/158d1c8083dd49d6b527399fd6414f5c"
BATCH = {"AWS_BATCH_JOB_ID": f"{JOB}:42", "AWS_BATCH_JOB_ATTEMPT": "2", "AWS_BATCH_JOB_ARRAY_INDEX": "42"}
SLURM = {"SLURM_JOB_ID": "108", "SLURMD_NODENAME": "node7", "SLURM_CLUSTER_NAME": "hpc"}
ARRAY = SLURM | {"SLURM_ARRAY_JOB_ID": "100", "SLURM_ARRAY_TASK_ID": "8", "SLURM_RESTART_COUNT": "1"}
KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "genomes-3-x7k2p", "JOB_COMPLETION_INDEX": "3"}
POD = KUBERNETES | {"POD_NAME": "genomes-3", "POD_NAMESPACE": "lab", "NODE_NAME": "ip-10-0-0-7"}


@pytest.mark.parametrize(
    ("environ", "platform", "names", "shown"),
    [
        ({}, NOWHERE, JobNames("", ""), ""),
        (
            BATCH | {"ECS_CONTAINER_METADATA_URI_V4": URI},
            Platform(PlatformKind.BATCH, 2, 42),
            (f"{JOB}:42",) * 2,
            "batch",
        ),
        ({"ECS_CONTAINER_METADATA_URI_V4": URI}, Platform(PlatformKind.ECS), ("", ""), "ecs"),
        (
            SLURM,
            Platform(PlatformKind.SLURM, 1, node="node7", cluster="hpc"),
            ("slurm-108", "slurm 108"),
            "slurm node7",
        ),
        (
            ARRAY,
            Platform(PlatformKind.SLURM, 2, 8, node="node7", cluster="hpc"),
            ("slurm-100_8", "slurm 100_8"),
            "slurm node7",
        ),
        (
            KUBERNETES,
            Platform(PlatformKind.KUBERNETES, None, 3, pod="genomes-3-x7k2p"),
            ("genomes-3-x7k2p",) * 2,
            "kubernetes genomes-3-x7k2p",
        ),
        (
            POD,
            Platform(PlatformKind.KUBERNETES, None, 3, pod="genomes-3", namespace="lab", node="ip-10-0-0-7"),
            ("genomes-3", "lab/genomes-3"),
            "kubernetes genomes-3 on ip-10-0-0-7",
        ),
    ],
    ids=["laptop", "batch", "ecs", "slurm", "slurm array", "kubernetes", "pod"],
)
def test_a_platform_is_known_by_its_variables(
    environ: dict[str, str], platform: Platform, names: tuple[str, str], shown: str
) -> None:
    """Its kind, what it calls the job, and in which attempt at it the worker is."""
    found, called = platform_of(environ)
    attempt = f" attempt {platform.attempt}" if platform.attempt else ""

    assert found == platform
    assert isinstance(names, JobNames) or called == JobNames(names[0], names[1] + attempt)
    assert show_platform(found) == shown


def test_batch_outranks_ecs_whose_task_is_added() -> None:
    """A job of Batch is a task of ECS, too."""
    task = Platform(PlatformKind.ECS, task=TASK, cluster="genomes", cpus=4.0, memory_bytes=8 << 30)
    found = with_task(platform_of(BATCH)[0], task)

    assert (found.kind, found.attempt, found.task, found.cpus) == (PlatformKind.BATCH, 2, TASK, 4.0)
    assert show_platform(found) == "batch 158d1c8083dd49d6b527399fd6414f5c in genomes"


NAMES = st.sampled_from([*BATCH, *ARRAY, *POD, "ECS_CONTAINER_METADATA_URI_V4"])


@given(st.dictionaries(NAMES, st.text(max_size=300)))
def test_no_variable_breaks_a_worker(environ: dict[str, str]) -> None:
    """Whatever they hold, what comes of it is safe, and is read again as it was written."""
    found, called = platform_of(environ)

    assert read_platform(encode_platform(found)) == found
    assert all(text.isascii() and text.isprintable() for text in (called.worker, called.job, show_platform(found)))
    assert "/" not in called.worker
    assert "\n" not in called.worker
