"""Identify this worker: by an id that no other start of any worker shares, and by the job it is on AWS Batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """A worker's id, its host, and the platform's own name for the job (empty outside AWS Batch)."""

    worker_id: str
    host: str
    job: str = ""


def identify(environ: Mapping[str, str], *, host: str, nonce: str) -> Identity:
    """Return the identity of a worker; `nonce` is new for each start: a Batch job id repeats across attempts.

    Source: AWS Batch user guide, "Job environment variables".
    """
    job = environ.get("AWS_BATCH_JOB_ID", "")
    attempt = environ.get("AWS_BATCH_JOB_ATTEMPT", "")
    return Identity(
        worker_id=f"{job or host}-{nonce}", host=host, job=f"{job} attempt {attempt}" if job and attempt else job
    )
