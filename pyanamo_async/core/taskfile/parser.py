"""Parse task files: find out what kind of file it is, and make items of its rows.

1. Parsing takes one pass: lines go in, items and problems come out, and only the ids seen so far are kept in memory.
2. A row becomes an item or a problem, whatever it holds. Blank lines and comments (`#`) are skipped.
3. A byte order mark, CRLF and any order of the columns are accepted, and a header may begin with `#`.
4. What nobody said about a file is told from its first line: JSON, a header, or, with neither, a command.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from pyanamo_async.core.items import Item
from pyanamo_async.core.taskfile import columns as col
from pyanamo_async.core.taskfile.commands import command_rows, refuse_rows
from pyanamo_async.core.taskfile.json_rows import is_json, is_json_array, json_array, json_lines
from pyanamo_async.core.taskfile.lines import InvalidLine, Lines, begins_record, to_text
from pyanamo_async.core.taskfile.parameters import ItemTemplate, parameter_rows
from pyanamo_async.core.taskfile.row import split_item, to_item
from pyanamo_async.core.values import Value, replace

Rows = Iterator[tuple[int, Mapping[str, object] | InvalidLine]]


class Kind(StrEnum):
    """What a task file is."""

    COLUMNS = "columns"
    JSON_LINES = "JSON Lines"
    JSON_ARRAY = "JSON array"
    COMMANDS = "commands"
    PARAMETERS = "parameters"


class Format(Value):
    """The form of a task file, as the person described it; an empty delimiter is found in the file.

    `args_delimiter` separates the arguments in `TaskArgs`. With `lines` each line is a command, with a `template` each
    row of any table is an item. Nested items of more than `split` tasks become several; 0 splits none.
    """

    delimiter: str = ""
    nested: bool = False
    header: bool = True
    args_delimiter: str = ","
    lines: bool = False
    template: ItemTemplate | None = None
    split: int = 0


class Problem(Value):
    """A line that cannot become an item, and why."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


def parse(pieces: Iterable[bytes], form: Format) -> Iterator[Item | Problem]:
    """Yield the items and problems of a file's lines; an invalid header is the only problem reported.

    A line of more than `MAX_LINE_BYTES` is a problem too, so the caller may cut it into pieces there.
    """
    lines = Lines(pieces)
    try:
        _, rows = _open(lines, form)
    except InvalidLine as error:
        yield Problem(lines.number, str(error))
        return
    yield from _items(rows, form)


def kind_of(pieces: Iterable[bytes], form: Format) -> Kind | None:
    """Return what a file is; None if its first line is invalid."""
    try:
        return _open(Lines(pieces), form)[0]
    except InvalidLine:
        return None


def _items(rows: Rows, form: Format) -> Iterator[Item | Problem]:
    seen: dict[str, int] = {}
    for number, row in rows:
        try:
            if isinstance(row, InvalidLine):
                raise row
            item = to_item(row, nested=form.nested, args_delimiter=form.args_delimiter)
            for part in split_item(item, form.split) if form.split else [item]:
                _refuse_second(part.item_id, number, seen, form)
                yield part
        except InvalidLine as error:
            yield Problem(number, str(error))


def _refuse_second(item_id: str, number: int, seen: dict[str, int], form: Format) -> None:
    earlier = seen.setdefault(item_id, number)
    if earlier != number:
        hint = "; put a further column into `id`, as in {sample}-{lane}" if form.template else ""
        raise InvalidLine(f"itemID '{item_id}' is already on line {earlier}{hint}")


def _open(lines: Lines, form: Format) -> tuple[Kind, Rows]:
    """Return what a file is, and its rows.

    Raises:
        InvalidLine: the first line, or the template, is invalid.
    """
    if form.template:
        return Kind.PARAMETERS, parameter_rows(lines, form.template, form.delimiter)
    first = _first(lines)
    if form.header and not form.lines and not form.delimiter and is_json_array(first):
        return Kind.JSON_ARRAY, json_array(lines, first=first)
    if not form.lines and (named := col.separator(to_text(first))):
        form = replace(form, delimiter=form.delimiter or named)
        first = _first(lines)
    text = to_text(first)
    kind = _kind(text, form)
    if kind is Kind.COLUMNS and text and form.header:
        return kind, _layout(text, form.delimiter).rows(lines)
    lines.take_back(first)
    match kind:
        case Kind.JSON_LINES:
            rows: Rows = json_lines(lines)
        case Kind.COMMANDS:
            rows = command_rows(lines)
        case _ if not text:
            rows = iter(())
        case _:
            rows = col.without_header(text, form.delimiter, nested=form.nested).rows(lines)
    return kind, rows


def _kind(first: str, form: Format) -> Kind:
    """Return what a file with this first line is."""
    if form.lines:
        if col.header_of(first.encode()):
            raise InvalidLine("this is a header, and with `lines` it would run as a command; leave out `lines`")
        return Kind.COMMANDS
    if form.header and not form.delimiter and is_json(first):
        return Kind.JSON_LINES
    if not first or form.delimiter or form.nested or not form.header or col.names_a_column(first):
        return Kind.COLUMNS
    refuse_rows(first)
    return Kind.COMMANDS


def _first(lines: Lines) -> bytes:
    """Return the line that tells what the file is: the first that is no comment, or names our columns behind a `#`."""
    for line in lines:
        if begins_record(line) or col.header_of(line):
            return line
    return b""


def _layout(line: str, delimiter: str) -> col.Layout:
    try:
        return col.from_header(line, delimiter)
    except InvalidLine as error:
        others = "if the file has no header, set `no_header`; if each line is a command, `lines`"
        hint = "" if delimiter else f"; {others}; for a table with other columns, give a `script`"
        raise InvalidLine(f"invalid header: {error}{hint}") from None
