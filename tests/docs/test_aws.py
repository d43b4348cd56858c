"""docs/guide/aws.md, "From nothing to a fleet", typed as it stands there.

The AWS CLI and docker are small programs of ours (`aws_tools`); the rest is real but for AWS: the template, the push,
the workers, started by the image's entrypoint as processes of the fake of AWS Batch, the table on DynamoDB Local,
and the bucket on moto.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.batch import FakeBatch, serving
from harness.batch.jobs import ENDED
from harness.program import PYANAMO, ROOT
from harness.servers.clients import client
from harness.sessions import Terminal, blocks, essence, steps
from tests.docs.aws_tools import install
from tests.docs.pages import AWS

TABLE = "my-step"
BUCKET = re.compile(r"genomes-bucket-\w+")  # AWS makes up the end of it
JOB = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STARTS_AFTER = "pyanamo batch why"


@dataclass(frozen=True)
class Account:
    """An account of AWS with nothing in it, and a checkout to work from."""

    batch: FakeBatch
    terminal: Terminal
    moto: str

    def type(self, command: str) -> str:
        """Type a command of the page, with this account's name of the bucket."""
        buckets = (each["Name"] for each in client("s3", self.moto).list_buckets()["Buckets"])
        ours = next(filter(BUCKET.match, buckets), "")
        printed, status = self.terminal.type(BUCKET.sub(ours, command) if ours else command)
        assert status == 0, f"{command}\n{printed}"
        return printed


@pytest.fixture
def account(tmp_path: Path, aws_env: dict[str, str], dynamodb_endpoint: str, moto_endpoint: str) -> Iterator[Account]:
    """Batch starts nothing yet."""
    checkout = tmp_path / "pyanamo_async"
    shutil.copytree(ROOT / "container", checkout / "container")
    (checkout / "container" / "Dockerfile").touch()
    install(tmp_path / "bin")
    entrypoint = [str(Path(PYANAMO).with_name("pyanamo-entrypoint"))]
    host = {"PATH": os.environ["PATH"], **aws_env}
    table = client("dynamodb", dynamodb_endpoint)
    with serving(FakeBatch(entrypoint=entrypoint, environment=host, folder=tmp_path / "hosts", capacity=0)) as served:
        batch, address = served
        path = f"{tmp_path / 'bin'}:{Path(PYANAMO).parent}:{os.environ['PATH']}"
        env = aws_env | {"PATH": path, "PYTHONPATH": str(ROOT)}
        env |= {"AWS_ENDPOINT_URL_BATCH": address, "AWS_ENDPOINT_URL_SERVICE_QUOTAS": address}
        yield Account(batch, Terminal(checkout, env), moto_endpoint)
    with suppress(table.exceptions.ResourceNotFoundException):
        table.delete_table(TableName=TABLE)


@pytest.mark.slow
def test_the_guide_to_a_fleet_does_what_it_shows(account: Account) -> None:
    """From an account with nothing to items that are done; each command is the page's."""
    for step in steps(blocks(AWS.read_text())):
        printed = account.type(step.typed)

        assert _essence(printed) == _essence(step.shown), f"{step.typed}\n{printed}"
        if step.typed == STARTS_AFTER:
            account.batch.set_capacity(3)
            account.batch.wait(lambda: {*account.batch.statuses()} <= ENDED)

    assert {*account.batch.statuses()} == {"SUCCEEDED"}


def _essence(shown: str) -> Counter[str]:
    return essence(JOB.sub("JOB", BUCKET.sub("BUCKET", shown)))
