"""The entrypoint as a process: archives from S3 and from files, set-up scripts, and what ends it before any claim."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.program import PATIENCE_S, Program, program, until
from tests.entrypoint.test_unpacking import a_file, tar_of, zip_of
from tests.recovery.test_first_process import ALONE, ZOMBIES, can_be_alone, first_process

CONF = b"bucket=s3://conf\nref=${bucket}/ref\nAWS_REGION=nowhere\nfree=yes\n"
SETUP = b"later=$ref/2\ntouch $wrk/was-set-up\n"
TASK = "p.sh; echo $ref $later $bucket; echo $PIPELINE $PYANAMO; pwd; echo $wrk"


@pytest.fixture
def step(tmp_path: Path) -> Program:
    (tmp_path / "tmp").mkdir()
    return program(tmp_path, table="sqlite:step.db", bucket="file:logs", env={"TMPDIR": str(tmp_path / "tmp")})


def scripts(**more: bytes) -> bytes:
    """Pack a pipeline; `setup_step` is its file setup/step.sh."""
    files = {"p.sh": b"#!/bin/sh\necho ran\n", "job-conf.sh": CONF, "setup/step.sh": SETUP} | {
        name.replace("_", "/") + ".sh": content for name, content in more.items()
    }
    return tar_of(*(a_file(f"pipe/{name}", content) for name, content in files.items()))


def start(
    step: Program, *arguments: str, alone: bool = False, env: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    words = [*(ALONE if alone else ()), sys.executable, "-m", "pyanamo_async.entrypoint", *arguments]
    bare = {name: value for name, value in step.env.items() if name != "PYANAMO"}
    return subprocess.Popen(
        words, cwd=step.folder, env={**bare, **(env or {})}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(step: Program, *arguments: str, **env: str) -> tuple[int, str, str]:
    process = start(step, *arguments, env=env)
    out, said = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, said


def items(step: Program, *rows: str) -> None:
    step.import_rows(*(rows or (f"a|s|{TASK}",)))


def nothing_was_claimed(step: Program) -> bool:
    return all(row["ItemState"] == "todo" and "Attempt" not in row for row in step.rows().values())


def test_a_worker_runs_with_the_scripts_of_an_archive_in_s3(
    step: Program, bucket: str, aws_env: dict[str, str]
) -> None:
    """On PATH, with what the set-ups assigned; the job's own variables win, and what is protected stays."""
    items(step)
    aws = Program(step.table, step.bucket, step.folder, {**step.env, **aws_env})
    packed = scripts()
    aws.client("s3").put_object(Bucket=bucket, Key="scripts.tar.gz", Body=packed)

    status, _, said = run(
        aws,
        PYANAMO_SCRIPTS=f"s3://{bucket}/scripts.tar.gz",
        PYANAMO_SCRIPTS_SHA256=hashlib.sha256(packed).hexdigest(),
        PYANAMO_ITEMS="1",
        PYANAMO_ITEM="1",
        bucket="s3://job",
    )

    assert status == 0, said
    ran, variables, places, here, wrk = step("logs", "a").splitlines()
    work = str(step.folder / "tmp" / "step")
    assert (ran, variables, here, wrk) == ("ran", "s3://conf/ref s3://conf/ref/2 s3://job", work, work)
    pipeline, pyanamo = places.split()
    assert pipeline == pyanamo
    assert Path(pipeline, "p.sh").is_file()
    assert "sets AWS_REGION, which is not taken over" in said
    assert "sets bucket; that of the job stays" in said
    assert "did you mean PYANAMO_ITEMS?" in said
    assert "not pinned" not in said


