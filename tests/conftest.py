"""Fixtures of all suites: the test servers, and a fresh bucket and table name for each test that asks.

No test can reach an AWS account: what the environment holds of one is put away before the first test.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import settings

from harness.servers.clients import client
from harness.servers.parts import PartMissing
from harness.servers.running import NO_ACCOUNT, Run, environment

settings.register_profile("suite", deadline=None)  # a loaded machine is no failure; pytest-timeout has the last word
settings.load_profile("suite")

LONG = tuple(f"tests/{room}/" for room in ("stress", "fleet", "recovery", "acceptance", "benchmarks"))
SLOW = (
    "tests/benchmarks/",
    "tests/stress/",
    *(
        f"tests/acceptance/test_{name}.py"
        for name in (
            "batch_fleet",
            "batch_lanes",
            "bench",
            "big_output",
            "changing",
            "cloudwatch",
            "doctor",
            "follow",
            "originals",
            "reading",
            "report",
            "results",
            "rights",
            "stdlib",
            "variant_calling",
        )
    ),
    "tests/container/test_cfn_lint.py",
    "tests/container/test_permissions.py",
    "tests/docs/test_sessions.py",
    "tests/outputs/test_memory.py",
    "tests/entrypoint/test_entrypoint.py",
    *(
        f"tests/recovery/test_{name}.py"
        for name in (
            "away",
            "cut_off",
            "odd_scripts",
            "poison",
            "standing",
            "stuck",
            "survival",
            "waiting",
            "wall_time",
        )
    ),
)
"""Minutes on two cores: `make slow` runs them, and CI does."""

RUN_FOLDER = "PYANAMO_TEST_RUN"
RUN_PID = "PYANAMO_TEST_RUN_PID"


def pytest_configure(config: pytest.Config) -> None:
    """Begin a run, or, in a worker of pytest-xdist, take part in that of its controller."""
    if RUN_FOLDER not in os.environ:
        run = Run.mine()
        config.add_cleanup(run.end)
        os.environ |= {RUN_FOLDER: str(run.folder), RUN_PID: str(run.pid)}
    for name in [name for name in os.environ if name.startswith(("AWS_", "PYANAMO_")) and "_TEST_" not in name]:
        del os.environ[name]
    os.environ |= NO_ACCOUNT
    # A shell without job control starts what goes to the back without SIGINT and SIGQUIT, nohup without SIGHUP: these
    # would reach no process of the tests.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow tests, and begin with those that wait for processes.

    So no worker of pytest-xdist has a long one left when others are done.
    """
    for item in items:
        if item.nodeid.startswith(SLOW):
            item.add_marker("slow")
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(scope="session", autouse=True)
def service_models_are_read_once() -> Iterator[None]:
    """Tests have hundreds of AWS sessions, and each would parse the same megabytes of JSON: a third of a second."""
    read = cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(JSONFileLoader, "load_file", lambda _, path: read(path))
        yield


@pytest.fixture(scope="session")
def dynamodb_endpoint() -> str:
    """The address of DynamoDB Local; a named skip where it cannot run, a failure in CI."""
    try:
        return _run().dynamodb()
    except PartMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def moto_endpoint() -> str:
    """The address of moto's server: S3 and CloudWatch Logs."""
    return _run().moto()


@pytest.fixture(scope="session")
def aws_env(dynamodb_endpoint: str, moto_endpoint: str) -> dict[str, str]:
    """The environment variables with which AWS clients, in this process or another, find the servers."""
    return environment(dynamodb_endpoint, moto_endpoint)


@pytest.fixture
def bucket(moto_endpoint: str) -> str:
    """The name of a bucket that is fresh for this test."""
    name, s3 = f"bucket-{uuid.uuid4().hex}", client("s3", moto_endpoint)
    s3.create_bucket(Bucket=name)
    aborting = {
        "ID": "a",
        "Status": "Enabled",
        "Filter": {},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [aborting]})
    return name


@pytest.fixture
def table() -> str:
    """A table name that no other test uses."""
    return f"table-{uuid.uuid4().hex}"


def _run() -> Run:
    return Run(Path(os.environ[RUN_FOLDER]), int(os.environ[RUN_PID]), quick=True)
