"""Look up what a table on AWS depends on: credentials, the table itself, the bucket, the image, quotas.

Sources: `GetCallerIdentity` in the STS API reference, which no policy can deny; `HeadBucket` and
`GetBucketLifecycleConfiguration` in that of S3; `DescribeImages` in that of ECR; "Fargate service quotas" in the
Developer Guide of Amazon ECS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from pyanamo_async.aws.errors import translate, translated
from pyanamo_async.aws.job_definitions import BatchSetup
from pyanamo_async.aws.session import Aws
from pyanamo_async.errors import BucketMissing, Denied, OutputError, UsageError
from pyanamo_async.ports.platform import FARGATE, FARGATE_SPOT, BucketCondition, Caller, Image, Platform, TableCondition

QUOTAS = {FARGATE: "L-3032A538", FARGATE_SPOT: "L-36FBB829"}
NO_LIFECYCLE, NO_IMAGE, NO_QUOTA = (
    "NoSuchLifecycleConfiguration",
    {"ImageNotFoundException"},
    {"NoSuchResourceException"},
)
UNMET = {"ConditionalCheckFailed", "ConditionalCheckFailedException"}
_ECR = re.compile(r"(\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/([^:@]+)(?::([^@]+))?(?:@(.+))?")


class AwsPlatform(BatchSetup, Platform):
    """The account and region of a session; a table, its key and its index; a bucket, and the prefix of output in it."""

    def __init__(self, aws: Aws, *, table: str, key: str, index: str, bucket: str, prefix: str) -> None:
        super().__init__(aws)
        self._table, self._key, self._index, self._bucket, self._prefix = table, key, index, bucket, prefix

    async def caller(self) -> Caller:
        """Ask STS, in the region of the DynamoDB client."""
        region = (await self._aws.dynamodb()).meta.region_name
        client = await self._aws.client("sts")
        with translated("AWS STS"):
            reply = await client.get_caller_identity()
        return Caller(account=reply["Account"], arn=reply["Arn"], region=region)

    async def table(self) -> TableCondition:
        """Ask DynamoDB for the table and its index."""
        client = await self._aws.dynamodb()
        with translated(f"table '{self._table}'"):
            described: Any = (await client.describe_table(TableName=self._table))["Table"]
        indexes = described.get("GlobalSecondaryIndexes", ())
        status = next((each["IndexStatus"] for each in indexes if each["IndexName"] == self._index), "")
        return TableCondition(described["TableStatus"], status)

    async def denied(self) -> list[str]:
        """Try each right on a row that does not exist; writes have the condition that it exists, so nothing changes."""
        client: Any = await self._aws.dynamodb()
        name, no_row = self._table, {self._key: {"S": f"#nobody#{self._key}"}}
        unmet = {"TableName": name, "Key": no_row, "ConditionExpression": f"attribute_exists({self._key})"}
        text = f'UPDATE "{name}" SET "Queue"=? WHERE "{self._key}"=?'  # noqa: S608 # names of ours; values are parameters
        statement = {"Statement": text, "Parameters": [{"S": "#nobody"}, no_row[self._key]]}
        query = {"KeyConditionExpression": "Queue = :queue", "ExpressionAttributeValues": {":queue": {"S": "#nobody"}}}
        calls: Mapping[str, Callable[[], Any]] = {
            "GetItem": lambda: client.get_item(TableName=name, Key=no_row),
            "BatchGetItem": lambda: client.batch_get_item(RequestItems={name: {"Keys": [no_row]}}),
            "Query": lambda: client.query(TableName=name, IndexName=self._index, Limit=1, **query),
            "UpdateItem": lambda: client.update_item(**unmet),
            "DeleteItem": lambda: client.delete_item(**unmet),
            "PartiQLUpdate": lambda: client.batch_execute_statement(Statements=[statement]),
        }
        return [f"dynamodb:{action}" for action, call in calls.items() if not await self._is_allowed(call)]

    async def _is_allowed(self, call: Callable[[], Any]) -> bool:
        try:
            reply = await call()
        except ClientError as exc:
            error: Any = exc.response["Error"]
            if error["Code"] in UNMET:
                return True
            if isinstance(refusal := translate(exc, f"table '{self._table}'"), Denied):
                return False
            raise refusal from exc
        return all(
            "AccessDenied" not in each.get("Error", {}).get("Code", "")
            for each in reply.get("Responses", ())
            if isinstance(each, dict)
        )

    async def bucket(self) -> BucketCondition:
        """Ask S3 for the bucket's region and its lifecycle."""
        client: Any = await self._aws.s3()
        with translated(f"bucket '{self._bucket}'", otherwise=OutputError):
            try:
                head = await client.head_bucket(Bucket=self._bucket)
            except ClientError as exc:
                if exc.response["Error"]["Code"] == "404":
                    hint = "create it, or correct `bucket`"
                    raise BucketMissing(f"bucket '{self._bucket}' does not exist", hint=hint) from exc
                raise
            try:
                rules = (await client.get_bucket_lifecycle_configuration(Bucket=self._bucket))["Rules"]
            except ClientError as exc:
                if exc.response["Error"]["Code"] != NO_LIFECYCLE:
                    raise
                rules = []
        days = [
            _abort_days(each)
            for each in rules
            if each.get("Status") == "Enabled" and self._prefix.startswith(_prefix(each))
        ]
        after = min((each for each in days if each), default=None)
        return BucketCondition(head.get("BucketRegion", ""), timedelta(days=after) if after else None)

    async def image(self, address: str) -> Image | None:
        """Ask ECR; raise `UsageError` for an address elsewhere."""
        found = _ECR.fullmatch(address)
        if not found:
            raise UsageError(f"image {address} is not in ECR")
        registry, repository, tag, digest = found.groups()
        which = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
        client = await self._aws.client("ecr")
        with translated(f"repository {repository}"):
            try:
                reply = await client.describe_images(registryId=registry, repositoryName=repository, imageIds=[which])
            except ClientError as exc:
                if exc.response["Error"]["Code"] in NO_IMAGE:
                    return None
                raise
        return Image(sum(each.get("imageSizeInBytes", 0) for each in reply["imageDetails"]))

    async def cpu_quota(self, kind: str) -> float | None:
        """Ask Service Quotas."""
        client = await self._aws.client("service-quotas")
        with translated("Service Quotas"):
            try:
                reply = await client.get_service_quota(ServiceCode="fargate", QuotaCode=QUOTAS[kind])
            except ClientError as exc:
                if exc.response["Error"]["Code"] in NO_QUOTA:
                    return None
                raise
        return float(reply["Quota"]["Value"])


def _prefix(rule: Mapping[str, Any]) -> str:
    """Return the key prefix that a rule covers; for a rule that also asks for tags or sizes, one that no key has."""
    narrow = {*rule.get("Filter", ())} - {"Prefix"}
    return "/" if narrow else str(rule.get("Prefix") or rule.get("Filter", {}).get("Prefix") or "").rstrip("/")


def _abort_days(rule: Mapping[str, Any]) -> int | None:
    days = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
    return int(days) if days else None
