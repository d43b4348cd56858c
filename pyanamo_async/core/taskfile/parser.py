"""Task files: one item a line, in columns below a header or as JSON Lines.

Pure and in one pass: lines go in, items and problems come out, and only the ids seen so far are kept. Blank lines may
stand anywhere, also first; a byte order mark, CRLF and any order of the columns are fine. A file is JSON Lines when its
first line begins with `{`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

import orjson

from pyanamo_async.core.items import Item
from pyanamo_async.core.taskfile import columns as col
from pyanamo_async.core.taskfile.columns import BadLine, Layout
from pyanamo_async.core.taskfile.row import to_item
from pyanamo_async.core.values import Value

MAX_LINE_BYTES = 4 * 1024 * 1024  # ten times the largest row: room for every escape of JSON
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Reader = Callable[[str], Mapping[str, object]]


class Format(Value):
    """What the person said about the file; an empty delimiter is to be guessed."""

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
    """Read a file's lines; a first line that cannot be understood is the only problem told of.

    A line cut off at more than `MAX_LINE_BYTES` is a problem of its own.
    """
    numbered = _numbered(lines)
    first = next(numbered, None)
    if first is None:
        return
    number, line = first
    try:
        reader, has_items = _reader(_text(line), form)
    except BadLine as bad:
        yield Problem(number, str(bad))
        return
    rows = chain([first], numbered) if has_items else numbered
    yield from _items(rows, reader, nested=form.nested)


def _items(rows: Iterable[tuple[int, bytes]], reader: Reader, *, nested: bool) -> Iterator[Item | Problem]:
    seen: dict[str, int] = {}
    for number, line in rows:
        try:
            item = to_item(reader(_text(line)), nested=nested)
        except BadLine as bad:
            yield Problem(number, str(bad))
            continue
        earlier = seen.setdefault(item.item_id, number)
        if earlier != number:
            yield Problem(number, f"itemID '{item.item_id}' is on line {earlier} already")
        else:
            yield item


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(lines, 1):
        bare = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
        if not bare.isspace() and bare:
            yield number, bare


def _reader(first: str, form: Format) -> tuple[Reader, bool]:
    """Find out how to read the rows, and whether the first line is one of them."""
    if not form.header:
        return col.without_header(first, form.delimiter, nested=form.nested).cut, True
    if not form.delimiter and first.startswith("{"):
        return _from_json, True
    return _header(first, form.delimiter).cut, False


def _header(line: str, delimiter: str) -> Layout:
    try:
        return col.from_header(line, delimiter)
    except BadLine as bad:
        hint = "" if delimiter else "; for a file that has no header give `no_header`"
        raise BadLine(f"this is no header: {bad}{hint}") from None


def _from_json(line: str) -> Mapping[str, object]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadLine(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise BadLine('not a JSON object like {"itemID": ..., "TaskID": ..., "TaskScript": ...}')
    fields = {col.canonical(name): value for name, value in row.items()}
    if len(fields) < len(row):
        raise BadLine("a column is there twice")
    return {name: value.strip() if isinstance(value, str) else value for name, value in fields.items()}


def _text(line: bytes) -> str:
    if len(line) > MAX_LINE_BYTES:
        raise BadLine("longer than 4 MiB")
    try:
        return line.decode().strip("\r\n")
    except UnicodeDecodeError as error:
        raise BadLine(f"not UTF-8: byte {line[error.start]:#04x} at column {error.start + 1}") from None
