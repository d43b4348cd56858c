"""What became of a table's tasks, as a page to look at.

Every method is thin: what it does is in `operate/`, which is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pyanamo_async.app.settings import DEFAULT_UMASK
from pyanamo_async.table_results import TableResults

if TYPE_CHECKING:
    from pyanamo_async.operate.reporting.report import ReportResult
    from pyanamo_async.ports import Store


class TableReport(TableResults):
    """One table of items, and its report."""

    async def report(
        self, to: str | Path, *, scripts: bool = True, price_per_hour: float | None = None
    ) -> ReportResult:
        """Write what became of all tasks as one page, which needs no network; `write_report` takes several tables.

        It shows progress, when which worker ran what, throughput, what tasks used, failures, losses to Spot and to
        crashes, and a list of tasks with search and sort. Of more than 50,000 attempts the list and the timeline have
        10,000, chosen at random, and say so. Without `scripts` the page holds no commands. With `price_per_hour`, of
        one running task, it tells costs. Needs the extra `[report]`.

        Raises:
            UsageError: Bokeh is not installed, `to` cannot be written, or `price_per_hour` is negative.
        """
        return await write_report([self], to, scripts=scripts, price_per_hour=price_per_hour)

    async def perfetto(self, to: str | Path) -> int:
        """Write the last attempts of all tasks in Chrome's trace event format, and return how many there are.

        Raises:
            UsageError: `to` cannot be written.
        """
        return await write_perfetto([self], to)

    async def _store_by_step(self) -> tuple[str, Store]:
        return self.step, await self._open()


async def write_report(
    tables: Sequence[TableReport], to: str | Path, *, scripts: bool = True, price_per_hour: float | None = None
) -> ReportResult:
    """Write one report of several steps: a table is a step. Otherwise as `Table.report`."""
    from pyanamo_async.operate.reporting import report
    from pyanamo_async.operate.reporting.plots import require_bokeh

    report.check_price(price_per_hour)
    require_bokeh()
    stores = await _stores(tables)
    return await report.write_report(
        stores, Path(to), scripts=scripts, price=price_per_hour, at=datetime.now(UTC), umask=_umask(tables)
    )


async def write_perfetto(tables: Sequence[TableReport], to: str | Path) -> int:
    """Write one trace of several steps. Otherwise as `Table.perfetto`."""
    from pyanamo_async.operate.reporting import report

    return await report.write_perfetto(await _stores(tables), Path(to), umask=_umask(tables))


async def _stores(tables: Sequence[TableReport]) -> list[tuple[str, Store]]:
    return [await table._store_by_step() for table in tables]  # noqa: SLF001 - its own


def _umask(tables: Sequence[TableReport]) -> int:
    return tables[0]._resources.settings.umask if tables else DEFAULT_UMASK  # noqa: SLF001 - its own