def test_an_archive_that_is_not_pinned_is_warned_of(step: Program, bucket: str, aws_env: dict[str, str]) -> None:
    """A version pins it as a checksum does, and another checksum refuses it; a bucket that is not there is named."""
    items(step)
    aws = Program(step.table, step.bucket, step.folder, {**step.env, **aws_env})
    s3 = aws.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="x", Body=scripts())["VersionId"]
    s3.put_object(Bucket=bucket, Key="x", Body=b"something else")

    assert "not pinned" in run(aws, "--check", f"s3://{bucket}/x")[2]
    status, out, said = run(aws, "--check", f"s3://{bucket}/x?versionId={version}")
    assert (status, "pinned" in said, "would run: pyanamo run" in out) == (0, False, True)
    status, _, said = run(aws, f"s3://{bucket}/x?versionId={version}", PYANAMO_SCRIPTS_SHA256="0" * 64)
    assert (status, "its SHA-256 is" in said) == (1, True)
    status, _, said = run(aws, "s3://no-such-bucket-here/x")
    assert (status, "does not exist" in said) == (1, True)
    assert nothing_was_claimed(step)


def test_what_is_wrong_ends_it_before_any_claim(step: Program) -> None:
    """With status 1 and the reason in a line."""
    items(step)
    file = step.folder / "x.tar.gz"
    file.write_bytes(scripts(setup_step=b"true\nls /no/such/place\n"))
    (step.folder / "bad.zip").write_bytes(zip_of(("../x", 0o644, b"x")))
    (step.folder / "function.tar.gz").write_bytes(scripts(setup_step=b"f() { false; }; f\n"))
    (step.folder / "exits.tar.gz").write_bytes(scripts(setup_step=b"exit 0\n"))

    for arguments, env, why in [
        (["x.tar.gz"], {}, "setup/step.sh: line 2: `ls /no/such/place` failed"),
        (["exits.tar.gz"], {}, "ended the shell"),
        (["function.tar.gz"], {}, "setup/step.sh: line 1: `false` failed"),
        (["bad.zip"], {}, "bad.zip is refused: a path leads through '..'"),
        (["none.zip"], {}, "there is no such file"),
        (["x.tar.gz"], {"PYANAMO_SETUP": "other.sh"}, "there is no set-up"),
        ([], {"PYANAMO_TABLE": "", "S3_BUCKET": ""}, "PYANAMO_TABLE and S3_BUCKET must be set"),
        ([], {"PYANAMO_LEASE": "soon"}, "PYANAMO_LEASE"),
        (["--no-such-flag"], {}, "No such option"),
        (["no-such-command"], {}, "there is no command no-such-command"),
    ]:
        status, _, said = run(step, *arguments, **env)
        assert (status, why in said, "Traceback" in said) == (1, True, False), said
    assert nothing_was_claimed(step)
    assert [each.name for each in (step.folder / "tmp").iterdir() if each.name != "step"] == []


def test_check_runs_nothing_of_the_archive(step: Program) -> None:
    """It parses the set-ups, and shows what would run."""
    items(step)
    (step.folder / "x.tar.gz").write_bytes(scripts(setup_step=b"touch $wrk/ran\n"))
    (step.folder / "bad.tar.gz").write_bytes(scripts(setup_step=b"if\n"))

    status, out, said = run(step, "--check", "x.tar.gz", "-i", "2")
    assert (status, out.splitlines()[-1]) == (0, "would run: pyanamo run -i 2"), said
    assert not (step.folder / "tmp/step/ran").exists()
    status, _, said = run(step, "--check", "bad.tar.gz")
    assert (status, "cannot be parsed" in said) == (1, True)
    assert [each.name for each in (step.folder / "tmp").iterdir()] == ["step"]


def test_a_command_runs_in_place_of_the_worker(step: Program) -> None:
    """With the same environment, and its own exit status; a pipeline in the image needs no archive."""
    pipeline = step.folder / "pipeline"
    pipeline.mkdir()
    (pipeline / "job-conf.sh").write_text("x=1\n")

    status, out, _ = run(step, "bash", "-c", "echo $x $PIPELINE; exit 7", PIPELINE=str(pipeline))

    assert (status, out) == (7, f"1 {pipeline}\n")


def test_a_command_may_be_one_of_the_archive(step: Program) -> None:
    """It is on PATH as for tasks; one that is nowhere is named."""
    (step.folder / "x.tar.gz").write_bytes(scripts())

    assert run(step, "x.tar.gz", "p.sh")[:2] == (0, "ran\n")
    status, _, said = run(step, "x.tar.gz", "q.sh")
    assert (status, "there is no command q.sh" in said) == (1, True)


