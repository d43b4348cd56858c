"""What became of a table's tasks, as a page to look at.

Every method is thin: what it does is in `operate/`, which is imported when it is first used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pyanamo_async.app.locations import distinct_names
from pyanamo_async.errors import PyanamoError, Unavailable
from pyanamo_async.table_files import TableFiles

if TYPE_CHECKING:
    from pyanamo_async.operate.exporting.files import Writable
    from pyanamo_async.operate.reporting.report import ReportResult
    from pyanamo_async.ports import Store


class TableReport(TableFiles):
    """One table of items, and its report."""

    async def report(
        self, to: str | Path | Writable, *, scripts: bool = True, price_per_hour: float | None = None
    ) -> ReportResult:
        """Write what became of all tasks as one page, which needs no network; `write_report` takes several tables.

        It shows progress, when which worker ran what, throughput, what tasks used, failures, losses to Spot and to
        crashes, and a list of tasks with search and sort. Of more than 50,000 attempts the list and the timeline have
        10,000, chosen at random, and say so. Without `scripts` the page holds no commands. With `price_per_hour`, of
        each CPU that a running task asks for, it tells costs. Needs the extra `[report]`.

        Raises:
            UsageError: Bokeh is not installed, `to` cannot be written, or `price_per_hour` is negative.
        """
        return await write_report([self], to, scripts=scripts, price_per_hour=price_per_hour)

    async def perfetto(self, to: str | Path | Writable) -> int:
        """Write the last attempts of all tasks in Chrome's trace event format, and return how many there are.

        Raises:
            UsageError: `to` cannot be written.
        """
        return await write_perfetto([self], to)


async def write_report(
    tables: Sequence[TableReport],
    to: str | Path | Writable,
    *,
    scripts: bool = True,
    price_per_hour: float | None = None,
) -> ReportResult:
    """Write one report of several steps: a table is a step, called after it. Otherwise as `Table.report`.

    Files of one name are told apart by their folders, as in `align/pyanamo, call/pyanamo`.
    """
    from pyanamo_async.operate.exporting.files import path_or_file
    from pyanamo_async.operate.reporting import report
    from pyanamo_async.operate.reporting.plots import require_bokeh

    report.check_price(price_per_hour)
    require_bokeh()
    stores = await _stores(tables)
    return await report.write_report(
        stores, path_or_file(to), scripts=scripts, price=price_per_hour, at=datetime.now(UTC)
    )


async def serve_report(
    tables: Sequence[TableReport],
    *,
    ready: Callable[[str], None],
    port: int = 0,
    every: timedelta = timedelta(seconds=5),
    scripts: bool = True,
    price_per_hour: float | None = None,
    missed: Callable[[Unavailable], None] = lambda _: None,
) -> None:
    """Serve the report of several steps to browsers of this machine, until cancelled.

    `ready` hears the address, which has a secret in it; `port` is a free one by default. The tables are watched as by
    `Table.watch`, `every` so often, and the page is drawn anew when they have changed and somebody looks.

    Raises:
        UsageError: Bokeh is not installed, the port cannot be listened on, or an argument is out of its range.
    """
    from pyanamo_async.host.clock import SystemClock
    from pyanamo_async.operate.reporting import report
    from pyanamo_async.operate.reporting.plots import require_bokeh
    from pyanamo_async.operate.reporting.serving import ReportServer

    report.check_price(price_per_hour)
    require_bokeh()
    stores = await _stores(tables)

    async def draw(version: str) -> bytes:
        return await report.draw_report(
            stores, scripts=scripts, price=price_per_hour, at=datetime.now(UTC), version=version
        )

    async def watch(table: TableReport, looked: asyncio.Event) -> None:
        before = None
        async for seen in table.watch(every=every, missed=missed):
            now = seen.counts.items, seen.counts.tasks, seen.counts.retrying, seen.workers
            if before is not None and now != before:
                server.changed()
            before = now
            looked.set()

    server = ReportServer(draw, SystemClock())
    try:
        async with asyncio.TaskGroup() as group:
            first_looks = [asyncio.Event() for _ in tables]
            for table, looked in zip(tables, first_looks, strict=True):
                group.create_task(watch(table, looked))
            for looked in first_looks:  # what changes before these would not be seen to have changed
                await looked.wait()
            await server.serve(port, ready)
    except* PyanamoError as errors:
        raise errors.exceptions[0] from None


async def write_perfetto(tables: Sequence[TableReport], to: str | Path | Writable) -> int:
    """Write one trace of several steps. Otherwise as `Table.perfetto`."""
    from pyanamo_async.operate.exporting.files import path_or_file
    from pyanamo_async.operate.reporting import report

    return await report.write_perfetto(await _stores(tables), path_or_file(to))


async def _stores(tables: Sequence[TableReport]) -> list[tuple[str, Store]]:
    names = distinct_names([table._resources.settings.table for table in tables])  # noqa: SLF001 - its own
    return [(name, await table._open()) for name, table in zip(names, tables, strict=True)]  # noqa: SLF001
