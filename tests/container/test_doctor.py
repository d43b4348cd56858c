"""`pyanamo doctor` on the stack: nothing to say of it as it is deployed, and one finding for each fault.

Moto stands in for AWS. What it does not know, job definitions of the stack's form, a server of ours answers from the
template; what it does not check, keys and denials, a fake says.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.servers.clients import client
from pyanamo_async import Finding, open_table
from pyanamo_async.aws.platform import AwsPlatform
from pyanamo_async.aws.session import Aws
from pyanamo_async.core.values import replace
from pyanamo_async.errors import ClockRefused, Denied, OutputError
from pyanamo_async.operate.findings import FindingKind
from pyanamo_async.operate.job_checks import check_image
from pyanamo_async.operate.platform_checks import Scope, check_platform
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.ports import BucketCondition, Caller, Image, JobDefinition, JobQueue, TableCondition
from pyanamo_async.ports.platform import FARGATE
from pyanamo_async.store.dynamodb import schema
from pyanamo_async.store.memory import MemoryStore
from tests.cli.conftest import process
from tests.cli.test_main import on_terminal
from tests.container.stack import deploy_once, described, serving_batch
from tests.docs.json_schemas import SCHEMAS

TABLE = "doctors-table"
WALL_TIME = "PYANAMO_WALL_TIME"


@dataclass
class Ward:
    """The stack on moto, which no test changes, and its job definition as Batch describes it."""

    moto: str
    stack: str
    bucket: str
    definition: dict[str, Any]

    async def findings(self, table: str = TABLE, bucket: str = "") -> list[Finding]:
        name = f"{self.stack}-fargate"
        async with open_table(table, bucket=bucket or self.bucket) as opened:
            return [each async for each in opened.doctor(queue=name, definition=name)]

    async def kinds(self, **more: str) -> list[FindingKind]:
        found = await self.findings(**more)
        assert all(each.hint for each in found)
        return [each.kind for each in found]

    @property
    def container(self) -> dict[str, Any]:
        container: dict[str, Any] = self.definition["ecsProperties"]["taskProperties"][0]["containers"][0]
        return container

    @property
    def rules(self) -> list[dict[str, str]]:
        rules: list[dict[str, str]] = self.definition["retryStrategy"]["evaluateOnExit"]
        return rules


@pytest.fixture
async def ward(moto_endpoint: str, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ward]:
    """The stack after a first import and a push of the image."""
    for name, value in (aws_env | {"AWS_ENDPOINT_URL_DYNAMODB": moto_endpoint}).items():
        monkeypatch.setenv(name, value)
    outputs = deploy_once(moto_endpoint, "doctors", TABLE)
    ward = Ward(moto_endpoint, "doctors", outputs["Bucket"], described("doctors", outputs))
    with serving_batch(moto_endpoint, [ward.definition]) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", endpoint)
        yield ward


async def test_the_stack_is_well(ward: Ward) -> None:
    """As it is deployed, after a first import; whoever looks is named."""
    said: list[str] = []
    async with open_table(TABLE, bucket=ward.bucket) as table:
        found = table.doctor(queue="doctors-fargate", definition="doctors-fargate", note=said.append)

        assert [each async for each in found] == []
    assert said == ["looking as arn:aws:sts::123456789012:user/moto in us-east-1"]


async def test_missing_credentials_are_found(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else is asked."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    assert await ward.kinds() == [FindingKind.CREDENTIALS]


async def test_a_missing_region_is_found(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else is asked."""
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    assert await ward.kinds() == [FindingKind.REGION]


async def test_a_missing_table_is_found_with_where_it_was_looked_for(ward: Ward) -> None:
    """It may be in another region, or of another account."""
    [finding] = await ward.findings(table="nobody-has-this")

    assert finding.kind is FindingKind.TABLE
    assert "us-east-1 of account 123456789012" in finding.what


async def test_a_missing_table_row_is_found(ward: Ward, table: str) -> None:
    """A stack cannot write it: a first import does."""
    client("dynamodb", ward.moto).create_table(**schema.creation(table))

    assert await ward.kinds(table=table) == [FindingKind.TABLE_ROW]


async def test_a_missing_bucket_is_found(ward: Ward) -> None:
    """Whatever else is well."""
    assert await ward.kinds(bucket="nobody-has-this") == [FindingKind.BUCKET]


