"""Check what a fleet depends on: credentials, table, bucket, key, job definition, queue and quota.

1. Every look is made, whatever another has found, unless nothing can be asked at all.
2. Nothing that is there is changed: rights are tried by calls whose condition cannot be met, and by an upload that is
   aborted.
3. What the caller may not look at is a finding of its own: it does not count as being well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

from pyanamo_async.core.values import Value
from pyanamo_async.errors import (
    BucketMissing,
    ClockRefused,
    Denied,
    OutputError,
    RegionMissing,
    SchemaMismatch,
    TableMissing,
    UsageError,
)
from pyanamo_async.operate.findings import CLOCK_HINT, Finding, FindingKind
from pyanamo_async.operate.job_checks import check_definition, check_image, check_queue, check_quota
from pyanamo_async.ports import OutputStore, Platform, Store
from pyanamo_async.ports.platform import FARGATE, FARGATE_SPOT, BucketCondition, Caller, JobDefinition, TableCondition

USABLE = {"ACTIVE", "UPDATING"}
CREATE_HINT = "`pyanamo table create` and `pyanamo import` make it; is it in another region or account?"
ROW_HINT = "`pyanamo import` adds it to an empty table of our form, as the stack makes one; otherwise"
INDEX_HINT = "wait: DynamoDB builds it within minutes; a table without it is not of our form"
RIGHT_HINT = "docs/guide/aws.md (Rights) has what each role needs; the stack's OperatorPolicy is enough"
BUCKET_HINT = "create it, or correct `bucket`"
REGION_HINT = (
    "work in the bucket's region, or use a bucket in this one: traffic between regions is slow, and charged for"
)
KEY_HINT = "allow kms:GenerateDataKey and kms:Decrypt on the bucket's key: without Decrypt only large output fails"
LIFECYCLE_HINT = "give it a lifecycle rule that aborts them after 7 days (docs/guide/cleaning-up.md has one)"
DEFINITION_HINT = "the stack makes two; `aws batch describe-job-definitions` lists them"
QUEUE_HINT = "the stack makes four; `aws batch describe-job-queues` lists them"


class Scope(Value):
    """What is looked at: whether table and bucket are of AWS, and the names of a job queue and definition, if any."""

    table: bool
    bucket: bool
    queue: str = ""
    definition: str = ""


async def check_platform(
    platform: Platform, store: Store, outputs: OutputStore, scope: Scope, note: Callable[[str], None]
) -> AsyncIterator[Finding]:
    """Find what would keep workers from working; raise `Unavailable` while a service does not answer.

    `note` is told who looks.
    """
    try:
        caller = await platform.caller()
    except RegionMissing as exc:
        yield Finding(FindingKind.REGION, exc.what, None, exc.hint)
        return
    except ClockRefused as exc:
        yield Finding(FindingKind.CLOCK, exc.what, None, CLOCK_HINT)
        return
    except Denied as exc:
        yield Finding(FindingKind.CREDENTIALS, exc.what, None, exc.hint)
        return
    note(f"looking as {caller.arn} in {caller.region}")
    if scope.table:
        async for finding in _check_table(platform, store, caller):
            yield finding
    if scope.bucket:
        async for finding in _check_bucket(platform, outputs, caller):
            yield finding
    try:
        definition = await platform.definition(scope.definition) if scope.definition else None
        if scope.definition:
            async for finding in _check_definition(platform, scope.definition, definition):
                yield finding
        if scope.queue:
            async for finding in _check_queue(platform, scope.queue, definition):
                yield finding
    except Denied as exc:
        yield Finding(FindingKind.UNCHECKED, exc.what, None, RIGHT_HINT)


async def _check_table(platform: Platform, store: Store, caller: Caller) -> AsyncIterator[Finding]:
    try:
        table = await platform.table()
    except TableMissing as exc:
        what = f"{exc.what} in {caller.region} of account {caller.account}"
        yield Finding(FindingKind.TABLE, what, None, CREATE_HINT)
        return
    except Denied as exc:
        yield Finding(FindingKind.RIGHT, exc.what, None, RIGHT_HINT)
        return
    ill = [*judge_table(table)]
    for finding in ill:
        yield finding
    if ill:
        return
    for action in await platform.denied():
        yield Finding(FindingKind.RIGHT, f"{caller.arn} may not {action}, which workers need", None, RIGHT_HINT)
    try:
        await store.describe()
    except SchemaMismatch as exc:
        yield Finding(FindingKind.TABLE_ROW, exc.what, None, f"{ROW_HINT} {exc.hint}")
    except Denied as exc:
        yield Finding(FindingKind.RIGHT, exc.what, None, RIGHT_HINT)


def judge_table(table: TableCondition) -> Iterator[Finding]:
    """Find a table or index that does not take requests."""
    if table.status not in USABLE:
        yield Finding(FindingKind.TABLE, f"the table is {table.status}", None, "wait until it is ACTIVE")
    elif table.index_status not in USABLE:
        what = f"its index is {table.index_status or 'missing'}"
        yield Finding(FindingKind.INDEX, what, None, INDEX_HINT)


async def _check_bucket(platform: Platform, outputs: OutputStore, caller: Caller) -> AsyncIterator[Finding]:
    try:
        bucket = await platform.bucket()
    except BucketMissing as exc:
        yield Finding(FindingKind.BUCKET, exc.what, None, BUCKET_HINT)
        return
    except Denied as exc:
        yield Finding(FindingKind.UNCHECKED, exc.what, None, RIGHT_HINT)
    else:
        for finding in judge_bucket(bucket, region=caller.region):
            yield finding
    try:
        await outputs.check()
    except (Denied, OutputError) as exc:
        of_key = "kms" in exc.what.casefold()
        kind, hint = (FindingKind.KEY, KEY_HINT) if of_key else (FindingKind.RIGHT, RIGHT_HINT)
        yield Finding(kind, exc.what, None, hint)


def judge_bucket(bucket: BucketCondition, *, region: str) -> Iterator[Finding]:
    """Find a bucket far away, or one that keeps unfinished uploads for ever."""
    if bucket.region and bucket.region != region:
        what = f"the bucket is in {bucket.region}, and the table in {region}"
        yield Finding(FindingKind.BUCKET_REGION, what, None, REGION_HINT)
    if bucket.aborts_uploads_after is None:
        what = "the bucket keeps the parts of unfinished uploads for ever, and charges for them"
        yield Finding(FindingKind.LIFECYCLE, what, None, LIFECYCLE_HINT)


async def _check_definition(platform: Platform, name: str, definition: JobDefinition | None) -> AsyncIterator[Finding]:
    if definition is None:
        what = f"there is no active job definition {name}"
        yield Finding(FindingKind.DEFINITION, what, None, DEFINITION_HINT)
        return
    for finding in check_definition(definition):
        yield finding
    try:
        image = await platform.image(definition.image)
    except UsageError:  # of another registry, where nobody can be asked
        return
    for finding in check_image(definition, image):
        yield finding


async def _check_queue(platform: Platform, name: str, definition: JobDefinition | None) -> AsyncIterator[Finding]:
    queue = await platform.queue(name)
    if queue is None:
        yield Finding(FindingKind.QUEUE, f"there is no job queue {name}", None, QUEUE_HINT)
        return
    for finding in check_queue(queue, definition):
        yield finding
    for kind in (each for each in queue.kinds if each in {FARGATE, FARGATE_SPOT}):
        for finding in check_quota(queue, kind, await platform.cpu_quota(kind)):
            yield finding
