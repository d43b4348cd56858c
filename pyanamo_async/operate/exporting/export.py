"""Export the tasks of a table into a database or file, as its name says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from pyanamo_async.core.items import Item
from pyanamo_async.core.selection import Selection
from pyanamo_async.core.tags import Misfit, TagKind, column_order, kind_of
from pyanamo_async.errors import UsageError
from pyanamo_async.host.new_file import is_replaced
from pyanamo_async.operate.batches import batches
from pyanamo_async.operate.exporting.database import BATCH, ExportDatabase, how, open_database
from pyanamo_async.operate.exporting.files import (
    Writable,
    misfits_path,
    named_file,
    write_jsonl,
    write_misfit,
    write_tsv,
)
from pyanamo_async.operate.exporting.parquet import require_pyarrow, write_parquet
from pyanamo_async.operate.exporting.rows import FIXED, Exported, Row, export_rows
from pyanamo_async.operate.logs import LogReader
from pyanamo_async.operate.results import Columns
from pyanamo_async.operate.row_files import with_same_columns
from pyanamo_async.ports import Store

DATABASES = (".db", ".sqlite", ".sqlite3")
TSV, JSONL, PARQUET = ".tsv", ".jsonl", ".parquet"
SUFFIXES = (*DATABASES, TSV, JSONL, PARQUET)


@dataclass(slots=True)
class ExportResult:
    """What was exported: how many rows of tasks were written and removed, and how many things did not fit.

    Rows are `removed` from a database if their items no longer have the tasks. A database counts what did not fit in
    older exports, too. `misfits_in` is the file, or the table of the database, that lists these; empty if there are
    none.
    """

    rows: int = 0
    misfits: int = 0
    misfits_in: str = ""
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Export:
    """What to export of a table, and how; `source` is what the table calls its output."""

    store: Store
    reader: LogReader
    selection: Selection
    columns: Columns
    wide: bool
    source: str
    on_misfit: Callable[[Misfit], None]
    progress: Callable[[int], None]

    async def into_database(self, path: Path, name: str) -> ExportResult:
        """Replace the rows of a database that changed, add new ones, and remove those of tasks that items lost."""
        result = ExportResult()
        with open_database(path, name, self.columns) as database:
            database.prepare(self.source, how(self.columns, wide=self.wide))
            async for batch in batches(self._rows(database.is_known, database.meet), BATCH):
                self._write_batch(database, batch, result)
            self._write_batch(database, [], result)  # removes what was met to be gone after the last row
            result.misfits, result.removed = database.misfits, database.removed
        result.misfits_in = f"{name}_misfits" if result.misfits else ""
        return result

    async def into_file(self, path: Path) -> ExportResult:
        """Write a file anew, and beside it what did not fit; beside a device or FIFO, nothing."""
        if path.suffix == PARQUET:
            require_pyarrow()
        with named_file(path) as file:
            if not is_replaced(path):
                return await self._write(file, path.suffix)
            beside = misfits_path(path)
            with named_file(beside) as misfits:
                result = await self._write(file, path.suffix, misfits)
        if not result.misfits:
            beside.unlink(missing_ok=True)
        result.misfits_in = str(beside) if result.misfits else ""
        return result

    async def into_open_file(self, file: Writable) -> ExportResult:
        """Write TSV into a file that is open."""
        with named_file(file):
            return await self._write(file, TSV)

    async def _write(self, file: Writable, suffix: str, misfits: Writable | None = None) -> ExportResult:
        result = ExportResult()
        rows = self._counted(misfits, result)
        if suffix != JSONL and (self.wide or self.columns is None):
            rows = with_same_columns(rows, FIXED, column_order(self.columns))
        elif self.columns is not None and not self.wide:
            rows = self._rectangular(rows)
        await self._write_rows(suffix, rows, file)
        return result

    def _rows(
        self, is_known: Callable[[Row], bool] = lambda _: False, meet: Callable[[Item], None] = lambda _: None
    ) -> AsyncIterator[Exported]:
        return export_rows(
            self.store, self.reader, self.selection, self.columns, wide=self.wide, is_known=is_known, meet=meet
        )

    def _write_batch(self, database: ExportDatabase, batch: list[Exported], result: ExportResult) -> None:
        for misfit in database.write(batch):
            self.on_misfit(misfit)
        result.rows += len(batch)
        self.progress(result.rows)

    async def _counted(self, misfits: Writable | None, result: ExportResult) -> AsyncIterator[Row]:
        async for exported in self._rows():
            result.rows += 1
            self.progress(result.rows)
            for misfit in exported.misfits:
                result.misfits += 1
                self.on_misfit(misfit)
                if misfits is not None:
                    write_misfit(misfit, misfits)
            yield exported.row

    async def _rectangular(self, rows: AsyncIterator[Row]) -> AsyncIterator[Row]:
        blank: Row = dict.fromkeys((*FIXED, *self._names()))
        async for row in rows:
            yield blank | row

    async def _write_rows(self, suffix: str, rows: AsyncIterator[Row], file: Writable) -> None:
        names = self._names()
        match suffix:
            case ".tsv":
                await write_tsv(rows, (*FIXED, *names), file)
            case ".parquet":
                kinds: dict[str, type | TagKind] = {name: kind_of(name, self.columns) for name in names}
                await write_parquet(rows, {**FIXED, **kinds}, file)
            case _:
                await write_jsonl(rows, file)

    def _names(self) -> list[str]:
        return [column.name for column in self.columns or () if column.name]


async def export(what: Export, to: Path | Writable, name: str) -> ExportResult:
    """Export into what the name of a file says: a SQLite database, TSV, JSON Lines or Parquet. An open one gets TSV.

    Raises:
        UsageError: it says nothing that is known, or cannot be written.
    """
    if not isinstance(to, Path):
        return await what.into_open_file(to)
    if to.suffix in DATABASES:
        return await what.into_database(to, name)
    if to.suffix in SUFFIXES:
        return await what.into_file(to)
    raise UsageError(f"`to` is {str(to)!r}, whose kind is not known", hint=f"end it with one of {', '.join(SUFFIXES)}")
