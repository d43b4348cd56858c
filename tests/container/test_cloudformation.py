"""The stack: what CloudFormation makes of an account with nothing, compared with what workers need."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from harness.servers.clients import client
from pyanamo_async import State, open_table
from pyanamo_async.aws.table_template import table_template
from pyanamo_async.core.text.durations import parse_duration
from pyanamo_async.operate.metrics import table_metrics
from pyanamo_async.operate.status import status
from pyanamo_async.ports import TableOptions
from pyanamo_async.store.dynamodb import schema
from pyanamo_async.store.memory import MemoryStore
from tests.container.stack import deploy, of_type, properties, template
from tests.docs.cli_reference import find
from tests.docs.pages import DOCS, codes, rows, section
from tests.fakes import NOON

DEFINITIONS = ("Ec2Definition", "FargateDefinition")


def test_the_table_is_the_one_that_the_program_creates(moto_endpoint: str, table: str) -> None:
    """Keys, index and projection, with history, protection and tags: as an export of such a table has them."""
    asked = TableOptions(tags=(("pyanamo-table", table),), deletion_protection=True)
    dynamodb: Any = client("dynamodb", moto_endpoint)
    made = dynamodb.create_table(**schema.creation(table, options=asked))["TableDescription"]
    history = {"PointInTimeRecoveryStatus": "ENABLED"}
    exported = table_template(made, [{"Key": "pyanamo-table", "Value": table}], history)["Resources"]["Table"]

    named = {"TableName": {"Ref": "TableName"}, "Tags": [{"Key": "pyanamo-table", "Value": {"Ref": "TableName"}}]}
    ours = template()["Resources"]["Table"]
    by_condition = ours["Properties"].pop("SSESpecification")
    assert ours == exported | {"Properties": exported["Properties"] | named}
    assert by_condition["Fn::If"][0] == "HasKey"


async def test_a_table_of_the_stack_is_used_as_it_is(
    table: str, bucket: str, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing asks for `CreateTable`; an import adds the row that the stack cannot write."""
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    left_out = ("SSESpecification", "PointInTimeRecoverySpecification", "DeletionProtectionEnabled", "Tags")
    made = {name: value for name, value in properties("Table").items() if name not in left_out}
    client("dynamodb", aws_env["AWS_ENDPOINT_URL_DYNAMODB"]).create_table(**made | {"TableName": table})

    async with open_table(table, bucket=bucket) as opened:
        await opened.add([{"itemID": "a", "TaskID": "s", "TaskScript": "true"}])
        await opened.run()

        assert (await opened.item("a")).state is State.DONE


