"""A bucket that fails in the middle of an upload: `make big` has 30 s and every way of it, `make slow` 3; or for good.

The output is random bytes, so that it goes out in parts, and printed in two halves: the bucket fails between them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import signal
import time
from collections.abc import Iterator

import pytest

from harness.program import Program, Row, program, until
from tests.acceptance.conftest import on_aws
from tests.stress.proxy import Fault, Proxy, always, fair, proxied
from tests.stress.workers import fleet

__all__ = ["on_aws"]  # a fixture

FULL = "PYANAMO_TEST_BIG" in os.environ
AWAY_S = 30 if FULL else 3
UPLOAD_PATIENCE_S = 300
PLATFORM_S = 30  # between SIGTERM and SIGKILL
ALL = ("PUT", "POST", "DELETE", "GET")
PARTS_OF_THE_CHECK = 1  # which a worker makes at its start
HALF_BYTES = 40_000_000  # the second half is more than the worker takes while nothing goes out
in_full = pytest.mark.skipif(not FULL, reason="another way of failing, or five minutes of patience: `make big`")
LAST_WORDS = "that was the last of it"
SCRIPT = f"cat half; until test -e go-on; do sleep 0.1; done; cat half; touch printed; echo {LAST_WORDS}"


@pytest.fixture
def bucket_proxy(on_aws: Program) -> Iterator[Proxy]:
    """What stands between workers and the bucket."""
    with proxied(on_aws.env["AWS_ENDPOINT_URL_S3"]) as proxy:
        yield proxy


@pytest.fixture
def far(on_aws: Program, bucket_proxy: Proxy) -> Program:
    """The program, behind the proxy, with an item to run."""
    (on_aws.folder / "half").write_bytes(os.urandom(HALF_BYTES))
    on_aws.import_rows(f"a|s|{SCRIPT}")
    env = {**on_aws.env, "AWS_ENDPOINT_URL_S3": bucket_proxy.address}
    return program(on_aws.folder, table=on_aws.table, bucket=on_aws.bucket, env=env)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(None, id="refuses connections"),
        pytest.param(Fault.UNAVAILABLE, marks=in_full, id="answers 503"),
    ],
)
def test_a_bucket_that_fails_for_a_while_loses_no_byte(
    on_aws: Program, far: Program, bucket_proxy: Proxy, fault: Fault | None
) -> None:
    """The script waits, for as long as it takes; then all it printed is stored, by its first attempt."""
    with fleet(far, 1) as workers:
        _fail_between_the_halves(on_aws, bucket_proxy, fault)
        workers.pause(AWAY_S)
        assert not (on_aws.folder / "printed").exists()
        bucket_proxy.weather = fair
        if fault is None:
            bucket_proxy.back()
        assert workers.codes() == [0]

    row = on_aws.rows()["a"]
    assert (row["ItemState"], row["Attempt"]) == ("done", 1)
    assert "Log_Status" not in row["Log"]
    assert _sha256(_stored(on_aws, row["Log"])) == _sha256(_printed(on_aws))
    assert _uploads(on_aws) == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        pytest.param(Fault.DENIED, "denied (AccessDenied)", id="denies"),
        pytest.param(
            None,
            "tried again for 5 minutes",
            marks=in_full,
            id="is gone",
        ),
    ],
)
def test_a_bucket_that_fails_for_good_costs_the_log_alone(
    on_aws: Program, far: Program, bucket_proxy: Proxy, fault: Fault | None, why: str
) -> None:
    """The item is done; its record says why the log is missing, has the end of it, and `logs` says so too."""
    with fleet(far, 1) as workers:
        _fail_between_the_halves(on_aws, bucket_proxy, fault)
        if fault is None:
            workers.pause(UPLOAD_PATIENCE_S - 30)
        assert workers.codes() == [0]

    row = on_aws.rows()["a"]
    record = row["Log"]
    assert (row["ItemState"], row["Attempt"], record["Status"]) == ("done", 1, "Succeeded")
    assert why in record["Log_Status"]
    assert "stdout_at" not in record
    assert record["stdout_bytes"] == 2 * HALF_BYTES + len(LAST_WORDS) + 1
    assert record["stdout"].endswith(f"{LAST_WORDS}\n")
    said = on_aws.run("logs", "a")
    assert said.stdout.endswith(f"{LAST_WORDS}\n")
    assert why in said.stderr


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(None, marks=in_full, id="refuses connections"),
        pytest.param(Fault.SILENT, id="never answers"),
    ],
)
def test_a_worker_is_stopped_while_the_bucket_fails(
    on_aws: Program, far: Program, bucket_proxy: Proxy, fault: Fault | None
) -> None:
    """Its item goes back at once, before it tries to abort the upload; what it cannot abort is found by the doctor."""
    with fleet(far, 1, "--grace", "0s") as workers:
        _fail_between_the_halves(on_aws, bucket_proxy, fault, *ALL)
        workers.pause(2)
        workers.running[0].send_signal(signal.SIGTERM)
        began = time.monotonic()
        until(lambda: on_aws.rows()["a"]["ItemState"] == "todo")
        assert workers.running[0].poll() is None
        assert workers.codes() == [75]
        assert time.monotonic() - began < PLATFORM_S or not FULL

    assert on_aws.rows()["a"]["Interruptions"] == 1
    [_] = _uploads(on_aws)
    [found] = json.loads(on_aws("doctor", "--json", "--older-than", "0s", "--remove"))
    assert re.search(r"/a/Task_0/1-[0-9a-f]{8}\.stdout\.gz$", found["which"])
    assert _uploads(on_aws) == []


def _fail_between_the_halves(on_aws: Program, proxy: Proxy, fault: Fault | None, *operations: str) -> None:
    until(lambda: proxy.count(Fault.NONE, "PUT") > PARTS_OF_THE_CHECK)
    if fault is None:
        proxy.away()
    else:
        proxy.weather = always(fault, *(operations or ["PUT"]))
    assert len(_uploads(on_aws)) == 1
    (on_aws.folder / "go-on").touch()


def _printed(of: Program) -> bytes:
    return 2 * (of.folder / "half").read_bytes() + f"{LAST_WORDS}\n".encode()


def _stored(of: Program, record: Row) -> bytes:
    key = record["stdout_at"].removeprefix(f"s3://{of.bucket}/")
    return gzip.decompress(of.client("s3").get_object(Bucket=of.bucket, Key=key)["Body"].read())


def _uploads(of: Program) -> list[str]:
    uploads = of.client("s3").list_multipart_uploads(Bucket=of.bucket).get("Uploads", [])
    return [upload["Key"] for upload in uploads]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
