"""Export the tasks of a table into a database or file, as its name says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pyanamo_async.core.items import Item
from pyanamo_async.core.selection import Selection
from pyanamo_async.core.tags import Misfit, TagKind, column_order, kind_of
from pyanamo_async.errors import UsageError
from pyanamo_async.operate.batches import batches
from pyanamo_async.operate.exporting.database import BATCH, ExportDatabase, how, open_database
from pyanamo_async.operate.exporting.files import misfits_path, new_file, write_jsonl, write_misfit, write_tsv
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

    async def into_database(self, path: Path, name: str, *, umask: int) -> ExportResult:
        """Replace the rows of a database that changed, add new ones, and remove those of tasks that items lost."""
        result = ExportResult()
        with open_database(path, name, self.columns, umask=umask) as database:
            database.prepare(self.source, how(self.columns, wide=self.wide))
            async for batch in batches(self._rows(database.is_known, database.meet), BATCH):
                self._write(database, batch, result)
            self._write(database, [], result)  # removes what was met to be gone after the last row
            result.misfits, result.removed = database.misfits, database.removed
        result.misfits_in = f"{name}_misfits" if result.misfits else ""
        return result

    async def into_file(self, path: Path, *, umask: int) -> ExportResult:
        """Write a file anew, and beside it what did not fit."""
        if path.suffix == PARQUET:
            require_pyarrow()
        result, beside = ExportResult(), misfits_path(path)
        with new_file(path, umask) as file, new_file(beside, umask) as misfits:
            rows = self._counted(misfits, result)
            if path.suffix != JSONL and (self.wide or self.columns is None):
                rows = with_same_columns(rows, FIXED, column_order(self.columns))
            elif self.columns is not None and not self.wide:
                rows = self._rectangular(rows)
            await self._write_file(path.suffix, rows, file)
        if not result.misfits:
            beside.unlink(missing_ok=True)
        result.misfits_in = str(beside) if result.misfits else ""
        return result

    def _rows(
        self, is_known: Callable[[Row], bool] = lambda _: False, meet: Callable[[Item], None] = lambda _: None
    ) -> AsyncIterator[Exported]:
        return export_rows(
            self.store, self.reader, self.selection, self.columns, wide=self.wide, is_known=is_known, meet=meet
        )

    def _write(self, database: ExportDatabase, batch: list[Exported], result: ExportResult) -> None:
        for misfit in database.write(batch):
            self.on_misfit(misfit)
        result.rows += len(batch)
        self.progress(result.rows)

    async def _counted(self, misfits: IO[bytes], result: ExportResult) -> AsyncIterator[Row]:
        async for exported in self._rows():
            result.rows += 1
            self.progress(result.rows)
            for misfit in exported.misfits:
                result.misfits += 1
                self.on_misfit(misfit)
                write_misfit(misfit, misfits)
            yield exported.row

    async def _rectangular(self, rows: AsyncIterator[Row]) -> AsyncIterator[Row]:
        blank: Row = dict.fromkeys((*FIXED, *self._names()))
        async for row in rows:
            yield blank | row

    async def _write_file(self, suffix: str, rows: AsyncIterator[Row], file: IO[bytes]) -> None:
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


async def export(what: Export, to: Path, name: str, *, umask: int) -> ExportResult:
    """Export into what the name of a file says: a SQLite database, TSV, JSON Lines or Parquet.

    Raises:
        UsageError: it says nothing that is known, or cannot be written.
    """
    if to.suffix in DATABASES:
        return await what.into_database(to, name, umask=umask)
    if to.suffix in SUFFIXES:
        return await what.into_file(to, umask=umask)
    raise UsageError(f"`to` is {str(to)!r}, whose kind is not known", hint=f"end it with one of {', '.join(SUFFIXES)}")
