"""What each role of the stack does, and what its policy allows: the runs that are recorded, and the recording."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from harness import iam
from harness.gate import Call, Gate
from harness.program import Program
from pyanamo_async import FailurePolicy, Selection, State, Table, WorkerSettings
from pyanamo_async.entrypoint.archive import Limits
from pyanamo_async.entrypoint.preparing import fetch
from pyanamo_async.entrypoint.request import parse_scripts
from tests.container.stack import of_type, properties, resolved

REGION, ACCOUNT = "us-east-1", "123456789012"
LARGE = "head -c 14000000 /dev/urandom | base64"  # more than one part of an upload, also when compressed
QUICK = WorkerSettings(
    items=16,
    heartbeat=timedelta(seconds=1),
    lease=timedelta(seconds=30),
    grace=timedelta(seconds=1),
    policy=FailurePolicy(max_failures=2, backoff_min=timedelta(seconds=0.1), backoff_max=timedelta(seconds=0.1)),
)


RECORDING = Path(__file__).with_name("recorded_calls.json")


def policies() -> list[str]:
    """Return the roles and policies of the stack that say themselves what they allow."""
    found = of_type("IAM::Role") | of_type("IAM::ManagedPolicy")
    return sorted(name for name, each in found.items() if "Policies" in each or "PolicyDocument" in each)


def actions(statement: iam.Statement) -> list[str]:
    """Return the actions of a statement."""
    named = statement["Action"]
    return [named] if isinstance(named, str) else list(named)


def statements(policy: str, *, table: str, bucket: str, stack: str) -> list[iam.Statement]:
    """Return what a role or policy of the stack allows, for a table and a bucket."""
    names = {
        "Table.Arn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}",
        "Bucket.Arn": f"arn:aws:s3:::{bucket}",
        "Repository.Arn": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{stack}",
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT,
        "AWS::StackName": stack,
        "KmsKeyArn": "KmsKeyArn",
        "LogGroup.Arn": "LogGroup",
        "StatusQueue": "StatusQueue",
    }
    of_role = properties(policy)
    documents = [each["PolicyDocument"] for each in of_role.get("Policies", [of_role])]
    found: list[iam.Statement] = [resolved(each, names) for document in documents for each in document["Statement"]]
    return found


@dataclass
class Recorder:
    """A gate that a policy guards, and the statements that were needed for what came through."""

    policy: Sequence[iam.Statement]
    needed: set[tuple[str, str, str]] = field(default_factory=set)  # statement, action, operation
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        self.gate = Gate(self._allows)

    def _allows(self, call: Call) -> bool:
        action = iam.action(call)
        if not action:
            return True
        sids = iam.deciding(self.policy, action, iam.resource(call, region=REGION, account=ACCOUNT))
        self.needed |= {(sid, action, call.operation) for sid in sids}
        return bool(sids)


async def fill(table: Table) -> None:
    """Import what makes workers do all that they do: output of each size, tasks that fail, several tasks in one."""
    scripts = {
        "small": "echo small",
        "object": "head -c 9000 /dev/urandom | base64",
        "parts": LARGE,
        "fails": "exit 1",
        "results": "seq 9 > $PYANAMO_RESULTS/out.txt",
        "goes on": "[ -e $PYANAMO_CHECKPOINT/n ] || { echo 1 > $PYANAMO_CHECKPOINT/n; exit 85; }",
    }
    rows = [{"itemID": name, "TaskID": "s", "TaskScript": script} for name, script in scripts.items()]
    rows += [{"itemID": f"many-{number}", "TaskID": "s", "TaskScript": "true"} for number in range(60)]
    await table.add([*rows, {"itemID": "nested", "TaskID": "s", "TaskScript": ["echo a", "seq 5000"]}])


def fetch_scripts(program: Program) -> None:
    """Fetch an archive as the image's entrypoint does, the newest and a certain version."""
    s3, key = program.client("s3"), "scripts/step.tar.gz"
    s3.put_bucket_versioning(Bucket=program.bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=program.bucket, Key=key, Body=b"an archive")["VersionId"]
    for address in (f"s3://{program.bucket}/{key}", f"s3://{program.bucket}/{key}?versionId={version}"):
        fetch(parse_scripts(address, ""), program.folder / "archive", region=REGION, limits=Limits())


async def vanish(outside: Table, program: Program) -> None:
    """Kill a worker that holds an item."""
    died = program.folder / "died"
    script = f"[ -e {died} ] || {{ touch {died}; exec sleep 600; }}"
    await outside.add([{"itemID": "orphan", "TaskID": "s", "TaskScript": script}])
    of_batch = replace(program, env={**program.env, "AWS_BATCH_JOB_ID": "01234567-89ab-cdef-0123-456789abcdef"})
    worker = of_batch.start("run", "-i", "9")
    await until_exists(died)
    worker.kill()
    worker.wait()


