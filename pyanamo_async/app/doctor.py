"""Examine a table and all that it stands on: first what would keep workers from working, then what they left behind.

What there is to look at depends on where table and output are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

from pyanamo_async.app.locations import Bucket, DynamoTable, Folder, SqliteTable
from pyanamo_async.app.resources import Resources
from pyanamo_async.errors import RegionMissing
from pyanamo_async.host.liveness import LocalProcesses
from pyanamo_async.operate.findings import Finding, FindingKind
from pyanamo_async.operate.leftovers import left_behind
from pyanamo_async.operate.orphaned_checkpoints import orphaned_checkpoints
from pyanamo_async.operate.platform_checks import Scope, check_platform
from pyanamo_async.operate.writing_checks import check_output_writable, check_table_writable

ENDS_IT = {
    FindingKind.REGION,
    FindingKind.CREDENTIALS,
    FindingKind.TABLE,
    FindingKind.TABLE_ROW,
    FindingKind.INDEX,
    FindingKind.BUCKET,
    FindingKind.RIGHT,
    FindingKind.CLOCK,
}
"""With one of these, what workers left behind cannot be looked for."""


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
    output = resources.settings.need_output()
    of_bucket = isinstance(output, Bucket)
    scope = Scope(of_table, of_bucket, queue, definition)
    try:
        store, outputs = await resources.store(), await resources.outputs()
    except RegionMissing as exc:  # clients are made where they are asked for, and none without a region
        yield Finding(FindingKind.REGION, exc.what, None, exc.hint)
        return
    kinds, now = set(), datetime.now(UTC)
    if of_table or of_bucket or queue or definition:
        async for finding in check_platform(await resources.platform(), store, outputs, scope, note):
            kinds.add(finding.kind)
            yield finding
    if kinds & ENDS_IT:
        return
    if isinstance(resources.settings.table, SqliteTable):
        async for finding in check_table_writable(store):
            yield finding
    if isinstance(output, Folder):
        async for finding in check_output_writable(outputs):
            yield finding
    async for finding in left_behind(
        store, outputs, older_than=older_than, remove=remove, now=now, processes=LocalProcesses()
    ):
        kinds.add(finding.kind)
        yield finding
    if kinds & ENDS_IT:
        return
    objects = await resources.objects()
    async for finding in orphaned_checkpoints(store, objects, older_than=older_than, remove=remove, now=now):
        yield finding
