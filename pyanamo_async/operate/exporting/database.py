"""Export into a SQLite database, which others read while it grows.

1. A task has one row, by item and task. Repeated, an export replaces rows that changed, and adds those that are new.
2. Of an item that an export meets, rows of tasks that it no longer has are removed. Rows of deleted items stay: an
   export that does not meet an item cannot tell whether it is gone or passed from one state to another meanwhile.
3. What did not fit is in a second table, `<name>_misfits`, until the task's row is replaced or removed.
4. A database, or a table in it, that holds something else is left alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import orjson

from pyanamo_async.core.arguments import check_type
from pyanamo_async.core.expressions.view import TaskView
from pyanamo_async.core.items import Item
from pyanamo_async.core.tags import Misfit, TagKind, kind_of
from pyanamo_async.core.text.system_errors import why
from pyanamo_async.errors import UsageError
from pyanamo_async.host.modes import create_file
from pyanamo_async.host.new_file import is_replaced
from pyanamo_async.operate.exporting.files import misfit_row
from pyanamo_async.operate.exporting.rows import FIXED, Exported, Row
from pyanamo_async.operate.results import Columns
from pyanamo_async.store.sqlite.recognition import APPLICATION_ID

BATCH = 500  # rows of a transaction
BUSY_S = 30.0  # how long another program may hold the database
MOST_COLUMNS = 1900  # of the 2,000 that SQLite takes
KEY = ("itemID", "Task")
EXPORTS = "pyanamo_exports"
TYPES: dict[type | TagKind, str] = {
    str: "TEXT",
    int: "INTEGER",
    float: "REAL",
    TagKind.TEXT: "TEXT",
    TagKind.INT: "INTEGER",
    TagKind.FLOAT: "REAL",
}


class ExportDatabase:
    """One table of a database, to which rows of tasks are exported."""

    def __init__(self, connection: sqlite3.Connection, name: str, columns: Columns) -> None:
        self._connection = connection
        self._name, self._tag_columns = name, columns
        self._misfits = f"{name}_misfits"
        self._columns = self._stored_columns()
        self._unchanged_counts = False
        self._gone: list[tuple[str, str]] = []
        self.removed = 0

    def prepare(self, source: str, how: str) -> None:
        """Create what is missing; `source` is what is exported, and `how` with which names.

        Raises:
            UsageError: the table holds something else.
        """
        execute = self._connection.execute
        execute(f"CREATE TABLE IF NOT EXISTS {EXPORTS} (Name TEXT PRIMARY KEY, Source TEXT, How TEXT)")
        known = execute(f"SELECT Source, How FROM {EXPORTS} WHERE Name = ?", (self._name,)).fetchone()  # noqa: S608
        if known is None and (self._columns or self._exists(self._misfits)):
            raise UsageError(f"`to` has a table {self._name!r} that is not ours", hint="give another `name`")
        if known is not None and known[0] != source:
            raise UsageError(f"`to` has the tasks of {known[0]} in {self._name!r}", hint="give another `name`")
        if not self._columns:
            listed = ", ".join(f"{_quoted(name)} {TYPES[kind]}" for name, kind in FIXED.items())
            execute(f"CREATE TABLE {_quoted(self._name)} ({listed}, PRIMARY KEY (itemID, Task))")
            execute(f"CREATE TABLE {_quoted(self._misfits)} (itemID TEXT, Task TEXT, Line INTEGER, Tag TEXT, Why TEXT)")
            execute(f"CREATE INDEX {_quoted(self._misfits + '_of')} ON {_quoted(self._misfits)} (itemID, Task)")
            self._columns = list(FIXED)
        named = [column.name for column in self._tag_columns or () if column.name]
        self._add_columns([name for name in named if name.casefold() not in self._known()])
        self._unchanged_counts = known is not None and known[1] == how
        execute(f"REPLACE INTO {EXPORTS} VALUES (?, ?, ?)", (self._name, source, how))  # noqa: S608
        self._connection.commit()

    def is_known(self, row: Row) -> bool:
        """Return whether the fixed columns of a task are as they were exported last, with the same names."""
        if not self._unchanged_counts:
            return False
        listed = ", ".join(map(_quoted, FIXED))
        query = f"SELECT {listed} FROM {_quoted(self._name)} WHERE itemID = ? AND Task = ?"  # noqa: S608 - quoted
        stored: tuple[object, ...] | None = self._connection.execute(query, [row[name] for name in KEY]).fetchone()
        return stored == tuple(row.values())

    def meet(self, item: Item) -> None:
        """Find rows of tasks that an item no longer has; they are removed with what is written next.

        A task with another argument is another one, which took its number.
        """
        if len(self._gone) >= BATCH:
            self.write(())
        query = f"SELECT Task, Argument FROM {_quoted(self._name)} WHERE itemID = ?"  # noqa: S608 - quoted
        arguments = {task.name: TaskView(item, task).argument for task in item.tasks}
        self._gone += [
            (item.item_id, task)
            for task, argument in self._connection.execute(query, [item.item_id])
            if task not in arguments or arguments[task] != argument
        ]

    @property
    def misfits(self) -> int:
        """How many things do not fit, from this export and older ones."""
        [number] = self._connection.execute(f"SELECT count(*) FROM {_quoted(self._misfits)}").fetchone()  # noqa: S608
        return int(number)

    def write(self, batch: Sequence[Exported]) -> list[Misfit]:
        """Write rows, and remove those of tasks that are gone, in one transaction; return what did not fit."""
        with self._connection:
            self._remove_gone()
            return [misfit for exported in batch for misfit in self._write(exported)]

    def _remove_gone(self) -> None:
        for of_task in self._gone:
            query = f"DELETE FROM {_quoted(self._name)} WHERE itemID = ? AND Task = ?"  # noqa: S608 - quoted
            self.removed += self._connection.execute(query, of_task).rowcount
            self._remove_misfits(of_task)
        self._gone.clear()

    def _remove_misfits(self, of_task: tuple[str, str]) -> None:
        query = f"DELETE FROM {_quoted(self._misfits)} WHERE itemID = ? AND Task = ?"  # noqa: S608 - quoted
        self._connection.execute(query, of_task)

    def _write(self, exported: Exported) -> list[Misfit]:
        row, misfits = exported.row, list(exported.misfits)
        known = self._known()
        new = [name for name in row if name.casefold() not in known]
        if len(self._columns) + len(new) > MOST_COLUMNS:
            row = {name: value for name, value in row.items() if name not in new}
            misfits.append(Misfit(row["itemID"], row["Task"], 0, "", "too many columns"))
        else:
            self._add_columns(new)
        names = ", ".join(map(_quoted, self._columns))
        places = ", ".join("?" * len(self._columns))
        query = f"REPLACE INTO {_quoted(self._name)} ({names}) VALUES ({places})"  # noqa: S608 - quoted
        by_name = {name.casefold(): value for name, value in row.items()}
        self._connection.execute(query, [by_name.get(name.casefold()) for name in self._columns])
        self._remove_misfits((row["itemID"], row["Task"]))
        self._connection.executemany(
            f"INSERT INTO {_quoted(self._misfits)} VALUES (:itemID, :Task, :Line, :Tag, :Why)",  # noqa: S608 - quoted
            map(misfit_row, misfits),
        )
        return misfits

    def _add_columns(self, names: Sequence[str]) -> None:
        for name in names:
            kind = TYPES[kind_of(name, self._tag_columns)]
            self._connection.execute(f"ALTER TABLE {_quoted(self._name)} ADD COLUMN {_quoted(name)} {kind}")
            self._columns.append(name)

    def _known(self) -> Collection[str]:
        return {name.casefold() for name in self._columns}

    def _stored_columns(self) -> list[str]:
        return [name for _, name, *_ in self._connection.execute(f"PRAGMA table_info({_quoted(self._name)})")]

    def _exists(self, name: str) -> bool:
        found = self._connection.execute("SELECT 1 FROM sqlite_master WHERE lower(name) = lower(?)", (name,))
        return found.fetchone() is not None


@contextmanager
def open_database(path: Path, name: str, columns: Columns) -> Iterator[ExportDatabase]:
    """Open a database for an export, and create it if it is missing.

    Raises:
        UsageError: it cannot be written, or is no database, or a table of items.
    """
    check_type("name", name, str)
    if not name.isprintable() or not name.strip() or name.casefold().startswith(("sqlite_", EXPORTS)):
        raise UsageError(f"`name` is {name!r}", hint="give letters and digits")
    try:
        if not is_replaced(path):
            raise UsageError(f"`to` {path} is no regular file", hint="a database needs one")
        create_file(path, umask=None)
        with closing(sqlite3.connect(path, timeout=BUSY_S)) as connection:
            [application] = connection.execute("PRAGMA application_id").fetchone()
            if application == APPLICATION_ID:
                raise UsageError(f"`to` {path} is a table of pyanamo itself", hint="choose another file")
            yield ExportDatabase(connection, name, columns)
    except (OSError, sqlite3.Error) as error:
        raise UsageError(f"`to` {path} cannot be written: {why(error)}", hint="choose another file") from error


def how(columns: Columns, *, wide: bool) -> str:
    """Return a text that tells exports with other names or shapes apart."""
    return orjson.dumps([[[each.name, each.kind] for each in columns] if columns else None, wide]).decode()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
