"""The AWS CLI and docker, as docs/guide/aws.md calls them: `python -m tests.docs.aws_tools aws|docker ARGUMENT...`.

`aws cloudformation deploy` puts the stack on moto, and what moto lacks of it where this machine has it: the table on
DynamoDB Local; queues and job definitions, as the template has them, on the fake of AWS Batch. What the tools print is
what the real ones print, shortened where they draw progress.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import jmespath  # type: ignore[import-untyped] # comes with boto3

from harness.servers.clients import client
from tests.container.stack import IMAGE, deploy, lowered, of_type, properties, resolved, template

REGION = "us-east-1"
DIGEST = f"sha256:{hashlib.sha256(IMAGE.encode()).hexdigest()}"


def install(folder: Path) -> None:
    """Write both programs into a folder for PATH."""
    folder.mkdir()
    for name in ("aws", "docker"):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.docs.aws_tools {name} "$@"\n')
        program.chmod(0o755)


def aws(arguments: list[str]) -> None:
    """Do what the AWS CLI does, of what the page needs."""
    parser = argparse.ArgumentParser(prog="aws")
    parser.add_argument("command", nargs=2)
    for name in ("--stack-name", "--template-file", "--capabilities", "--query", "--output", "--region"):
        parser.add_argument(name)
    parser.add_argument("--parameter-overrides", nargs="*", default=[])
    given = parser.parse_args(arguments)
    match given.command:
        case ["cloudformation", "deploy"]:
            assert Path(given.template_file).is_file()
            assert given.capabilities == "CAPABILITY_IAM"
            _deploy(given.stack_name, dict(each.split("=", 1) for each in given.parameter_overrides))
        case ["cloudformation", "describe-stacks"]:
            found = _client("cloudformation").describe_stacks(StackName=given.stack_name)
            assert given.output == "text"
            for row in jmespath.search(given.query, found):
                print(*row, sep="\t")
        case ["ecr", "get-login-password"]:
            assert given.region == REGION
            print("secret")
        case _:
            parser.error(f"there is no {given.command}")


def docker(arguments: list[str]) -> None:
    """Do what docker does when it logs in, builds and pushes; what is pushed is in moto's ECR."""
    match arguments:
        case ["login", "--username", "AWS", "--password-stdin", _]:
            assert sys.stdin.read().strip() == "secret"
            print("Login Succeeded")
        case ["build", *options, context]:
            assert Path(options[options.index("--file") + 1]).is_file()
            assert Path(context).is_dir()
        case ["push", image]:
            repository, _, tag = image.rpartition("/")[2].partition(":")
            _client("ecr").put_image(repositoryName=repository, imageManifest=IMAGE, imageTag=tag)
            print(f"The push refers to repository [{image.rpartition(':')[0]}]\n{tag}: digest: {DIGEST} size: 1990")
        case _:
            sys.exit(f"docker: {arguments}")


def _deploy(stack: str, given: Mapping[str, str]) -> None:
    print("\nWaiting for changeset to be created..\nWaiting for stack create/update to complete")
    outputs = deploy(os.environ["AWS_ENDPOINT_URL_S3"], stack, **given)
    names = _names(stack, outputs, given)
    table = resolved(properties("Table"), names)
    keys = ("TableName", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    _client("dynamodb").create_table(**{key: table[key] for key in keys})
    batch = _client("batch")
    for name, each in of_type("Batch::ComputeEnvironment").items():
        asked = lowered(resolved({key: each[key] for key in ("Type", "ComputeResources")}, names))
        batch.create_compute_environment(computeEnvironmentName=name, **asked)
    for each in of_type("Batch::JobQueue").values():
        batch.create_job_queue(**lowered(resolved(each, names)))
    for each in of_type("Batch::JobDefinition").values():
        _post("/v1/registerjobdefinition", lowered(resolved(each, names)))
    print(f"Successfully created/updated stack - {stack}")


class _Names(dict[str, Any]):
    """What references of the template stand for: most are only checked for their form, and stand for their names."""

    def __missing__(self, name: str) -> str:
        return name


def _names(stack: str, outputs: Mapping[str, str], given: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what references of the template stand for."""
    defaults = {name: each.get("Default") for name, each in template()["Parameters"].items()}
    return _Names(
        {
            **defaults,
            **given,
            "InstanceTypes": [defaults["InstanceTypes"]],
            "AWS::StackName": stack,
            "AWS::Region": REGION,
            "Repository.RepositoryUri": outputs["Repository"],
            "Table": given["TableName"],
            "Bucket": outputs["Bucket"],
        }
    )


def _post(path: str, asked: Mapping[str, Any]) -> None:
    """Ask the fake of Batch without botocore, whose model does not know `stopTimeout` yet."""
    request = Request(os.environ["AWS_ENDPOINT_URL_BATCH"] + path, json.dumps(asked).encode())  # noqa: S310 - loopback
    with urlopen(request) as reply:  # noqa: S310 - loopback
        assert reply.status == HTTPStatus.OK


def _client(service: str) -> Any:  # noqa: ANN401 # boto3 makes its clients at run time
    at = {"dynamodb": "AWS_ENDPOINT_URL_DYNAMODB", "batch": "AWS_ENDPOINT_URL_BATCH"}
    return client(service, os.environ[at.get(service, "AWS_ENDPOINT_URL_S3")])


if __name__ == "__main__":
    {"aws": aws, "docker": docker}[sys.argv[1]](sys.argv[2:])
