"""Make items of a parameter table: any columns, one item for each row, its script filled from a template.

The table is CSV in the usual sense, whatever its delimiter: a cell in quotes may hold the delimiter, quotes and line
ends. Blanks around a cell do not matter.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from pyanamo_async.core.taskfile import columns as col
from pyanamo_async.core.taskfile import template
from pyanamo_async.core.taskfile.json_rows import is_json, is_json_array
from pyanamo_async.core.taskfile.lines import COMMENT, InvalidLine, Lines, begins_record, to_text
from pyanamo_async.core.values import Value

SECOND_HEADER = (
    "this is a header once more; remove this line, or, if its columns are others, import the lines from here on as a "
    "file of their own"
)
DELIMITERS = ",\t;|"  # of equally frequent ones in a header the first


class ItemTemplate(Value):
    """How rows of a parameter table become items.

    `script`, `id` and `sample` may hold `{column}`: in the script the value is quoted for the shell, and `{column:raw}`
    is not. Without `sample`, the sample is the id. With `args` each item is nested: one task for each argument, which
    follows the script.
    """

    script: str
    id: str
    sample: str = ""
    args: tuple[str, ...] = ()


def parameter_rows(
    lines: Lines, items: ItemTemplate, delimiter: str
) -> Iterator[tuple[int, Mapping[str, object] | InvalidLine]]:
    """Yield the line and the fields of each row's item, or why there is none.

    Raises:
        InvalidLine: the table has no usable header, or the template does not fit it.
    """
    source = _Source(lines)
    header = _header(source, items, delimiter)
    if header is None:
        return iter(())
    delimiter, columns = header
    script = template.parse_script(items.script, columns, what="script")
    item_id = template.parse_text(items.id, columns, what="id")
    sample = template.parse_text(items.sample or items.id, columns, what="sample")
    for name in _columns_in(script, item_id, sample):
        if columns.count(name) > 1:
            raise InvalidLine(f"column {name} is there twice")
    of_id = _columns_in(item_id)
    args = {col.ARGS: [template.quote(arg) for arg in items.args]} if items.args else {}

    def fields(cells: list[str]) -> Mapping[str, object]:
        if len(cells) > len(columns) and any(cells[len(columns) :]):
            raise InvalidLine(f"{len(cells)} cells for {len(columns)} columns; put those with '{delimiter}' in quotes")
        row = dict(zip(columns, cells, strict=False))
        if _is_header(row, of_id):
            raise InvalidLine(SECOND_HEADER)
        return {
            col.ITEM_ID: template.fill(item_id, row),
            col.TASK_ID: template.fill(sample, row),
            col.SCRIPT: template.fill(script, row),
            **args,
        }

    def rows() -> Iterator[tuple[int, Mapping[str, object] | InvalidLine]]:
        for cells in _records(source, delimiter):
            try:
                yield source.number, cells if isinstance(cells, InvalidLine) else fields(cells)
            except InvalidLine as error:
                yield source.number, error

    return rows()


def _columns_in(*templates: template.Parts) -> set[str]:
    return {part.column for parts in templates for part in parts if isinstance(part, template.Placeholder)}


def _is_header(row: Mapping[str, str], of_id: AbstractSet[str]) -> bool:
    """Return whether cells are the names of their columns: those that make the id, or several; or of all, in any order.

    That is the header of a second table, perhaps one of other columns.
    """
    named = {name for name, cell in row.items() if cell.casefold() == name.casefold()}
    return (of_id != set() and of_id <= named) or len(named) > 1 or {*row.values()} == {*row}


class _Source:
    """Feeds lines to a reader of CSV, which takes as many as a record has; skips blanks and comments between records.

    `number` is the line at which the latest record begins.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.number = 0
        self.begins = True
        self.pushed: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.pushed:
            return self.pushed.pop()
        line = next(self._lines)
        while self.begins and not begins_record(line):
            line = next(self._lines)
        if self.begins:
            self.number, self.begins = self._lines.number, False
        return to_text(line)

    def first(self, items: ItemTemplate) -> str:
        """Return the first line, which may begin with `#` if it has a column of the template."""
        wanted = template.names_in(items.script + items.id + items.sample)
        for line in self._lines:
            self.number = self._lines.number
            if begins_record(line):
                return to_text(line)
            if line.startswith(COMMENT):
                text = line.decode(errors="replace").lstrip("#")
                if wanted & {cell.strip('" \r\n') for cell in text.split(_most_frequent(text))}:
                    return text
        return ""


def _header(source: _Source, items: ItemTemplate, delimiter: str) -> tuple[str, list[str]] | None:
    first = source.first(items)
    named = col.separator(first)
    if named:
        delimiter, first = delimiter or named, source.first(items)
    if not first:
        return None
    if is_json(first) or is_json_array(first.encode()):
        raise InvalidLine("this is JSON, and `script` makes items of tables with a header")
    delimiter = delimiter or _most_frequent(first)
    if len(delimiter) > 1:
        raise InvalidLine("the delimiter of a parameter table is one character; set another `delimiter`")
    source.pushed, source.begins = [first], False
    cells = next(_records(source, delimiter), [])
    if isinstance(cells, InvalidLine):
        raise cells
    while cells and not cells[-1]:
        cells.pop()
    return delimiter, cells


def _most_frequent(line: str) -> str:
    return max(DELIMITERS, key=line.count)


def _records(source: _Source, delimiter: str) -> Iterator[list[str] | InvalidLine]:
    """Yield the cells of each record that has any, or why it has none."""
    reader = csv.reader(source, delimiter=delimiter, skipinitialspace=True, strict=True)
    while (record := _next(reader)) is not None:
        source.begins = True
        if isinstance(record, InvalidLine) or any(record):
            yield record


def _next(reader: Iterator[list[str]]) -> list[str] | InvalidLine | None:
    try:
        return [cell.strip() for cell in next(reader)]
    except StopIteration:
        return None
    except csv.Error as error:
        return InvalidLine(f"not CSV: {error}")
    except InvalidLine as error:
        return error
