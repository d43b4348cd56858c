"""Fleets on AWS Batch: how many jobs, in which arrays, called what, and what it means that one does not start.

Sources: AWS Batch user guide, "Array jobs" and "Jobs stuck in a RUNNABLE status"; `SubmitJob` in its API reference.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from math import ceil

from pyanamo_async.core.text.plural import plural

MOST_CHILDREN = 10_000  # of an array; the least are 2
LONGEST_NAME = 128
PREFIX = "pyanamo-"
REASONS = {
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY": "AWS has no capacity of the kind that the queue asks for: wait, or let "
    "its compute environment use more instance types, more zones or on-demand capacity.",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE": "A job needs more CPUs than the compute environments may "
    "have: raise their maximum of vCPUs, or ask for less in the job definition.",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": "A job needs more CPUs or memory than any instance of the compute "
    "environments has: allow larger instances, or ask for less in the job definition.",
    "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS": "Batch's service role lacks a right: use the service-linked role.",
    "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED": "The instances cannot be started as they are "
    "configured: look at the launch template, the image and the instance types.",
    "ACTION_REQUIRED": "The compute environments of the queue are invalid: look at them in the console of AWS Batch.",
    "UNDETERMINED": "Batch does not know why: look at the compute environment and at the limits of the account.",
}

ENDINGS = {
    1: "the worker itself failed, and the last lines of its log say why.",
    2: "an option or a variable cannot be used as it was given, and its log says which.",
    3: "nothing was left, but items failed: `pyanamo failures` says why.",
    4: "only items were left that no living worker takes: `pyanamo status` says what they need.",
    75: "interrupted with work left, and not started again: submit more workers.",
    137: "killed, as when a container runs out of memory or a machine is lost, and not started again.",
}
"""What the exit statuses of `run` mean to whoever sees a job that Batch calls FAILED."""


def split(jobs: int) -> list[int]:
    """Return the sizes of the arrays that so many jobs take; 1 is a plain job, as an array of one is refused."""
    full, rest = divmod(jobs, MOST_CHILDREN)
    return [MOST_CHILDREN] * full + [rest] * bool(rest)


def job_name(table: str) -> str:
    """Return the name of the jobs of a table: letters, digits, hyphens and underscores.

    Names of two tables may become the same, or one the beginning of the other: a job's variables tell its table.
    """
    return (PREFIX + re.sub(r"[^A-Za-z0-9_-]", "_", table))[:LONGEST_NAME]


def jobs_needed(items: int, *, seconds_per_item: float, within: timedelta, items_at_once: int) -> int:
    """Return how many workers get so many items done in time, each with so many at once; at most one for each item."""
    workers = items * seconds_per_item / within.total_seconds() / items_at_once
    return max(1, ceil(min(items, workers)))


def why_waiting(reason: str) -> Iterator[str]:
    """Tell what a `statusReason` of a job that does not start means, and what to do about it."""
    if not reason:
        return
    told = next((sentence for begin, sentence in REASONS.items() if reason.startswith(begin)), "")
    yield f"Batch says: {reason}"
    if told:
        yield told


def why_failed(job_id: str, exit_codes: Iterable[int]) -> Iterator[str]:
    """Yield a sentence for each exit status with which jobs failed and what it means, the most frequent first."""
    for code, number in Counter(exit_codes).most_common():
        meaning = ENDINGS.get(code, "the last lines of its log say why.")
        yield f"{plural(number, 'job')} of {job_id} ended with exit status {code}: {meaning}"


def queue_position(position: int | None, *, first: int) -> str:
    """Tell where in a queue the first of ours waits, if that is among the `first` that Batch tells."""
    if position is None:
        return f"None of them is among the first {first} of the queue: others come first."
    return (
        "The first of them is at the front of the queue." if not position else f"{plural(position, 'job')} wait before."
    )


def quota_sentence(kind: str, cpus: float) -> str:
    """Tell how much of Fargate an account may use at once, in vCPUs."""
    return f"The account may use {cpus:g} vCPUs at once on {kind.replace('_', ' ').title()}; Service Quotas gives more."
