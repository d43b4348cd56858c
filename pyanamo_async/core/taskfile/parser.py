"""Parse task files: one item a line, in columns below a header or as JSON Lines.

1. Parsing takes one pass: lines go in, items and problems come out, and only the ids seen so far are kept in memory.
2. A line becomes an item or a problem, whatever it holds. Blank lines are skipped.
3. A byte order mark, CRLF and any order of the columns are accepted.
4. A file is JSON Lines when its first line begins with `{`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

import orjson

from pyanamo_async.core.items import Item
from pyanamo_async.core.taskfile import columns as col
from pyanamo_async.core.taskfile.columns import InvalidLine, Layout
from pyanamo_async.core.taskfile.row import to_item
from pyanamo_async.core.values import Value

MAX_LINE_BYTES = 4 * 1024 * 1024  # ten times the largest row, so that JSON escapes fit
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Split = Callable[[str], Mapping[str, object]]


class Format(Value):
    """The form of a task file, as the person described it; an empty delimiter is found in the file."""

    delimiter: str = ""
    nested: bool = False
    header: bool = True


class Problem(Value):
    """A line that cannot become an item, and why."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


def parse(lines: Iterable[bytes], form: Format) -> Iterator[Item | Problem]:
    """Yield the items and problems of a file's lines; an invalid header is the only problem reported.

    A line of more than `MAX_LINE_BYTES` is a problem too, so the caller may cut it off there.
    """
    numbered = _numbered(lines)
    first = next(numbered, None)
    if first is None:
        return
    number, line = first
    try:
        split, is_item = _choose_split(_text(line), form)
    except InvalidLine as error:
        yield Problem(number, str(error))
        return
    rows = chain([first], numbered) if is_item else numbered
    yield from _items(rows, split, nested=form.nested)


def _items(rows: Iterable[tuple[int, bytes]], split: Split, *, nested: bool) -> Iterator[Item | Problem]:
    seen: dict[str, int] = {}
    for number, line in rows:
        try:
            item = to_item(split(_text(line)), nested=nested)
        except InvalidLine as error:
            yield Problem(number, str(error))
            continue
        earlier = seen.setdefault(item.item_id, number)
        if earlier != number:
            yield Problem(number, f"itemID '{item.item_id}' is already on line {earlier}")
        else:
            yield item


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(lines, 1):
        bare = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
        if not bare.isspace() and bare:
            yield number, bare


def _choose_split(first: str, form: Format) -> tuple[Split, bool]:
    """Return how to split lines into fields, and whether the first line is an item."""
    if not form.header:
        return col.without_header(first, form.delimiter, nested=form.nested).split, True
    if not form.delimiter and first.startswith("{"):
        return _from_json, True
    return _header(first, form.delimiter).split, False


def _header(line: str, delimiter: str) -> Layout:
    try:
        return col.from_header(line, delimiter)
    except InvalidLine as error:
        hint = "" if delimiter else "; if the file has no header, set `no_header`"
        raise InvalidLine(f"invalid header: {error}{hint}") from None


def _from_json(line: str) -> Mapping[str, object]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidLine(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise InvalidLine('not a JSON object like {"itemID": ..., "TaskID": ..., "TaskScript": ...}')
    fields = {col.column_name(name): value for name, value in row.items()}
    if len(fields) < len(row):
        raise InvalidLine("a column is there twice")
    return {name: value.strip() if isinstance(value, str) else value for name, value in fields.items()}


def _text(line: bytes) -> str:
    if len(line) > MAX_LINE_BYTES:
        raise InvalidLine("longer than 4 MiB")
    try:
        return line.decode().strip("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidLine(f"not UTF-8: byte {line[error.start]:#04x} at column {error.start + 1}") from None
