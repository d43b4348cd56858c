"""`pyanamo doctor`: what keeps workers from working, what killed ones left behind, and rows that cannot be read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated

import typer

from pyanamo_async import Finding, FindingKind, Table
from pyanamo_async.cli.console import note, on_terminal, say_json_list
from pyanamo_async.cli.flags import duration, name_flags
from pyanamo_async.cli.listing import Column, Row, say_table
from pyanamo_async.cli.options import JsonOption, on_table
from pyanamo_async.cli.views import clock_time
from pyanamo_async.core.stored.queue_key import format_time

FOUND_STATUS = 3  # as `run` says it of items: it worked, and not all is well
COLUMNS = (Column("finding", rank=1), Column("what"), Column("since", rank=2), Column("hint", rank=3))
REMOVED = "removed"


@on_table
async def doctor(
    table: Table,
    *,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove unfinished uploads and files that are left over.")
    ] = False,
    older_than: Annotated[
        timedelta,
        typer.Option(
            "--older-than", metavar="DURATION", parser=duration, help="Leave younger uploads and files alone."
        ),
    ] = "1h",  # type: ignore[assignment]  # parsed as any other text
    queue: Annotated[
        str, typer.Option("--queue", metavar="NAME", help="Look at this job queue of AWS Batch, too.")
    ] = "",
    definition: Annotated[
        str, typer.Option("--definition", metavar="NAME", help="Look at this job definition of AWS Batch, too.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Find what keeps workers from working, and what killed ones left behind.

    It tries whether a file and a folder can be written. On AWS it looks at credentials, rights, table, bucket, key, and
    of AWS Batch at the retry rules, time limits, image and quota. Left behind are items, uploads, files, and rows that
    cannot be read or that another program moved. Exits with 0 when all is well, with 3 when something is found; each
    finding says what to do.
    """
    left, below = 0, dict[str, None]()

    async def findings() -> AsyncIterator[Finding]:
        nonlocal left
        found = table.doctor(older_than=older_than, remove=remove, queue=queue, definition=definition, note=note)
        async for finding in found:
            left += not finding.removed
            if on_terminal() and not json and not finding.removed:
                below[f"{finding.kind}: {_hint(finding)}"] = None
            yield finding

    if json:
        await say_json_list(_json(each) async for each in findings())
    else:
        await say_table(COLUMNS, (_row(each) async for each in findings()), even_empty=not on_terminal())
    for hint in below:
        note(hint)
    if left:
        raise typer.Exit(FOUND_STATUS)
    note("all is well, and nothing is left behind")


def _row(finding: Finding) -> Row:
    hint = "" if on_terminal() and not finding.removed else _hint(finding)  # there it stands below, once, and whole
    return Row((str(finding.kind), _what(finding), clock_time(finding.since) if finding.since else "", hint))


def _what(finding: Finding) -> str:
    return name_flags(finding.what) if finding.kind is FindingKind.LAST else finding.what  # others quote rows


def _hint(finding: Finding) -> str:
    return REMOVED if finding.removed else name_flags(finding.hint)


def _json(finding: Finding) -> dict[str, object]:
    return {
        "finding": str(finding.kind),
        "which": _what(finding),
        "since": format_time(finding.since) if finding.since else None,
        "removed": finding.removed,
        "hint": _hint(finding),
    }
