"""What a table holds, as rows: fields of items, how attempts ended, what scripts report, what they printed.

Every method is thin: what it does is in `operate/`, which is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyanamo_async.core.items import State
from pyanamo_async.errors import OutputError, UsageError
from pyanamo_async.table_progress import TableProgress
from pyanamo_async.table_reader import check_streams, one_selection

if TYPE_CHECKING:
    from pyanamo_async.core.selection import Selection
    from pyanamo_async.core.tags import Cell, Misfit
    from pyanamo_async.operate.exporting.export import ExportResult
    from pyanamo_async.operate.exporting.files import Writable
    from pyanamo_async.operate.many_logs import FoundLog


class TableResults(TableProgress):
    """One table of items, as rows."""

    async def rows(
        self,
        columns: Sequence[str],
        selection: Selection | None = None,
        *,
        sort: str | None = None,
        reverse: bool = False,
    ) -> AsyncIterator[dict[str, object]]:
        """List items as rows of the stored fields that `columns` names, None where there is none.

        All that `docs/reference/table.md` lists for items can be had, in any case. Fields that the queue index does not
        hold take reading the items whole. `selection`, `sort` and `reverse` are as for `items`; so are the errors.
        """
        from pyanamo_async.operate import listing

        if isinstance(columns, str):
            raise UsageError(f"`columns` is {columns!r}", hint="give a list of names")
        names = [listing.find_field(name, "columns") for name in columns]
        chosen, by = one_selection(selection), None if sort is None else listing.find_field(sort, "sort")
        async for _, row in listing.list_items(await self._open(), chosen, names, sort=by, reverse=reverse):
            yield listing.fields_of(row, names)

    async def trace(
        self,
        selection: Selection | None = None,
        *,
        state: State | str | None = None,
        sample: str | None = None,
        sort: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[Mapping[str, object]]:
        """Yield a row for each task's last attempt that ended, with the columns of `pyanamo trace`.

        Seconds, CPU_Seconds and the byte counts are numbers, times are ISO 8601 in UTC, unknown values are None. The
        selected tasks are meant; `state` and `sample` are short for a selection by these. Rows come in no order, or by
        the column `sort` as `items` does, and are at most `limit`.

        Raises:
            ItemMissing: the selection names ids that the table does not have; the others are listed before.
            UsageError: a selection stands beside a state or sample, or there is no such state or column.
        """
        from pyanamo_async.operate.tracing import trace

        chosen = one_selection(selection, state, sample)
        async for row in trace(await self._open(), chosen, sort=sort, reverse=reverse, limit=limit):
            yield row

    async def joblog(
        self, selection: Selection | None = None, *, state: State | str | None = None, sample: str | None = None
    ) -> AsyncIterator[tuple[str, ...]]:
        """Yield the fields of a job log as GNU parallel writes it: a header, then a line for each row of `trace`."""
        from pyanamo_async.core.trace import JOBLOG_COLUMNS
        from pyanamo_async.operate.tracing import joblog

        chosen = one_selection(selection, state, sample)
        await self.describe()  # no header without a table
        yield JOBLOG_COLUMNS
        async for line in joblog(await self._open(), chosen):
            yield line

    async def results(
        self,
        selection: Selection | None = None,
        *,
        tag_names: str | Iterable[str] | None = None,
        wide: bool = False,
        same_columns: bool = False,
        on_misfit: Callable[[Misfit], None] | None = None,
    ) -> AsyncIterator[dict[str, Cell]]:
        """Yield the results of tasks, in no order: a row for each `PyAnamo:` line of their stdout.

        A row has `taskID`, `itemID`, `Task`, `Argument` and the fields of the line: text called `tag_1`, `tag_2` and so
        on, or what `tag_names` says, as `["SampleID", "chromosome:int", "depth:float"]`; a field with an empty name is
        left out. With `wide` a task has one row; its second line has columns called `SampleID_line2` and so on. With
        `same_columns` each row has the columns of all, and the first comes when the last line was read, for libraries
        that need to know them.

        By default all tasks that are done are meant, or those that are done of a selection; one that names states, is
        an expression or has `all` means what it says. Where a record had no room for all lines, the stored output is
        read.

        A line that has more or fewer fields than there are names, or other types, goes to `on_misfit` instead, as do
        done tasks without a line when there are names, and output that cannot be read.

        Raises:
            ItemMissing: the selection names ids that the table does not have.
            UsageError: `tag_names` is invalid, or a line does not fit and there is no `on_misfit`.
        """
        from pyanamo_async.core.tags import parse_tag_names
        from pyanamo_async.operate import results

        columns = None if tag_names is None else parse_tag_names(tag_names, taken=results.FIXED)
        rows = results.results(
            await self._open(),
            await self._log_reader(),
            selection or results.DONE_TASKS,
            columns,
            wide=wide,
            same_columns=same_columns,
            on_misfit=on_misfit or results.refuse,
        )
        async for row in rows:
            yield row

    async def export(
        self,
        to: str | Path | Writable,
        selection: Selection | None = None,
        *,
        tag_names: str | Iterable[str] | None = None,
        wide: bool = False,
        name: str = "tasks",
        on_misfit: Callable[[Misfit], None] = lambda _: None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> ExportResult:
        """Export tasks, all or those of a selection, with a row for each: what its record holds, and its results.

        The end of the name `to` says how: `.db`, `.sqlite` and `.sqlite3` are a SQLite database, in which `name` is the
        table; repeated, the export replaces rows that changed, adds those that are new, and removes those of tasks that
        an exported item no longer has. Rows of deleted items stay. `.tsv`, `.jsonl` and `.parquet` (with the extra
        `[parquet]`) are written anew, and replace a file when they are complete. An open file for bytes gets TSV.

        Results are those of tasks that are done; `tag_names` and `wide` are as for `results`. With names and without
        `wide`, a task that is done has one line. What does not fit goes to `on_misfit`, and is listed apart: in the
        table `<name>_misfits`, or beside the file in `<stem>.misfits.jsonl`. `progress` takes the number of rows so
        far.

        Raises:
            ItemMissing: the selection names ids that the table does not have.
            UsageError: `to` cannot be written, is of no known kind, or holds something else; or `tag_names` is invalid.
        """
        from pyanamo_async.core.tags import parse_tag_names
        from pyanamo_async.operate.exporting.export import Export, export
        from pyanamo_async.operate.exporting.files import path_or_file
        from pyanamo_async.operate.exporting.rows import FIXED

        columns = None if tag_names is None else parse_tag_names(tag_names, taken=FIXED)
        store, reader = await self._open(), await self._log_reader()
        what = Export(
            store,
            reader,
            one_selection(selection),
            columns,
            wide,
            source=reader.output_namespace,
            on_misfit=on_misfit,
            progress=progress,
        )
        return await export(what, path_or_file(to), name)

    async def all_logs(
        self, selection: Selection, *, streams: Sequence[str] = ("stdout",), tail: int | None = None
    ) -> AsyncIterator[FoundLog]:
        """Find what all selected tasks printed in their last attempts that ended, as `logs` does for one.

        Each has the `item_id`, the `task` (empty for a single item), the `stream` and the `log`, which can be iterated
        over, and whose `text()` can be awaited.

        Raises:
            ItemMissing: the selection names ids that the table does not have; the others are found before.
            UsageError: there is no such stream.
        """
        from pyanamo_async.operate.many_logs import find_logs

        check_streams(streams, tail)
        found = find_logs(await self._open(), await self._log_reader(), selection, streams, tail=tail)
        async for each in found:
            yield each

    async def save_logs(
        self,
        selection: Selection,
        folder: str | Path,
        *,
        streams: Sequence[str] = ("stdout",),
        tail: int | None = None,
        unreadable: Callable[[FoundLog, OutputError], None] | None = None,
    ) -> AsyncIterator[Path]:
        """Write what selected tasks printed into files of a folder, and yield the path of each.

        A file is called `<itemID>.stdout`, or of a nested item `<itemID>/<task>.stdout`, as in an output folder. One
        that exists is replaced. Output that cannot be read goes to `unreadable`, and without that ends it.

        Raises:
            ItemMissing: the selection names ids that the table does not have; the others are written before.
            OutputError: output cannot be read, and there is no `unreadable`; or a file cannot be written.
            UsageError: there is no such stream.
        """
        from pyanamo_async.operate.many_logs import save_logs

        found = self.all_logs(selection, streams=streams, tail=tail)
        async for path in save_logs(found, Path(folder), unreadable=unreadable or _fail):
            yield path


def _fail(_: FoundLog, error: OutputError) -> None:
    raise error
