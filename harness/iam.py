"""Which action of IAM each operation needs, and what a policy allows.

Source: "Actions, resources, and condition keys" of each service in the Service Authorization Reference. Their names
differ more often than one would think.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from harness.gate import Call

Statement = Mapping[str, Any]

PREFIXES = {"service-quotas": "servicequotas"}
ACTIONS: dict[tuple[str, str, str], str] = {
    ("batch", "SubmitJob", "tags"): "batch:TagResource",
    ("dynamodb", "BatchExecuteStatement", "INSERT"): "dynamodb:PartiQLInsert",
    ("dynamodb", "BatchExecuteStatement", "UPDATE"): "dynamodb:PartiQLUpdate",
    ("dynamodb", "BatchExecuteStatement", "DELETE"): "dynamodb:PartiQLDelete",
    ("s3", "CompleteMultipartUpload", ""): "s3:PutObject",
    ("s3", "CreateMultipartUpload", ""): "s3:PutObject",
    ("s3", "GetBucketLifecycleConfiguration", ""): "s3:GetLifecycleConfiguration",
    ("s3", "GetObject", "version"): "s3:GetObjectVersion",
    ("s3", "HeadBucket", ""): "s3:ListBucket",
    ("s3", "HeadObject", ""): "s3:GetObject",
    ("s3", "ListMultipartUploads", ""): "s3:ListBucketMultipartUploads",
    ("s3", "ListObjectsV2", ""): "s3:ListBucket",
    ("s3", "UploadPart", ""): "s3:PutObject",
    ("sts", "GetCallerIdentity", ""): "",  # nobody can be denied it
}
"""Those that are not called as their operation is."""

SAME_NAME = {
    "batch": {
        "CancelJob",
        "DescribeComputeEnvironments",
        "DescribeJobDefinitions",
        "DescribeJobQueues",
        "DescribeJobs",
        "GetJobQueueSnapshot",
        "ListJobs",
        "SubmitJob",
        "TerminateJob",
    },
    "dynamodb": {
        "BatchGetItem",
        "DeleteItem",
        "DescribeTable",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "UpdateItem",
    },
    "ecr": {"DescribeImages"},
    "s3": {"AbortMultipartUpload", "DeleteObject", "GetObject", "PutObject"},
    "service-quotas": {"GetServiceQuota"},
}


def action(call: Call) -> str:
    """Return the action that a call needs; empty for one that nobody can be denied.

    Raises:
        KeyError: the operation is not in the tables: look it up, and add it.
    """
    if call.operation in SAME_NAME.get(call.service, ()) and not call.verb:
        return f"{PREFIXES.get(call.service, call.service)}:{call.operation}"
    return ACTIONS[call.service, call.operation, call.verb]


def resource(call: Call, *, region: str, account: str) -> str:
    """Return the ARN of what a call is on; `*` where the service knows no single resources for it."""
    match call.service:
        case "s3":
            return f"arn:aws:s3:::{call.resource}"
        case "dynamodb":
            return f"arn:aws:dynamodb:{region}:{account}:{call.resource}"
        case "batch" if call.resource:
            return f"arn:aws:batch:{region}:{account}:{call.resource}"
        case "ecr":
            return f"arn:aws:ecr:{region}:{account}:repository/{call.resource}"
    return "*"


def deciding(statements: Sequence[Statement], action: str, arn: str) -> list[str]:
    """Return the names of the statements that allow an action on something; `*` is any of them that has the action."""
    return [
        str(each["Sid"])
        for each in statements
        if action in _listed(each["Action"])
        and (arn == "*" or any(fnmatchcase(arn, pattern) for pattern in _listed(each["Resource"])))
    ]


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value
