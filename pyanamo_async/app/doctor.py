"""Put the doctor together: what there is to look at depends on where table and output are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

from pyanamo_async.app.locations import Bucket, DynamoTable
from pyanamo_async.app.resources import Resources
from pyanamo_async.errors import RegionMissing
from pyanamo_async.host.liveness import LocalProcesses
from pyanamo_async.operate.doctor import ENDS_IT, examine
from pyanamo_async.operate.findings import Finding, FindingKind
from pyanamo_async.operate.orphaned_checkpoints import orphaned_checkpoints
from pyanamo_async.operate.platform_checks import Scope


async def examination(
    resources: Resources,
    *,
    older_than: timedelta,
    remove: bool,
    queue: str,
    definition: str,
    note: Callable[[str], None],
) -> AsyncIterator[Finding]:
    """Examine a table, its output, and on AWS what they and their workers stand on."""
    of_table = isinstance(resources.settings.table, DynamoTable)
    of_bucket = isinstance(resources.settings.need_output(), Bucket)
    scope = Scope(of_table, of_bucket, queue, definition)
    on_aws = of_table or of_bucket or bool(queue or definition)
    try:
        store, outputs = await resources.store(), await resources.outputs()
    except RegionMissing as exc:  # clients are made where they are asked for, and none without a region
        yield Finding(FindingKind.REGION, exc.what, None, exc.hint)
        return
    kinds, now = set(), datetime.now(UTC)
    async for finding in examine(
        store,
        outputs,
        older_than=older_than,
        remove=remove,
        now=now,
        processes=LocalProcesses(),
        platform=await resources.platform() if on_aws else None,
        scope=scope,
        note=note,
    ):
        kinds.add(finding.kind)
        yield finding
    if kinds & ENDS_IT:
        return
    objects = await resources.objects()
    async for finding in orphaned_checkpoints(store, objects, older_than=older_than, remove=remove, now=now):
        yield finding