async def until_exists(path: Path) -> None:
    """Look until a script has made a file."""
    while not path.exists():  # noqa: ASYNC110 # of another process
        await asyncio.sleep(0.05)


async def work(table: Table, outside: Table, program: Program) -> None:
    """What workers do: fetch scripts; all that was imported, the items of one that vanished, a stop amid an upload."""
    await asyncio.to_thread(fetch_scripts, program)
    await vanish(outside, program)
    await fill(outside)
    await table.run(QUICK)
    printed = program.folder / "printed"
    script = f"{LARGE}; touch {printed}; exec sleep 600"
    await outside.add([{"itemID": "stopped", "TaskID": "s", "TaskScript": script}])
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(table.run(QUICK))
        await until_exists(printed)
        await outside.order("stop", all_workers=True)
        await running
    assert (await outside.item("stopped")).state is State.TODO


async def look(table: Table, _: Table, __: Program) -> None:
    """What the status job does."""
    await table.status()


async def submit(table: Table) -> None:
    """Start workers that wait for capacity, look why, and cancel them; cancel one that runs, for last attempts."""
    definition, blocked, on_demand = "doctors-fargate", "doctors-fargate-spot", "doctors-fargate"
    plan = await table.plan_batch(queue=blocked, definition=definition, jobs=3, tags={"project": "genomes"})
    waiting = await table.submit_batch(plan)
    assert await table.explain_batch(queue=blocked)
    await table.cancel_batch(waiting, drain_for=timedelta(seconds=9))
    plan = await table.plan_batch(queue=blocked, definition=definition, jobs=1, last_attempts_on=on_demand)
    running = await table.submit_batch(plan)
    while "RUNNING" not in [each.status for each in await table.batch_jobs()]:  # noqa: ASYNC110 # of Batch
        await asyncio.sleep(0.1)
    await table.cancel_batch(running, drain_for=timedelta())


async def operate(table: Table, outside: Table, program: Program) -> None:
    """What people do: import, look, correct, clean up."""
    await fill(table)
    await table.add([{"itemID": "small", "TaskID": "s", "TaskScript": "echo smaller"}], on_exists="replace")
    await outside.run(QUICK)
    await table.status()
    assert [each async for each in table.items()]
    assert await (await table.logs("object")).text()
    assert [row async for row in table.trace()]
    assert [found async for found in table.all_logs(Selection(where="exit == 0"))]
    await table.failures()
    await read_results(table, program)
    await table.retry(Selection(ids=["fails"]))
    await table.hold(Selection(ids=["fails"]))
    await table.set(Selection(ids=["fails"]), priority=1)
    await table.unhold(Selection(ids=["fails"]))
    await table.reset(Selection(ids=["goes on", "nested"]), clear=True)
    await table.cancel(Selection(ids=["nested"]), "withdrawn")
    await vanish(outside, program)
    await table.worker_jobs()
    await table.order("drain", all_workers=True)
    await table.reclaim()
    await table.adopt()
    await table.delete(Selection(ids=["object"]), outputs=True)
    await table.delete(Selection(states=["done"]))
    await submit(table)
    found = table.doctor(older_than=timedelta(), remove=True, queue="doctors-fargate", definition="doctors-fargate")
    assert [each.kind async for each in found if not each.removed] == []


async def read_results(table: Table, program: Program) -> None:
    """Read what ran as rows and files: results, an export, a report, outputs and files that tasks left."""
    async for _ in table.results():
        pass
    assert [row async for row in table.rows(["itemID", "TaskScript"])]
    assert [row async for row in table.items(Selection(where="exit == 0"))]
    await table.export(program.folder / "export.db")
    await table.report(program.folder / "report.html")
    everything = Selection(all=True)
    assert [each.path async for each in table.files(everything)] == ["out.txt"]
    assert [path async for path in table.save_files(everything, program.folder / "files")]


UNPROVEN: dict[tuple[str, str], str] = {
    ("OperatorPolicy", "Scripts"): "`aws s3 cp`, with which people put archives of scripts there",
    ("ExecutionRole", "Login"): "the agent of ECS, which logs in to ECR",
    ("ExecutionRole", "Image"): "the agent of ECS, which pulls the image",
    ("ExecutionRole", "Log"): "the log driver of the container",
    ("ScheduleRole", "Status"): "EventBridge, which submits the status job",
    ("KeyPolicy", "Bucket"): "S3, for every object of a bucket with a key of yours; emulators check no keys",
    ("KeyPolicy", "Table"): "DynamoDB, for a table with a key of yours; emulators check no keys",
}
"""Statements, by role and name, whose calls are not recorded: by whom they are made."""

RUNS: dict[str, Callable[[Table, Table, Program], Awaitable[None]]] = {
    "JobRole": work,
    "StatusRole": look,
    "OperatorPolicy": operate,
}