def test_a_table_that_a_flag_names_is_where_the_container_started(step: Program) -> None:
    """As one that a variable names: the worker stands elsewhere."""
    items(step)
    (step.folder / "x.tar.gz").write_bytes(scripts())

    status, _, said = run(step, "x.tar.gz", "-t", step.table, "-b", "file:logs", PYANAMO_TABLE="", S3_BUCKET="")

    assert status == 0, said
    assert step("logs", "a").startswith("ran\n")


@pytest.mark.parametrize("alone", [False, True], ids=["a process", "the first process"])
def test_a_stop_during_the_set_up_ends_it(step: Program, alone: bool) -> None:
    """With 75, as nothing was begun; what the set-up had started ends, too."""
    if alone and not can_be_alone():
        pytest.skip("needs namespaces of processes (unshare)")
    items(step)
    (step.folder / "x.tar.gz").write_bytes(scripts(setup_step=b"touch $wrk/begun; sleep 3000\n"))

    process = start(step, "x.tar.gz", alone=alone)
    until((step.folder / "tmp/step/begun").exists)
    if alone:
        first_process(process).terminate()
    else:
        process.terminate()
    _, said = process.communicate(timeout=PATIENCE_S)

    assert (process.returncode, "stopped by SIGTERM" in said) == (75, True), said
    assert nothing_was_claimed(step)


def test_a_set_up_that_hangs_ends(step: Program) -> None:
    """With 75, so that it is tried again elsewhere; the line names the script."""
    items(step)
    pipeline = step.folder / "pipeline"
    pipeline.mkdir()
    (pipeline / "job-conf.sh").write_text("sleep 3000\n")

    status, _, said = run(step, PIPELINE=str(pipeline), PYANAMO_SETUP_TIMEOUT="1s")

    assert status == 75, said
    assert f"has not ended within 1s: it was sourcing {pipeline}/job-conf.sh. hint: PYANAMO_SETUP_TIMEOUT" in said
    assert nothing_was_claimed(step)


def test_scripts_that_never_come_are_named(step: Program) -> None:
    """A storage that takes the request and does not answer would be waited for, again and again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-west-2"}
        status, _, said = run(
            step, "s3://bucket/x.zip", PYANAMO_SETUP_TIMEOUT="2s", AWS_ENDPOINT_URL_S3=endpoint, **keys
        )

    assert (status, "within 2s: it was fetching s3://bucket/x.zip" in said) == (75, True), said
    assert [each.name for each in (step.folder / "tmp").iterdir()] == []


STUBBORN = """
import sys, time
from datetime import timedelta
from pyanamo_async.entrypoint import time_limit
time_limit.LAST_S = 0.05
with time_limit.TimeLimit(timedelta(seconds=0.05), say=print).running():
    while True:
        try:
            time.sleep(3000)
        except SystemExit:
            sys.stdout.flush()
"""


def test_what_cannot_be_interrupted_ends_all_the_same() -> None:
    """A step that goes on when it is told to end gets a little longer, and says so once."""
    words = [sys.executable, "-c", STUBBORN]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    assert (ended.returncode, ended.stdout.count("it was beginning")) == (75, 1), ended.stderr


@pytest.mark.skipif(not can_be_alone(), reason="needs namespaces of processes (unshare)")
def test_the_first_process_of_a_container_becomes_the_worker(step: Program) -> None:
    """What a set-up leaves behind is reaped, SIGTERM reaches the worker, and what it held goes back."""
    items(step, f"a|s|sleep 0.5; {ZOMBIES} >$wrk/zombies; touch $wrk/begun; sleep 3000")
    (step.folder / "x.tar.gz").write_bytes(scripts(setup_step=b"setsid sleep 0.1 >/dev/null 2>&1 &\n"))

    process = start(step, "x.tar.gz", "--grace", "0s", alone=True)
    until((step.folder / "tmp/step/begun").exists)
    first_process(process).terminate()
    _, said = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 75, said
    assert (step.folder / "tmp/step/zombies").read_text() == "0\n"
    assert step.rows()["a"]["ItemState"] == "todo"