async def test_a_bucket_in_another_region_is_found(ward: Ward, table: str) -> None:
    """Nobody gave it a lifecycle either."""
    where: Any = {"LocationConstraint": "eu-west-1"}
    client("s3", ward.moto).create_bucket(Bucket=table, CreateBucketConfiguration=where)

    assert await ward.kinds(bucket=table) == [FindingKind.BUCKET_REGION, FindingKind.LIFECYCLE]


@pytest.mark.parametrize("prefix", [None, "Elsewhere/"])
async def test_a_bucket_that_keeps_unfinished_uploads_is_found(ward: Ward, bucket: str, prefix: str | None) -> None:
    """Also one whose rule is for other keys."""
    s3: Any = client("s3", ward.moto)
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    s3.delete_bucket_lifecycle(Bucket=bucket)
    if prefix:
        other = [rules[0] | {"Filter": {"Prefix": prefix}}]
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": other})

    assert await ward.kinds(bucket=bucket) == [FindingKind.LIFECYCLE]


WORDS = ("doctor", "-t", TABLE, "--queue", "doctors-fargate", "--definition", "doctors-fargate")


async def test_the_command_says_that_all_is_well(ward: Ward) -> None:
    """On a terminal without a table that has nothing in it; in a pipe the header is there all the same."""
    said = process(*WORDS, "-b", ward.bucket)

    assert (said.status, said.out) == (0, "finding\twhat\tsince\thint\n"), said.err
    assert "all is well" in said.err
    assert "finding" not in on_terminal(*WORDS, "-b", ward.bucket)


async def test_the_command_names_each_planted_fault_with_its_remedy(ward: Ward) -> None:
    """And exits with 3, as JSON too."""
    no_rule_for_75(ward)
    short_attempt(ward)
    usual_stop(ward)
    other_image(ward)
    planted = [FindingKind.RULE, FindingKind.TIMEOUT, FindingKind.STOP_TIMEOUT, FindingKind.IMAGE]

    told, shown = process(*WORDS, "-b", ward.bucket, "--json"), process(*WORDS, "-b", ward.bucket)

    found = json.loads(told.out)
    Draft202012Validator(SCHEMAS["doctor --json"]).validate(found)
    assert (told.status, [each["finding"] for each in found]) == (3, planted)
    assert shown.status == 3
    assert [line.split("\t")[0] for line in shown.out.splitlines()[1:]] == planted
    assert all(each["hint"] in shown.out for each in found)


def exits_first(ward: Ward) -> None:
    ward.rules.insert(0, ward.rules.pop())


def no_rule_for_75(ward: Ward) -> None:
    ward.rules[:] = [rule for rule in ward.rules if "onExitCode" not in rule]


def no_rules(ward: Ward) -> None:
    ward.definition["retryStrategy"] = {"attempts": 10}


def one_attempt(ward: Ward) -> None:
    ward.definition["retryStrategy"]["attempts"] = 1


def short_attempt(ward: Ward) -> None:
    ward.definition["timeout"]["attemptDurationSeconds"] = 7 * 86400


def no_wall_time(ward: Ward) -> None:
    ward.container["environment"] = [each for each in ward.container["environment"] if each["name"] != WALL_TIME]


def usual_stop(ward: Ward) -> None:
    del ward.container["stopTimeout"]


def long_grace(ward: Ward) -> None:
    ward.container["command"] = ["pyanamo", "run", "--grace", "115s"]


def other_image(ward: Ward) -> None:
    ward.container["image"] = ward.container["image"].replace(":latest", ":v2")


def of_ec2(ward: Ward) -> None:
    ward.definition["platformCapabilities"] = ["EC2"]


FAULTS: dict[Callable[[Ward], None], list[FindingKind]] = {
    exits_first: [FindingKind.RULE_ORDER] * 4,
    no_rule_for_75: [FindingKind.RULE],
    no_rules: [FindingKind.RULE],  # without one that fits Batch retries, also a worker that itself failed
    one_attempt: [FindingKind.RULE],
    short_attempt: [FindingKind.TIMEOUT],
    no_wall_time: [FindingKind.TIMEOUT],
    usual_stop: [FindingKind.STOP_TIMEOUT],
    long_grace: [FindingKind.STOP_TIMEOUT],
    other_image: [FindingKind.IMAGE],
    of_ec2: [FindingKind.QUEUE],
}


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__)
async def test_a_fault_of_the_job_definition_is_found(ward: Ward, plant: Callable[[Ward], None]) -> None:
    """And nothing else."""
    plant(ward)

    assert await look_at_jobs(ward) == FAULTS[plant]


