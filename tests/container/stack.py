"""The template of the stack: read as CloudFormation reads it, and deployed on moto."""

from __future__ import annotations

import copy
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from harness.servers.clients import client
from pyanamo_async.store.dynamodb import schema
from tests.acceptance.wire import Handler, serving

TEMPLATE = Path(__file__).parents[2] / "container" / "cloudformation.yaml"
IMAGE = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": 7,
            "digest": "sha256:" + "0" * 64,
        },
        "layers": [],
    }
)
MOTO = {"Emulated": "true", "InstanceTypes": "optimal"}  # moto takes the default of a list for one text


def _function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    long = name if name in {"Ref", "Condition"} else f"Fn::{name}"
    match node:
        case yaml.ScalarNode(value=value):
            return {long: value.split(".", 1) if name == "GetAtt" else value}
        case yaml.SequenceNode():
            return {long: loader.construct_sequence(node, deep=True)}
    return {long: loader.construct_mapping(node, deep=True)}


yaml.SafeLoader.add_multi_constructor("!", _function)  # the short forms of CloudFormation's functions


def template() -> dict[str, Any]:
    """Return the template, its functions in their long form."""
    return copy.deepcopy(_parsed())


@cache
def _parsed() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(TEMPLATE.read_text())
    return parsed


def properties(logical_id: str) -> dict[str, Any]:
    """Return the properties of a resource."""
    found: dict[str, Any] = template()["Resources"][logical_id]["Properties"]
    return found


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of all resources of a type like `Batch::JobQueue`, by their logical ids."""
    resources = template()["Resources"].items()
    return {name: each.get("Properties", {}) for name, each in resources if each["Type"] == f"AWS::{kind}"}


def deploy(endpoint: str, stack: str, **parameters: str) -> dict[str, str]:
    """Deploy the template on moto, and return what it puts out."""
    formation: Any = client("cloudformation", endpoint)
    given = MOTO | parameters
    formation.create_stack(
        StackName=stack,
        TemplateBody=TEMPLATE.read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )
    [made] = formation.describe_stacks(StackName=stack)["Stacks"]
    assert made["StackStatus"] == "CREATE_COMPLETE", made.get("StackStatusReason")
    outputs = {each["OutputKey"]: each["OutputValue"] for each in made["Outputs"]} | {"Table": given["TableName"]}
    _complete_bucket(endpoint, outputs["Bucket"])
    return outputs


def deploy_once(endpoint: str, stack: str, table: str) -> dict[str, str]:
    """Deploy a stack that no test changes, for all processes of the run: after a first import, and with an image."""
    kept = Path(os.environ["PYANAMO_TEST_RUN"], f"{stack}.json")
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            outputs = deploy(endpoint, stack, TableName=table)
            client("ecr", endpoint).put_image(repositoryName=stack, imageManifest=IMAGE, imageTag="latest")
            row = {name: {"S": value} for name, value in schema.table_row(16).items() if isinstance(value, str)}
            row |= {name: {"N": str(value)} for name, value in schema.table_row(16).items() if isinstance(value, int)}
            client("dynamodb", endpoint).put_item(TableName=table, Item=row)
            kept.write_text(json.dumps(outputs))
    found: dict[str, str] = json.loads(kept.read_text())
    return found


def _complete_bucket(endpoint: str, bucket: str) -> None:
    """Give a bucket by S3's own API what moto leaves out of a template; botocore checks its form."""
    s3, asked = client("s3", endpoint), properties("Bucket")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=asked["PublicAccessBlockConfiguration"])
    rules = [
        {"ID" if name == "Id" else name: value for name, value in rule.items()} | {"Filter": {}}
        for rule in asked["LifecycleConfiguration"]["Rules"]
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def resolved(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 # any part of a template
    """Return a part of the template with references and texts filled in from `names`, such as `JobRole.Arn`."""
    found: Any = value
    match value:
        case {"Ref": name}:
            found = names[name]
        case {"Fn::GetAtt": path}:
            found = names[".".join(path)]
        case {"Fn::Sub": str(text)}:
            found = re.sub(r"\$\{([\w:.]+)\}", lambda each: names[each[1]], text)
        case {"Fn::If": [_, first, _]}:
            found = resolved(first, names)
        case dict():
            found = {key: resolved(each, names) for key, each in value.items()}
        case list():
            found = [resolved(each, names) for each in value]
    return found


def described(stack: str, outputs: dict[str, str]) -> dict[str, Any]:
    """Return the stack's definition for Fargate as Batch describes it."""
    defaults = {name: each.get("Default") for name, each in template()["Parameters"].items()}
    names = {
        **defaults,
        "AWS::StackName": stack,
        "AWS::Region": "us-east-1",
        "Repository.RepositoryUri": outputs["Repository"],
        "ExecutionRole.Arn": "arn:execution",
        "JobRole.Arn": "arn:job",
        "Table": outputs["Table"],
        "Bucket": outputs["Bucket"],
        "LogGroup": "group",
    }
    api: dict[str, Any] = lowered(resolved(properties("FargateDefinition"), names))
    return api | {"jobDefinitionArn": "arn:definition", "revision": 3, "status": "ACTIVE"}


def lowered(value: Any) -> Any:  # noqa: ANN401 # any part of a template
    """Return a part of a template with names as the API of Batch writes them."""
    match value:
        case dict():
            keeps = {*value} <= {"pyanamo-table"} or any("-" in name for name in value)
            return {name if keeps else name[0].lower() + name[1:]: lowered(each) for name, each in value.items()}
        case list():
            return [lowered(each) for each in value]
    return value


@contextmanager
def serving_batch(moto_endpoint: str, definitions: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Serve Batch: job definitions as they are given, in the form that moto does not know, and all else from moto."""
    moto: Any = client("batch", moto_endpoint)

    class Batch(Handler):
        def do_POST(self) -> None:  # noqa: N802 # the name is the base class's
            asked = json.loads(self.body() or b"{}")
            match self.path:
                case "/v1/describejobdefinitions":
                    name = asked["jobDefinitionName"]
                    found = [each for each in definitions if each["jobDefinitionName"] == name]
                    reply: Any = {"jobDefinitions": found}
                case "/v1/describejobqueues":
                    reply = {"jobQueues": moto.describe_job_queues(**asked)["jobQueues"]}
                case "/v1/describejobs":
                    reply = {"jobs": moto.describe_jobs(**asked)["jobs"]}
                case _:
                    found = moto.describe_compute_environments(**asked)["computeEnvironments"]
                    reply = {"computeEnvironments": found}
            self.answer(HTTPStatus.OK, {"Content-Type": "application/json"}, json.dumps(reply).encode())

    with serving(Batch) as address:
        yield address
