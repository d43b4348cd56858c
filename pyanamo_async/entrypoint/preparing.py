"""Bring scripts and environment into place: all that happens before the worker, in order."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from pyanamo_async.core.values import Value
from pyanamo_async.entrypoint.archive import ArchiveRefused, Limits
from pyanamo_async.entrypoint.request import (
    DEFAULT_TMPDIR,
    FOLDER,
    SQLITE,
    Request,
    Scripts,
    merge,
    table_name,
    work_folder,
)
from pyanamo_async.entrypoint.sourcing import check_syntax, source
from pyanamo_async.entrypoint.unpacking import remove, unpack
from pyanamo_async.errors import OutputError, PyanamoError
from pyanamo_async.host.retry import RetrySchedule, retry

CONFIGURATION = "job-conf.sh"
LIMITS = Limits()
SCHEDULE = RetrySchedule(limit_s=60.0)  # thousands may start at once
CHUNK_BYTES = 1 << 20


class Prepared(Value):
    """What the worker, or a command, gets: its environment and its working directory; `sourced` are the set-ups."""

    environment: dict[str, str]
    folder: Path
    sourced: tuple[Path, ...] = ()


def prepare(
    request: Request, environment: Mapping[str, str], *, note: Callable[[str], None], begin: Callable[[str], None]
) -> Prepared:
    """Fetch and unpack scripts, set the environment up, and make the working directory.

    `begin` is told what is done next.
    With `check` set-up scripts are parsed, not sourced, and what was unpacked is removed.

    Raises:
        PyanamoError: something is missing, refused, or fails.
        OSError: a folder cannot be written.
    """
    job = {name: value for name, value in environment.items() if value or name == "PYANAMO"}
    tmpdir, folder = Path(job.get("TMPDIR", DEFAULT_TMPDIR)).absolute(), Path(work_folder(job)).absolute()
    tmpdir.mkdir(parents=True, exist_ok=True)
    given = _absolute({"TMPDIR": str(tmpdir), "wrk": str(folder), **job})
    pipeline = _pipeline(request.scripts, job, tmpdir, note=note, begin=begin)
    if pipeline:
        path = f"{job.get('PATH', os.defpath)}:{pipeline}"
        given = {"PYANAMO": str(pipeline), **given, "PIPELINE": str(pipeline), "PATH": path}
    keep = False
    try:
        prepared = _set_up(request, job, given, pipeline, folder, note=note, begin=begin)
        keep = not request.check
    finally:
        if pipeline and request.scripts and not keep:
            remove(pipeline, tmpdir)
    return prepared


def _set_up(
    request: Request,
    job: Mapping[str, str],
    given: Mapping[str, str],
    pipeline: Path | None,
    folder: Path,
    *,
    note: Callable[[str], None],
    begin: Callable[[str], None],
) -> Prepared:
    begin(f"making the folder {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PyanamoError(f"the working directory {folder} cannot be written", hint="give another: PYANAMO_WORKDIR")
    scripts = _set_up_scripts(job, pipeline)
    for script in scripts:
        if request.check:
            check_syntax(script)
            continue
        begin(f"sourcing {script}")
        merged = merge(job, given, source(script, given, folder=folder))
        given = merged.environment
        for name in merged.protected:
            note(f"{script.name} sets {name}, which is not taken over: AWS_*, LD_* and PYANAMO_* are the job's alone")
        for name in merged.kept:
            note(f"{script.name} sets {name}; that of the job stays. hint: write {name}=${{{name}:-...}} there")
    return Prepared(dict(given), folder, tuple(scripts))


def _pipeline(
    scripts: Scripts | None,
    job: Mapping[str, str],
    tmpdir: Path,
    *,
    note: Callable[[str], None],
    begin: Callable[[str], None],
) -> Path | None:
    """Return the folder of the pipeline: of the archive, or the one that the image has."""
    if scripts is None:
        return Path(job["PIPELINE"]).absolute() if job.get("PIPELINE") else None
    if not scripts.is_pinned:
        note(
            f"{scripts.address} is not pinned: whoever may write there runs commands here. hint: PYANAMO_SCRIPTS_SHA256"
        )
    try:
        with tempfile.TemporaryDirectory(prefix="pyanamo-fetch-", dir=tmpdir) as scratch:
            begin(f"fetching {scripts.address}")
            region = job.get("AWS_REGION") or job.get("AWS_DEFAULT_REGION")
            archive = fetch(scripts, Path(scratch) / "archive", region=region, limits=LIMITS)
            begin(f"unpacking {scripts.address}")
            return unpack(archive, tmpdir, limits=LIMITS)
    except ArchiveRefused as error:
        raise ArchiveRefused(f"{scripts.address} is refused: {error.what}", hint=error.hint) from error
    except PyanamoError as error:
        raise PyanamoError(f"the scripts {scripts.address} cannot be had: {error.what}", hint=error.hint) from error


def _set_up_scripts(job: Mapping[str, str], pipeline: Path | None) -> list[Path]:
    """Return the scripts to source, in order.

    Raises:
        PyanamoError: the one that `PYANAMO_SETUP` names does not exist.
    """
    scripts = []
    if named := job.get("PYANAMO_SETUP"):
        scripts.append((pipeline or Path()) / named)
        if not scripts[0].is_file():
            raise PyanamoError(
                f"there is no set-up {scripts[0]}", hint="PYANAMO_SETUP is a path, or one in the archive"
            )
    elif pipeline:
        scripts.append(pipeline / CONFIGURATION)
    if pipeline and job.get("PYANAMO_TABLE"):
        scripts.append(pipeline / "setup" / f"{table_name(job['PYANAMO_TABLE'])}.sh")
    return [script.absolute() for script in scripts if script.is_file()]


def _absolute(environment: Mapping[str, str]) -> dict[str, str]:
    """Write relative paths of a table and its output as they are from here: the worker stands elsewhere."""
    table, output = environment.get("PYANAMO_TABLE", ""), environment.get("S3_BUCKET", "")
    changed = {}
    if table.startswith(SQLITE):
        changed["PYANAMO_TABLE"] = SQLITE + str(Path(table.removeprefix(SQLITE)).expanduser().absolute())
    if output.startswith(FOLDER):
        changed["S3_BUCKET"] = FOLDER + str(Path(output.removeprefix(FOLDER)).expanduser().absolute())
    return {**environment, **changed}


def fetch(scripts: Scripts, into: Path, *, region: str | None, limits: Limits) -> Path:
    """Bring an archive to the file `into` if it is in a bucket, check it, and return where it is.

    Raises:
        ArchiveRefused: it is too large, or its checksum is another.
        PyanamoError: it cannot be had.
    """
    if scripts.bucket:
        asyncio.run(retry(lambda: _download(scripts, into, region, limits), SCHEDULE))
        path = into
    else:
        path = Path(scripts.path)
        if not path.is_file():
            raise PyanamoError(
                "there is no such file", hint="write s3://bucket/key, or the path of a file in the image"
            )
    if scripts.sha256:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not hmac.compare_digest(found, scripts.sha256):
            raise ArchiveRefused(f"its SHA-256 is {found}, not {scripts.sha256}")
    return path


async def _download(scripts: Scripts, into: Path, region: str | None, limits: Limits) -> None:
    from pyanamo_async.aws.errors import translated
    from pyanamo_async.aws.session import Aws

    version: Any = {"VersionId": scripts.version} if scripts.version else {}
    async with Aws(region=region, concurrency=1) as aws:
        s3 = await aws.s3()
        with translated(scripts.address, otherwise=OutputError):
            reply = await s3.get_object(Bucket=scripts.bucket, Key=scripts.key, **version)
            expected, received = reply["ContentLength"], 0
            if expected > limits.archive_bytes:
                raise ArchiveRefused(f"it has {expected:,} bytes; at most {limits.archive_bytes:,} are unpacked")
            with closing(reply["Body"]) as body, into.open("wb") as file:
                while chunk := await body.read(CHUNK_BYTES):
                    received += len(chunk)
                    file.write(chunk)
    if received != expected:
        raise OutputError(f"{received:,} of {expected:,} bytes came")
