"""`pyanamo doctor`: what a killed fleet has left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from pyanamo_async.app.locations import beside
from pyanamo_async.app.resources import Resources
from pyanamo_async.app.settings import Settings, read_duration
from pyanamo_async.cli.console import Row, note, say_json_list, say_table
from pyanamo_async.cli.options import JsonOption, addressed
from pyanamo_async.cli.run_async import with_resources
from pyanamo_async.cli.views import clock_time
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.errors import PyanamoError, TableMissing
from pyanamo_async.host.liveness import process_status
from pyanamo_async.operate.bench_table import SUFFIX, clear, killed
from pyanamo_async.operate.doctor import REMOVE_HINT, Doctor, Finding, FindingKind

SOMETHING_LEFT = 3  # as `run` says it of items: it worked, and not all is well
COLUMNS = ("finding", "which", "since", "hint")
REMOVED = "removed"


@addressed
def doctor(
    given: Settings,
    *,
    remove: Annotated[
        bool, typer.Option("--remove", "--abort", help="Remove what nobody finishes: uploads, files, tables of bench.")
    ] = False,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="DURATION", help="Leave younger uploads and files alone.")
    ] = "1h",
    json: JsonOption = False,
) -> None:
    """Find what workers and benches left behind that were killed: items, uploads, files, a table.

    Exits with 0 when nothing is left, with 3 when something is.
    """
    age = read_duration(older_than, "--older-than", zero=True)
    left = 0
    is_sure = True

    async def work(opened: Resources) -> None:
        store, outputs = await opened.store(), await opened.outputs()
        output_namespace = (await store.describe()).output_namespace
        examiner = Doctor(store, outputs, output_namespace, datetime.now(UTC), process_status)

        async def treated() -> AsyncIterator[tuple[Finding, str]]:
            nonlocal left, is_sure
            async for finding in examiner.examine(older_than=age):
                if remove and finding.unfinished:
                    await outputs.discard(finding.unfinished)
                    yield finding, REMOVED
                else:
                    left += 1
                    yield finding, finding.hint
            try:
                async for finding, hint in _bench(given, remove=remove):
                    left += hint != REMOVED
                    yield finding, hint
            except PyanamoError as trouble:
                is_sure = False
                note(f"pyanamo: nobody knows whether a killed bench left something: {trouble}")

        if json:
            await say_json_list(_json(*each) async for each in treated())
        else:
            await say_table(COLUMNS, (_row(*each) async for each in treated()))

    with_resources(given, work)
    if left:
        raise typer.Exit(SOMETHING_LEFT)
    note("nothing is left behind" if is_sure else "nothing else is left behind")


async def _bench(given: Settings, *, remove: bool) -> AsyncIterator[tuple[Finding, str]]:
    """Find, and remove where wanted, what a killed bench left beside the table."""
    async with Resources(replace(given, table=beside(given.table, SUFFIX))) as opened:
        store = await opened.store()
        try:
            mark = await killed(store, now=datetime.now(UTC), process_status=process_status)
            if mark is None:
                return
            if remove:
                await clear(store, await opened.outputs())
        except TableMissing:
            return
    what = Finding(FindingKind.BENCH, str(beside(given.table, SUFFIX)), mark.heartbeat, REMOVE_HINT)
    yield what, REMOVED if remove else what.hint


def _row(finding: Finding, hint: str) -> Row:
    return Row((str(finding.what), finding.which, clock_time(finding.since), hint))


def _json(finding: Finding, hint: str) -> dict[str, object]:
    return {
        "finding": str(finding.what),
        "which": finding.which,
        "since": format_time(finding.since),
        "removed": hint == REMOVED,
        "hint": hint,
    }
