"""Read items from JSON: one object a line (JSON Lines), or one array of objects in any layout.

An array is read value by value, so that memory holds one of them whatever the size of the file.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain

import orjson

from pyanamo_async.core.taskfile import columns as col
from pyanamo_async.core.taskfile.lines import MAX_LINE_BYTES, NOT_UTF8, InvalidLine, Lines, to_text, unix_lines

Fields = Mapping[str, object]
_JSON = re.compile(r'\{\s*("|\}|$)')
_JSON_ARRAY = re.compile(rb"\[(\"|\s*([\]{]|$))")
_BETWEEN = re.compile(r"[\s,]*")


def is_json(first: str) -> bool:
    """Return whether a file whose first line is this is JSON Lines; `{ echo a; }` is a command."""
    return _JSON.match(first.strip()) is not None


def is_json_array(first: bytes) -> bool:
    """Return whether a file whose first line begins like this is a JSON array; `[ -f x ]` is a command."""
    return _JSON_ARRAY.match(first.strip()) is not None


def json_lines(lines: Lines) -> Iterator[tuple[int, Fields | InvalidLine]]:
    """Yield the number and the fields of each line, or why it has none."""
    for line in lines.records():
        yield lines.number, _fields(line)


def json_array(lines: Lines, *, first: bytes) -> Iterator[tuple[int, Fields | InvalidLine]]:
    """Yield the line and the fields of each object of an array, or what is wrong; `first` is its first line."""
    text, at, number = "", 0, lines.number
    decode = codecs.getincrementaldecoder("utf-8")().decode
    parse = json.JSONDecoder().raw_decode
    begun = False
    for piece in chain([first], lines.pieces, [b""]):
        try:
            text, at = text[at:] + decode(piece, final=not piece), 0
        except UnicodeDecodeError as error:
            yield number, InvalidLine(f"{NOT_UTF8}: byte {piece[error.start]:#04x}")
            return
        if not begun:
            text, begun = text.lstrip().removeprefix("["), True
        while True:
            start = _skip(text, at)
            number, at = number + text.count("\n", at, start), start
            if at == len(text):
                break
            if text[at] == "]":
                rest = text[at + 1 :].strip() or next((more for more in lines.pieces if not more.isspace()), b"")
                if rest:
                    yield number, InvalidLine("there is something behind the end of the JSON array")
                return
            try:
                _, end = parse(text, at)
            except json.JSONDecodeError as error:
                if piece and _may_go_on(text, at, error.pos):
                    break
                yield number, InvalidLine(f"not JSON: {error.msg}")
                return
            yield number, _fields(text[at:end].encode())
            number, at = number + text.count("\n", at, end), end
    yield number, InvalidLine("the JSON array has no end: the closing ] is missing")


def _skip(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _may_go_on(text: str, start: int, error_at: int) -> bool:
    """Return whether a value that cannot be parsed may just not have arrived: no token of JSON spans lines."""
    return len(text) - start <= MAX_LINE_BYTES and "\n" not in text[error_at:].rstrip()


def _fields(line: bytes) -> Fields | InvalidLine:
    try:
        return _from_json(to_text(line))
    except InvalidLine as error:
        return error


def _from_json(line: str) -> Fields:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidLine(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise InvalidLine('not a JSON object like {"itemID": ..., "TaskID": ..., "TaskScript": ...}')
    fields = {col.column_name(name): value for name, value in row.items()}
    if len(fields) < len(row):
        raise InvalidLine("a column is there twice")
    return {name: _tidied(value) for name, value in fields.items()}


def _tidied(value: object) -> object:
    match value:
        case str():
            return unix_lines(value).strip()
        case list():
            return [unix_lines(each) if isinstance(each, str) else each for each in value]
        case dict():
            return {name: unix_lines(each) if isinstance(each, str) else each for name, each in value.items()}
    return value
