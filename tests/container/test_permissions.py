"""What the stack lets each role do, compared with what it does: nothing is missing, and nothing is there for nothing.

Each role runs behind a gate that refuses what its policy in the template does not allow, on the resource that a call
names. So what comes through shows that nothing is missing; what no call needed shows what is there for nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.batch import FakeBatch, serving
from harness.gate import gated
from harness.program import Program, program
from pyanamo_async import open_table
from tests.container.rights import RECORDING, RUNS, Recorder, statements
from tests.container.stack import deploy_once, described, serving_batch, set_up_batch

LOST = {"CompleteMultipartUpload", "CreateMultipartUpload"}  # replies: the worker then looks what became of them
STACK = "doctors"
RECORD = "PYANAMO_TEST_RECORD"
HOW = f"with {RECORD}=1 this test writes the recording; `make docs` then writes the page"


@contextmanager
def a_fake(folder: Path, outputs: dict[str, str]) -> Iterator[str]:
    """Serve a fake of Batch with what the template has, of which one queue has no capacity."""
    environment = {"PATH": os.environ["PATH"]}
    with serving(FakeBatch(entrypoint=["sleep", "600"], environment=environment, folder=folder)) as (batch, address):
        set_up_batch(address, STACK, outputs)
        batch.block(f"{STACK}-fargate-spot")
        yield address


@pytest.fixture
def outside(table: str, bucket: str, aws_env: dict[str, str], tmp_path: Path) -> Program:
    """The program, with all rights."""
    return program(tmp_path, table=table, bucket=bucket, env=aws_env)


@pytest.mark.parametrize("role", RUNS)
async def test_a_role_may_do_what_it_does_and_no_more(
    role: str, outside: Program, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that it is allowed is needed by a call, but for what is named as unproven; the page says which."""
    stack_outputs = deploy_once(moto_endpoint, STACK, "doctors-table")
    stack = described(STACK, stack_outputs)
    recorder = Recorder(statements(role, table=outside.table, bucket=outside.bucket, stack=STACK))
    recorder.gate.lost |= LOST if role == "JobRole" else set()
    monkeypatch.setattr(os, "environ", {**os.environ, **outside.env})
    with a_fake(outside.folder, stack_outputs) as fake, serving_batch(fake, [stack]) as batch:
        async with open_table(outside.table, bucket=outside.bucket) as free:
            await free.create()
            with gated({**outside.env, "AWS_ENDPOINT_URL_BATCH": batch}, recorder.gate) as env:
                monkeypatch.setattr(os, "environ", {**os.environ, **env})
                async with open_table(outside.table, bucket=outside.bucket) as table:
                    await RUNS[role](table, free, outside)

    assert recorder.gate.denied == set()
    recorded = json.loads(RECORDING.read_text()) if RECORDING.exists() else {}
    found = [list(each) for each in sorted(recorder.needed)]
    if os.environ.get(RECORD):
        RECORDING.write_text(json.dumps(recorded | {role: found}, indent=1, sort_keys=True) + "\n")
    else:
        assert found == recorded.get(role), HOW