async def test_names_that_batch_does_not_know_are_found(ward: Ward) -> None:
    """Each of them."""
    assert await look_at_jobs(ward, queue="no", definition="no") == [FindingKind.DEFINITION, FindingKind.QUEUE]


async def look_at_jobs(ward: Ward, **names: str) -> list[FindingKind]:
    asked = {"queue": f"{ward.stack}-fargate", "definition": f"{ward.stack}-fargate"} | names
    async with Aws() as aws:
        platform = AwsPlatform(aws, table=TABLE, key="itemID", index="QueueIndex", bucket=ward.bucket, prefix="")
        return await look(platform, scope=Scope(table=False, bucket=False, **asked))


class Platform:
    """A platform where all is well, but for what a test says."""

    def __init__(self, **otherwise: object) -> None:
        well: dict[str, object] = {
            "caller": Caller(account="1", arn="arn:me", region="here"),
            "table": TableCondition("ACTIVE", "ACTIVE"),
            "denied": [],
            "bucket": BucketCondition("here", timedelta(days=7)),
            "definition": None,
            "queue": JobQueue("queue", "", (FARGATE,), 100),
            "image": Image(200 << 20),
            "cpu_quota": 100.0,
        }
        self._facts = well | otherwise

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def told(*_: object) -> object:
            fact = self._facts[name]
            if isinstance(fact, Exception):
                raise fact
            return fact

        return told


class Outputs(MemoryOutputs):
    """Output of which a part was refused."""

    def __init__(self, refusal: Exception | None = None) -> None:
        super().__init__()
        self._refusal = refusal

    async def check(self) -> None:
        if self._refusal:
            raise self._refusal


async def look(platform: object, outputs: Outputs | None = None, scope: Scope | None = None) -> list[FindingKind]:
    store = MemoryStore()
    await store.create(shards=1)
    scope = scope or Scope(table=True, bucket=True)
    found = check_platform(platform, store, outputs or Outputs(), scope, lambda _: None)  # type: ignore[arg-type] # it has every method
    return [each.kind async for each in found]


@pytest.mark.parametrize("status", ["CREATING", ""])
async def test_an_index_that_is_being_built_is_found(status: str) -> None:
    """Workers claim by it; without it nothing else is looked for."""
    assert await look(Platform()) == []
    assert await look(Platform(table=TableCondition("ACTIVE", status))) == [FindingKind.INDEX]


async def test_a_key_that_refuses_a_part_is_found() -> None:
    """Without `kms:Decrypt` small output is stored, and large output fails hours later."""
    message = "UploadPart on bucket 'b' is denied (AccessDenied): not authorized to perform: kms:Decrypt on resource"

    assert await look(Platform(), Outputs(Denied(message))) == [FindingKind.KEY]
    assert await look(Platform(), Outputs(OutputError("bucket 'b': PutObject"))) == [FindingKind.RIGHT]


async def test_a_right_that_workers_lack_is_found() -> None:
    """Each by its name; what one may not look at is said, not taken for well."""
    assert await look(Platform(denied=["dynamodb:UpdateItem"])) == [FindingKind.RIGHT]
    assert await look(Platform(table=Denied("no"))) == [FindingKind.RIGHT]
    assert await look(Platform(bucket=Denied("no"))) == [FindingKind.UNCHECKED]
    assert await look(Platform(definition=Denied("no")), scope=Scope(table=False, bucket=False, definition="d")) == [
        FindingKind.UNCHECKED
    ]


async def test_a_clock_that_a_service_refuses_is_found() -> None:
    """No request is taken then, so nothing else can be asked."""
    assert await look(Platform(caller=ClockRefused("AWS STS refuses this machine's time"))) == [FindingKind.CLOCK]


async def test_a_quota_below_what_the_queue_asks_for_is_found() -> None:
    """A new account has 6 CPUs on Fargate."""
    scope = Scope(table=False, bucket=False, queue="queue")

    assert await look(Platform(cpu_quota=6.0), scope=scope) == [FindingKind.QUOTA]
    assert await look(Platform(cpu_quota=None), scope=scope) == []


def test_a_large_image_is_found_where_each_worker_pulls_it() -> None:
    """On Fargate: instances keep images."""
    on_fargate = JobDefinition(name="d:1", image="i", platforms=(FARGATE,))
    large = Image(2 << 30)

    assert [each.kind for each in check_image(on_fargate, large)] == [FindingKind.IMAGE_SIZE]
    assert [*check_image(replace(on_fargate, platforms=("EC2",)), large)] == []
