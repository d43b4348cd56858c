"""Check the items of a task file, or rows, before anything is written.

1. A bad line anywhere means that nothing is imported.
2. An item that could outgrow the rows of DynamoDB is noted, not refused: other tables have no such limit.
3. What was checked is read again to be imported, so that memory holds only the ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import orjson

from pyanamo_async.core.items import Item
from pyanamo_async.core.stored.row_size import MAX_ROW_BYTES, row_ceiling
from pyanamo_async.core.taskfile.lines import NOT_UTF8
from pyanamo_async.core.taskfile.parameters import ItemTemplate
from pyanamo_async.core.taskfile.parser import Format, Kind, Problem, kind_of, parse
from pyanamo_async.core.text.plural import plural
from pyanamo_async.errors import TaskFileInvalid, UsageError
from pyanamo_async.operate.task_files import TaskFile, open_task_file

SHOWN_PROBLEMS = 50
CONVERT = "convert a file of a spreadsheet or of Windows: `iconv -f WINDOWS-1252 -t UTF-8 FILE | pyanamo import -`"


@dataclass(frozen=True, slots=True)
class CheckedItems:
    """A task file, or rows, in which every line was understood.

    `kind` says what the file was taken for. `oversized` has a sentence for each item that DynamoDB could refuse.
    """

    name: str
    items: int
    tasks: int
    parse: Callable[[], Iterator[Item | Problem]] = field(repr=False)
    kind: Kind | None = None
    oversized: tuple[str, ...] = ()

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
    file: str | Path,
    *,
    delimiter: str = "",
    nested: bool = False,
    args_delimiter: str = ",",
    no_header: bool = False,
    lines: bool = False,
    template: ItemTemplate | None = None,
    split: int | None = None,
) -> Iterator[CheckedItems]:
    r"""Read a whole task file, `-` for standard input, and give its items to `Table.import_file`.

    `delimiter` separates the fields; by default it is found in the header. With `nested` every row must have TaskArgs,
    and becomes one task for each argument; `args_delimiter` separates them. With `no_header` the first line is an item,
    with columns in the usual order. With `lines` each line is a command; a file without a header and without other
    arguments is read so anyway. A `template` makes an item of each row of a table with any columns. A nested item of
    more than `split` tasks becomes several, called `<id>-1`, `<id>-2` and so on.

    Raises:
        TaskFileInvalid: the file has bad lines, the first of which are listed, or no items.
        UsageError: the file cannot be read, a delimiter cannot separate fields, or arguments contradict each other.
    """
    for name, text in (("delimiter", delimiter), ("args_delimiter", args_delimiter)):
        if {"\n", "\r", '"'} & set(text):
            raise UsageError(f"`{name}` {text!r} cannot separate fields", hint="use any other text")
    if not args_delimiter:
        raise UsageError("`args_delimiter` is empty", hint="give the text between arguments")
    if split is not None and split < 1:
        raise UsageError(f"`split` is {split}", hint="give at least 1")
    _refuse_together(lines=lines, delimiter=bool(delimiter), nested=nested, no_header=no_header)
    _refuse_together(script=template is not None, lines=lines, nested=nested, no_header=no_header)
    form = Format(delimiter, nested, not no_header, args_delimiter, lines, template, split or 0)
    with open_task_file(str(file)) as opened:
        yield check_file(opened, form)


def _refuse_together(**given: bool) -> None:
    """Refuse the first of these arguments together with any other."""
    first, *others = given
    if given[first] and (also := next((name for name in others if given[name]), "")):
        raise UsageError(f"`{first}` and `{also}` contradict each other", hint="leave out one")


def check_file(file: TaskFile, form: Format) -> CheckedItems:
    """Read a whole task file without writing anything.

    Raises:
        TaskFileInvalid: it has bad lines, the first of which are listed, or no items.
    """
    may_be_empty = form.template is not None and any(line.strip() for line in file.lines())  # a header without rows
    checked = _check(file.name, lambda: parse(file.lines(), form), "line", may_be_empty=may_be_empty)
    return replace(checked, kind=kind_of(file.lines(), form))


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
        return orjson.dumps(dict(row), default=_plain, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)
    except TypeError as error:
        raise UsageError(f"row {number} of `rows` cannot be stored: {error}", hint="give text and numbers") from error


def _plain(value: object) -> str:
    match value:
        case timedelta():
            return f"{value.total_seconds():f}"
        case Path():
            return str(value)
    raise TypeError(f"{value!r} is no text, number, timedelta or path")


def _check(
    name: str, rows: Callable[[], Iterator[Item | Problem]], unit: str, *, may_be_empty: bool = False
) -> CheckedItems:
    items, tasks, bad, hint = 0, 0, 0, ""
    problems: list[str] = []
    oversized: list[str] = []
    for row in rows():
        match row:
            case Item():
                items, tasks = items + 1, tasks + len(row.tasks)
                if len(row.tasks) > 1 and len(oversized) < SHOWN_PROBLEMS:  # one script always fits
                    oversized += _oversized(row)
            case Problem():
                bad += 1
                hint = CONVERT if row.reason.startswith(NOT_UTF8) else hint
                if bad <= SHOWN_PROBLEMS:
                    problems.append(f"{unit} {row.line}: {row.reason}")
    if bad > SHOWN_PROBLEMS:
        problems.append(f"... and {bad - SHOWN_PROBLEMS} more")
    if bad:
        what = f"{name} has {plural(bad, f'bad {unit}')}; nothing was imported"
        raise TaskFileInvalid(what, problems, hint=hint or f"correct {'it' if bad == 1 else 'them'} and import again")
    if not items and not may_be_empty:
        hint = "a task file has a header like itemID|TaskID|TaskScript, then rows"
        raise TaskFileInvalid(f"{name} has no items", [], hint=hint)
    return CheckedItems(name, items, tasks, rows, oversized=tuple(oversized))


def refuse_oversized(checked: CheckedItems) -> None:
    """Raise `TaskFileInvalid` when an item could outgrow the rows of DynamoDB."""
    if checked.oversized:
        raise TaskFileInvalid(
            f"{checked.name} has items too large for DynamoDB, whose rows end at 400 KB; nothing was imported",
            list(checked.oversized),
            hint="`split` makes several items of one; or move scripts into files; a SQLite table has no such limit",
        )


def _oversized(item: Item) -> list[str]:
    ceiling = row_ceiling(item)
    if ceiling <= MAX_ROW_BYTES:
        return []
    fits = max(1, len(item.tasks) * MAX_ROW_BYTES * 8 // (ceiling * 10))  # small items have a larger share of the rest
    return [
        f"item '{item.item_id}' has {len(item.tasks)} tasks, and with their records its row could grow to "
        f"{ceiling // 1024} KB; `split` {fits} would make {-(-len(item.tasks) // fits)} items of it"
    ]
