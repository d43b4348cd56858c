"""Check the items of a task file, or rows, before anything is written.

1. A bad line anywhere means that nothing is imported.
2. What was checked is read again to be imported, so that memory holds only the ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import orjson

from pyanamo_async.core.items import Item
from pyanamo_async.core.taskfile.parser import Format, Problem, parse
from pyanamo_async.core.text.plural import plural
from pyanamo_async.errors import TaskFileInvalid, UsageError
from pyanamo_async.operate.task_files import TaskFile, open_task_file

SHOWN_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class CheckedItems:
    """A task file, or rows, in which every line was understood."""

    name: str
    items: int
    tasks: int
    parse: Callable[[], Iterator[Item | Problem]] = field(repr=False)

    def read(self) -> Iterator[Item]:
        """Yield the items, parsed again.

        Raises:
            UsageError: the file changed since it was checked.
        """
        items = 0
        for row in self.parse():
            if isinstance(row, Problem):
                raise self._changed(str(row))
            items += 1
            yield row
        if items != self.items:
            raise self._changed(f"it had {plural(self.items, 'item')}, now {items}")

    def _changed(self, how: str) -> UsageError:
        return UsageError(
            f"{self.name} changed while it was imported: {how}",
            hint="import it again: what is in the table is skipped",
        )


@contextmanager
def check_task_file(
    file: str | Path, *, delimiter: str = "", nested: bool = False, no_header: bool = False
) -> Iterator[CheckedItems]:
    r"""Read a whole task file, `-` for standard input, and give its items to `Table.import_file`.

    `delimiter` separates the fields; by default it is found in the header. With `nested` every row must have TaskArgs,
    and becomes one task for each argument. With `no_header` the first line is an item, with columns in the usual order.

    Raises:
        TaskFileInvalid: the file has bad lines, the first of which are listed, or no items.
        UsageError: the file cannot be read, or the delimiter cannot separate fields.
    """
    if {"\n", "\r", '"'} & set(delimiter):
        raise UsageError(f"`delimiter` {delimiter!r} cannot separate fields", hint="use any other text")
    with open_task_file(str(file)) as opened:
        yield check_file(opened, Format(delimiter=delimiter, nested=nested, header=not no_header))


def check_file(file: TaskFile, form: Format) -> CheckedItems:
    """Read a whole task file without writing anything.

    Raises:
        TaskFileInvalid: it has bad lines, the first of which are listed, or no items.
    """
    return _check(file.name, lambda: parse(file.lines(), form), "line")


def check_rows(rows: Iterable[Mapping[str, object]]) -> CheckedItems:
    """Check rows with the columns of a task file; they follow the rules of its JSON lines.

    Raises:
        TaskFileInvalid: there are bad rows, the first of which are listed, or none.
    """
    if isinstance(rows, str | bytes | Mapping):
        raise UsageError(f"`rows` is {type(rows).__name__}", hint="give a list of rows, each a dict of columns")
    lines = [_line(number, row) for number, row in enumerate(rows, 1)]
    return _check("the list of rows", lambda: parse(lines, Format()), "row")


def _line(number: int, row: object) -> bytes:
    if not isinstance(row, Mapping):
        raise UsageError(f"row {number} of `rows` is {row!r}", hint="give a dict of columns")
    try:
        return orjson.dumps(dict(row), default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        raise UsageError(f"row {number} of `rows` cannot be stored: {error}", hint="give text and numbers") from error


def _plain(value: object) -> str:
    match value:
        case timedelta():
            return f"{value.total_seconds():f}"
        case Path():
            return str(value)
    raise TypeError(f"{value!r} is no text, number, timedelta or path")


def _check(name: str, rows: Callable[[], Iterator[Item | Problem]], unit: str) -> CheckedItems:
    items, tasks, bad = 0, 0, 0
    problems: list[str] = []
    for row in rows():
        match row:
            case Item():
                items, tasks = items + 1, tasks + len(row.tasks)
            case Problem():
                bad += 1
                if bad <= SHOWN_PROBLEMS:
                    problems.append(f"{unit} {row.line}: {row.reason}")
    if bad > SHOWN_PROBLEMS:
        problems.append(f"... and {bad - SHOWN_PROBLEMS} more")
    if bad:
        what = f"{name} has {plural(bad, f'bad {unit}')}; nothing was imported"
        raise TaskFileInvalid(what, problems, hint="correct them and import again")
    if not items:
        hint = "a task file has a header like itemID|TaskID|TaskScript, then rows"
        raise TaskFileInvalid(f"{name} has no items", [], hint=hint)
    return CheckedItems(name, items, tasks, rows)
