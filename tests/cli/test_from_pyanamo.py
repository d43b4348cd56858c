"""The commands that take the place of the original's methods give what its documentation promises.

Each row of the page is carried out as it stands, on a copy of one table.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.servers.clients import client
from pyanamo_async import Table, Worker
from pyanamo_async.store.sqlite import SqliteStore
from tests.aws.test_batch import submit
from tests.cli.conftest import Cli, Said, process
from tests.cli.original import FILES, Done, stored_rows
from tests.cli.original_laws import LAWS, PAGE, TABLE
from tests.cli.test_changing import lock
from tests.docs.pages import codes, section

METHODS = """
check_table create_workflow_table delete_workflow_table import_item import_items import_nested_item itemCounter
getToDoItems monitor_task summarize_nestedTasks monitor_nestedTasks updateItemStates reset_itemState
updateNestedItemState reset_itemNests reset_AllNests delete_singleItem delete_nestedTasks clear_nestedTasks
getItem_JobStates set_hardProvision setAutoScalingTarget putScalingPolicy getCurrentState getLockID import_from_file
handle_DynamoTable set_dynamoProperty readFile read_jsonFile recursiveGet
"""
ON_AWS = [
    "`getItem_JobStates(table)`",
    "`set_hardProvision(table, 70, 70)`",
    "`setAutoScalingTarget(table, 70, 70)`, `putScalingPolicy(table, 40, 60, 60)`",
]


@pytest.fixture(scope="module")
def after_a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of items that are done, failed, and to do."""
    folder = tmp_path_factory.mktemp("original")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    for name in ("items.txt", "nests.txt"):
        assert process("import", name, cwd=folder).status == 0
    assert process("run", "-q", "--max-failures", "1", cwd=folder).status == 3
    assert process("import", "later.txt", cwd=folder).status == 0
    return folder


@pytest.fixture
def copy(folder: Path, after_a_run: Path) -> Path:
    """A copy of it, as the current folder."""
    return Path(shutil.copytree(after_a_run, folder, dirs_exist_ok=True))


def test_every_method_of_the_original_is_named() -> None:
    """Those of its manager and of its client."""
    assert set(METHODS.split()) - set(re.findall(r"\w+", section(PAGE, "Its methods"))) == set()


def test_every_row_has_its_law() -> None:
    """And each law its row."""
    assert sorted([*LAWS, *ON_AWS]) == sorted(row[0] for row in TABLE)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_functions_of_the_page_are_those_of_a_table(row: list[str]) -> None:
    """By name."""
    names = [code.removeprefix("table.").removesuffix("()") for code in codes(row[3])]

    assert names
    assert [name for name in names if not hasattr(Table, name)] == []


def _type(cli: Cli, command: str) -> Said:
    _, *words = shlex.split(command)
    return process(*words) if words[0] == "run" else cli(*words)


@pytest.mark.parametrize("row", [row for row in TABLE if row[0] in LAWS], ids=lambda row: row[0])
def test_a_command_gives_what_the_method_gave(row: list[str], cli: Cli, copy: Path) -> None:
    """As the page shows it."""
    if "pyanamo run" not in row[2]:  # a worker would wait for it
        lock("Held_1")
    before = stored_rows(copy)
    said = [_type(cli, command) for command in codes(row[2])]

    LAWS[row[0]](Done(said, before, stored_rows(copy), copy))


def test_capacity_is_given_to_the_table_and_its_indexes(
    cli: Cli, table: str, aws_env: dict[str, str], moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many units for each, and a policy of the original's name for reads and writes of each."""
    for name, value in (aws_env | {"PYANAMO_TABLE": table}).items():
        monkeypatch.setenv(name, value)
    assert cli("table", "create").status == 0
    provision, autoscale = (codes(row[2])[0] for row in TABLE if row[0] in ON_AWS[1:])

    assert _type(cli, provision).status == 0
    policies = _type(cli, autoscale).json()

    seen = client("dynamodb", aws_env["AWS_ENDPOINT_URL_DYNAMODB"]).describe_table(TableName=table)["Table"]
    parts = [seen, *seen["GlobalSecondaryIndexes"]]
    units = [part["ProvisionedThroughput"] for part in parts]
    assert [(each["ReadCapacityUnits"], each["WriteCapacityUnits"]) for each in units] == [(70, 70)] * len(parts)
    names = [table, *(f"{table}_{index['IndexName']}" for index in seen["GlobalSecondaryIndexes"])]
    scaled = {f"{name}_{what}_Capacity_Scaling" for name in names for what in ("Read", "Write")}
    assert {each["policy"] for each in policies} == scaled
    registered = client("application-autoscaling", moto_endpoint).describe_scaling_policies(ServiceNamespace="dynamodb")
    ours = [each for each in registered["ScalingPolicies"] if each["PolicyName"] in scaled]
    targets = [each["TargetTrackingScalingPolicyConfiguration"] for each in ours]
    assert [(each["TargetValue"], each["ScaleInCooldown"], each["ScaleOutCooldown"]) for each in targets] == [
        (40.0, 60, 60)
    ] * len(scaled)


def test_jobs_that_hold_items_are_shown_by_what_batch_says(
    cli: Cli, copy: Path, aws_env: dict[str, str], moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each item with the state of its job; one that Batch forgot has a state of its own."""
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    known, unknown = submit(moto_endpoint), "0a1b2c3d-0000-4000-8000-00000000000a"
    asyncio.run(claim_by_jobs(copy, known, unknown))
    [row] = [row for row in TABLE if row[0] == ON_AWS[0]]

    listed = _type(cli, codes(row[2])[0]).json()

    [job] = client("batch", moto_endpoint).describe_jobs(jobs=[known])["jobs"]
    assert {each["job"]: each["status"] for each in listed} == {known: job["status"], unknown: "no longer known"}
    assert {item for each in listed for item in each["items"]} == {"Todo_1", "Held_1"}


async def claim_by_jobs(folder: Path, *jobs: str) -> None:
    """Let a worker of each job hold an item."""
    store, now = SqliteStore(folder / "pyanamo.db"), datetime.now(UTC)
    for number, job in enumerate(jobs):
        worker = f"{job or 'laptop'}-0000000{number}"
        await store.heartbeat(Worker(worker, "h", now, now, timedelta(hours=1), job=job and f"{job} attempt 1"))
        await store.claim(worker, limit=1, now=now)
    await store.close()
