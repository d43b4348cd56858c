"""Tags: the lines of a task's stdout that begin with `PyAnamo:` and a tab, by which a script reports results.

Their fields have columns, with names and types as a person gives them:

1. Without names the columns are `tag_1`, `tag_2` and so on, and hold text as it was printed.
2. With names, a tag fits if it has a field for each name, and every field is of its type. What does not fit is never
   made to fit: it becomes a `Misfit`, which says why.
3. Of several tags in one row, the second and later have columns with `_line2` and so on behind their names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum

from pyanamo_async.core.capture import MARK
from pyanamo_async.core.items import Output
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.values import Value
from pyanamo_async.errors import UsageError

Cell = str | int | float | None
TAG = "tag_"
MAX_FIELDS = 500  # in a row whose fields are not named; SQLite allows 2,000 columns in a table
LONGEST_NAME = 100

_LINE = re.compile(r"(?P<name>.*)_line(?P<line>[0-9]+)")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_MISSING = {"", "na", "nan"}
_INFINITE = float("inf")
BEGINNING = MARK.removeprefix(b"\n")
PREFIX = BEGINNING.decode()
LONGEST_TAG = 64 << 10  # bytes; the rest of a longer line is left out


class TagKind(StrEnum):
    """What a field of a tag holds."""

    TEXT = "text"
    INT = "int"
    FLOAT = "float"


class TagColumn(Value):
    """A field of each tag: its name and what it holds; a field without a name is left out."""

    name: str
    kind: TagKind = TagKind.TEXT


class Misfit(Value):
    """A tag that does not fit the columns, or a task whose tags cannot be had, and why; `line` 0 is no tag."""

    item_id: str
    task: str
    line: int
    tag: str
    why: str

    def __str__(self) -> str:
        return f"{self.item_id} {self.task}: {self.why}"


class Unfit(ValueError):
    """A tag does not fit; the message says why."""


def parse_tag_names(names: str | Iterable[str], *, taken: Collection[str]) -> tuple[TagColumn, ...]:
    """Return the columns that `SampleID,chromosome:int` names; a name may be empty, and none be in `taken`.

    Raises:
        UsageError: a name or type is invalid, or a name is given twice.
    """
    columns = tuple([_column(each) for each in (names.split(",") if isinstance(names, str) else names)])
    used = {name.casefold() for name in taken}
    for name in [column.name for column in columns if column.name]:
        if name.casefold() in used:
            raise UsageError(
                f"`tag_names` has {name!r} twice, or another column has that name", hint="choose another name"
            )
        if _LINE.fullmatch(name) or len(name) > LONGEST_NAME or not name.isprintable():
            raise UsageError(
                f"`tag_names` has {name[:LONGEST_NAME]!r}, which is not a valid name", hint="give letters and digits"
            )
        used.add(name.casefold())
    if not any(column.name for column in columns):
        raise UsageError("`tag_names` names nothing", hint="give SampleID,chromosome:int")
    return columns


def tag_values(tag: str, columns: Sequence[TagColumn] | None) -> dict[str, Cell]:
    """Return the values of a tag by the names of its columns.

    Raises:
        Unfit: the tag does not fit.
    """
    fields = tag.split("\t")
    if columns is None:
        if len(fields) > MAX_FIELDS:
            raise Unfit(f"{len(fields)} fields, but at most {MAX_FIELDS} can have a column")
        return {f"{TAG}{number}": field for number, field in enumerate(fields, start=1)}
    if len(fields) != len(columns):
        raise Unfit(f"{plural(len(fields), 'field')}, but {plural(len(columns), 'name')}")
    return {column.name: _cell(field, column) for field, column in zip(fields, columns, strict=True) if column.name}


def on_line(values: Mapping[str, Cell], line: int) -> dict[str, Cell]:
    """Return the values of one of several tags in a row, under names of their own from the second on."""
    return {f"{name}_line{line}": value for name, value in values.items()} if line > 1 else dict(values)


def column_order(columns: Sequence[TagColumn] | None) -> Callable[[str], tuple[int, int]]:
    """Return a key that sorts the names of tag columns as the tags had them: by line, then by field."""
    places = {column.name: place for place, column in enumerate(columns or ())}

    def place(name: str) -> tuple[int, int]:
        found = _LINE.fullmatch(name)
        line, plain = (int(found["line"]), found["name"]) if found else (1, name)
        return line, places[plain] if columns else int(plain.removeprefix(TAG))

    return place


def kind_of(name: str, columns: Sequence[TagColumn] | None) -> TagKind:
    """Return what the column of a tag's field holds."""
    found = _LINE.fullmatch(name)
    kinds = {column.name: column.kind for column in columns or ()}
    return kinds.get(found["name"] if found else name, TagKind.TEXT)


def _column(text: str) -> TagColumn:
    if not isinstance(text, str):
        raise UsageError(f"`tag_names` has {text!r}", hint="give texts like 'SampleID' or 'chromosome:int'")
    name, colon, kind = text.strip().rpartition(":")
    if not colon:
        return TagColumn(kind)
    try:
        return TagColumn(name, TagKind(kind))
    except ValueError:
        raise UsageError(
            f"`tag_names` has {text[:LONGEST_NAME]!r}, which has an unknown type",
            hint=f"give one of {', '.join(TagKind)}",
        ) from None


def _cell(field: str, column: TagColumn) -> Cell:
    if column.kind is TagKind.TEXT:
        return field
    text = field.strip()
    if text.casefold() in _MISSING:
        return None
    try:
        if column.kind is TagKind.INT and _WHOLE_NUMBER.fullmatch(text):
            return int(text)
        if column.kind is TagKind.FLOAT and text.isascii() and "_" not in text and abs(float(text)) < _INFINITE:
            return float(text)
    except ValueError:
        pass
    raise Unfit(f"{column.name} is {field[:LONGEST_NAME]!r}, not of type {column.kind}")


def tag_lines(output: Output) -> tuple[str, ...]:
    """Return the tags that a record holds, without their beginning, whether the output was small or large.

    The record of a large output holds its tags, the last `tags_cut` of them cut or missing, or its tail if it has none.
    """
    lines = output.text.split("\n")
    is_whole = not (output.at or output.status) or len(output.text.encode()) == output.size_bytes
    if is_whole:
        return tuple(line.removeprefix(PREFIX) for line in lines if line.startswith(PREFIX))
    return tuple(lines) if output.tags else ()


def all_tags(output: Output) -> tuple[str, ...] | None:
    """Return all tags of an output if its record has them; None if only the whole output does."""
    return None if output.tags_cut else tag_lines(output)


class TagFinder:
    """Finds the tags in a stream, chunk by chunk, in memory bounded by the longest tag."""

    def __init__(self) -> None:
        self._open = b""  # the beginning of a line that has not ended

    def feed(self, chunk: bytes) -> list[str]:
        """Take a chunk, and return the tags that end in it."""
        *ended, rest = (self._open + chunk).split(b"\n")
        self._open = rest[: LONGEST_TAG if rest.startswith(BEGINNING) else len(BEGINNING)]
        return [_text(line) for line in ended if line.startswith(BEGINNING)]

    def end(self) -> list[str]:
        """End the stream; return its last tag if no newline ended that."""
        return [_text(self._open)] if self._open.startswith(BEGINNING) else []


def _text(line: bytes) -> str:
    return line[len(BEGINNING) : LONGEST_TAG].decode(errors="replace")