@pytest.mark.parametrize(
    "parameters", [{}, {"Subnets": "private", "AlarmEmail": "me@example.org", "KmsKeyArn": "arn:aws:kms:r:1:key/k"}]
)
def test_the_stack_can_be_deployed(moto_endpoint: str, table: str, parameters: dict[str, str]) -> None:
    """On moto, in its usual form and with everything that is asked for: services have what the template says."""
    outputs = deploy(moto_endpoint, table, TableName=table, **parameters)
    bucket = {"Bucket": outputs["Bucket"]}

    described = client("dynamodb", moto_endpoint).describe_table(TableName=table)["Table"]
    schema.check(described)
    assert described["DeletionProtectionEnabled"] is True
    s3: Any = client("s3", moto_endpoint)
    [rule] = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    expected = "aws:kms" if "KmsKeyArn" in parameters else "AES256"
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == expected
    assert {*s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"].values()} == {True}
    [cleaning] = s3.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    assert cleaning["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    [group] = client("logs", moto_endpoint).describe_log_groups(logGroupNamePrefix=f"/pyanamo/{table}")["logGroups"]
    assert group["retentionInDays"] == 30
    queues = client("batch", moto_endpoint).describe_job_queues()["jobQueues"]
    ours = [each for each in queues if each["jobQueueName"].startswith(table)]
    assert len(ours) == 5
    assert {len(each["computeEnvironmentOrder"]) for each in ours} == {1}


def test_what_capacity_did_is_retried_and_nothing_else() -> None:
    """Both definitions have the rules of the guide, in its order: the first that fits decides."""
    guide = [
        {codes(rule)[0][0].upper() + codes(rule)[0][1:]: codes(matches)[0], "Action": action.upper()}
        for rule, matches, action in rows(section(DOCS / "guide" / "aws.md", "AWS Batch"))[1:]
    ]
    for name in DEFINITIONS:
        retrying = properties(name)["RetryStrategy"]

        assert (retrying["EvaluateOnExit"], retrying["Attempts"]) == (guide, 10)
        for rule in retrying["EvaluateOnExit"]:
            pattern = next(value for key, value in rule.items() if key != "Action")
            assert re.fullmatch(r"[A-Za-z0-9.: ]*\*?", pattern)


def test_a_worker_is_the_same_on_ec2_and_on_fargate() -> None:
    """Only what the platform needs differs."""
    on_ec2, on_fargate = (properties(name)["EcsProperties"]["TaskProperties"][0] for name in DEFINITIONS)

    assert on_ec2["Containers"] == on_fargate["Containers"]
    assert on_fargate.keys() - on_ec2.keys() == {"EphemeralStorage", "NetworkConfiguration"}


def test_an_archive_of_scripts_can_be_pinned() -> None:
    """By its checksum: the stack's bucket keeps no versions."""
    [container] = properties("Ec2Definition")["EcsProperties"]["TaskProperties"][0]["Containers"]
    given = {each["Name"]: each["Value"] for each in container["Environment"]}

    assert given["PYANAMO_SCRIPTS"] == {"Ref": "Scripts"}
    assert given["PYANAMO_SCRIPTS_SHA256"] == {"Ref": "ScriptsSha256"}


def test_batch_ends_no_worker_before_it_ends_itself() -> None:
    """The attempt outlasts the wall time; SIGKILL comes after the grace, and after what a worker does then."""
    defaults = {name: each.get("Default") for name, each in template()["Parameters"].items()}
    [container] = properties("Ec2Definition")["EcsProperties"]["TaskProperties"][0]["Containers"]
    [grace] = [each["Value"] for each in container["Environment"] if each["Name"] == "PYANAMO_GRACE"]

    assert defaults["AttemptSeconds"] > parse_duration(defaults["WallTime"]).total_seconds()
    assert container["StopTimeout"] >= parse_duration(grace).total_seconds() + 20


def test_no_queue_mixes_kinds_of_capacity() -> None:
    """Each has a compute environment of its own."""
    orders = [each["ComputeEnvironmentOrder"] for each in of_type("Batch::JobQueue").values()]
    environments = [entry["ComputeEnvironment"]["Ref"] for [entry] in orders]
    kinds = {each["ComputeResources"]["Type"] for each in of_type("Batch::ComputeEnvironment").values()}

    assert sorted(environments) == sorted(of_type("Batch::ComputeEnvironment"))
    assert kinds == {"SPOT", "EC2", "FARGATE_SPOT", "FARGATE"}


def test_no_worker_may_write_where_scripts_lie() -> None:
    """Whoever can replace an archive runs commands on all workers that start later."""
    for name in ("JobRole", "StatusRole", "ExecutionRole"):
        for statement in statements(name):
            if any(action.startswith(("s3:Put", "s3:Delete", "s3:*", "*")) for action in statement["Action"]):
                assert statement["Resource"] == {"Fn::Sub": "${Bucket.Arn}/PyAnamo/*"}


def test_no_role_of_a_worker_reaches_beyond_the_stack() -> None:
    """No action has a wildcard; what names everything is what AWS allows for nothing less."""
    for name in ("JobRole", "StatusRole", "ExecutionRole", "ScheduleRole"):
        for statement in statements(name):
            assert not any("*" in action for action in statement["Action"])
            assert statement["Resource"] != "*" or statement["Action"] == ["ecr:GetAuthorizationToken"]


async def test_alarms_look_at_what_the_status_job_tells() -> None:
    """By its names: an alarm on a metric that nobody sends never rings."""
    store = MemoryStore()
    await store.create(shards=1)
    seen = replace(await status(store, "t", [], now=NOON), last_settled=NOON)
    told = {each.name for each in table_metrics(seen)}
    asked = [
        each["MetricStat"]["Metric"]
        for alarm in of_type("CloudWatch::Alarm").values()
        for each in alarm["Metrics"]
        if "MetricStat" in each
    ]
    drawn = re.findall(r'\["pyanamo", "(\w+)", "Table"', properties("Dashboard")["DashboardBody"]["Fn::Sub"])

    assert {each["MetricName"] for each in asked} | {*drawn} <= told
    assert {each["Namespace"] for each in asked} == {"pyanamo"}
    assert {one["Name"] for each in asked for one in each["Dimensions"]} == {"Table"}
    assert properties("StatusDefinition")["ContainerProperties"]["Command"] == ["pyanamo", "status", "--emf"]


def test_the_commands_that_the_stack_prints_exist() -> None:
    """With their options, and with the names of queues and definitions that the stack has."""
    outputs = [each["Value"] for name, each in template()["Outputs"].items() if name.startswith("Step")]
    names = {each["JobQueueName"]["Fn::Sub"] for each in of_type("Batch::JobQueue").values()}
    names |= {each["JobDefinitionName"]["Fn::Sub"] for each in of_type("Batch::JobDefinition").values()}
    for value in outputs:
        program, *words = (value["Fn::Sub"] if isinstance(value, dict) else value).split()
        if program == "pyanamo":
            command, rest = find(words)
            command.make_context("pyanamo", list(rest))

            assert {word for word in words if word.startswith("${AWS::StackName}")} <= names


def test_the_dashboard_is_json() -> None:
    """CloudFormation passes its text on as it is."""
    body = properties("Dashboard")["DashboardBody"]["Fn::Sub"]

    assert len(json.loads(re.sub(r"\$\{\w+(::\w+)?\}", "x", body))["widgets"]) == 5


def test_spot_instances_drain_and_keep_their_role_to_themselves() -> None:
    """A notice becomes SIGTERM, and containers, which share the instance's network, do not reach its metadata."""
    data = properties("LaunchTemplate")["LaunchTemplateData"]
    script = data["UserData"]["Fn::Base64"]

    assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    assert "echo ECS_ENABLE_SPOT_INSTANCE_DRAINING=true >> /etc/ecs/ecs.config\n" in script
    assert "iptables -A OUTPUT -d 169.254.169.254 -m owner ! --uid-owner root -j REJECT\n" in script


def test_the_reference_names_every_resource() -> None:
    """Whoever uses another tool needs all of them, and no more."""
    named = [name for first, *_ in rows((DOCS / "reference" / "stack.md").read_text())[1:] for name in codes(first)]

    assert sorted(named) == sorted(template()["Resources"])


def statements(role: str) -> list[dict[str, Any]]:
    """Return what the policies of a role allow, each action in a list."""
    found = [each for policy in properties(role)["Policies"] for each in policy["PolicyDocument"]["Statement"]]
    return [
        each | {"Action": [each["Action"]] if isinstance(each["Action"], str) else each["Action"]} for each in found
    ]
