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
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from harness.loopback import Handler, serving
from harness.servers.clients import client
from pyanamo_async.store.dynamodb import schema

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
NOT_OF_API = {"ReplaceComputeEnvironment", "ServiceRole"}
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
    return definition("FargateDefinition", stack, outputs) | {"revision": 3, "status": "ACTIVE"}


def definition(logical_id: str, stack: str, outputs: Mapping[str, str]) -> dict[str, Any]:
    """Return a job definition as the API of Batch has it."""
    api: dict[str, Any] = lowered(resolved(properties(logical_id), names_of(stack, outputs)))
    return api


def names_of(stack: str, outputs: Mapping[str, str]) -> dict[str, Any]:
    """Return what names in the template stand for: defaults, what was put out, and for the others themselves."""
    resources = template()["Resources"]
    return {
        **{name: name for name in resources},
        **{f"{name}.{attribute}": f"arn:{name}" for name in resources for attribute in ("Arn", "LatestVersionNumber")},
        **{name: each.get("Default") for name, each in template()["Parameters"].items()},
        "InstanceTypes": ["optimal"],
        "AWS::StackName": stack,
        "AWS::Region": "us-east-1",
        "Repository.RepositoryUri": outputs["Repository"],
        "Table": outputs["Table"],
        "Bucket": outputs["Bucket"],
    }


def lowered(value: Any) -> Any:  # noqa: ANN401 # any part of a template
    """Return a part of the template with names as the API of Batch writes them; tags and options keep theirs."""
    match value:
        case dict():
            keeps = any("-" in name for name in value)
            return {name if keeps else name[0].lower() + name[1:]: lowered(each) for name, each in value.items()}
        case list():
            return [lowered(each) for each in value]
    return value


def set_up_batch(address: str, stack: str, outputs: Mapping[str, str]) -> None:
    """Create what the template has of Batch by Batch's own API, as botocore's model knows that."""
    api, names = client("batch", address), names_of(stack, outputs)
    for name, each in of_type("Batch::ComputeEnvironment").items():
        asked = lowered(resolved({key: value for key, value in each.items() if key not in NOT_OF_API}, names))
        api.create_compute_environment(computeEnvironmentName=name, **asked)
    for each in of_type("Batch::JobQueue").values():
        api.create_job_queue(**lowered(resolved(each, names)))
    for name in of_type("Batch::JobDefinition"):
        asked = definition(name, stack, outputs)
        for task in asked.get("ecsProperties", {}).get("taskProperties", ()):
            for container in task["containers"]:
                del container["stopTimeout"]  # the model is older
        api.register_job_definition(**asked)


@contextmanager
def serving_batch(behind: str, definitions: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Serve Batch: job definitions as they are given, in a form that nothing behind knows, and all else from there."""

    class Batch(Handler):
        def do_POST(self) -> None:  # noqa: N802 # the name is the base class's
            body = self.body()
            name = json.loads(body or b"{}").get("jobDefinitionName")
            found = [each for each in definitions if each["jobDefinitionName"] == name]
            content, status = json.dumps({"jobDefinitions": found}).encode(), int(HTTPStatus.OK)
            if self.path != "/v1/describejobdefinitions":
                connection = HTTPConnection(urlsplit(behind).netloc)
                connection.request("POST", self.path, body, dict(self.headers.items()))
                reply = connection.getresponse()
                content, status = reply.read(), reply.status
                connection.close()
            self.answer(status, {"Content-Type": "application/json"}, content)

    with serving(Batch) as address:
        yield address
