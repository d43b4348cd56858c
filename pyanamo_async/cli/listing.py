"""Tables of any length on stdout, page by page.

1. In a pipe they are lines of tab-separated fields below a header, for `cut`, `awk` and spreadsheets.
2. On a terminal they are drawn to its width. Columns that do not fit are left out, the least important first. No line
   is wrapped, unless an id alone is wider than the terminal: an id that is cut off cannot be copied.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pyanamo_async.cli.console import draw, on_terminal, say
from pyanamo_async.core.text.visible import field

PAGE = 500  # rows laid out together
GAP = 2  # cells between columns
CUT_TO = 16  # the least width, in cells, of a column that may be cut


@dataclass(frozen=True, slots=True)
class Column:
    """A column. If not all fit, the one with the highest `rank` is left out first, and one of rank 0 never.

    A `cut` column gets the width that the others leave, and its texts end in an ellipsis. A column without any text is
    left out unless it is `even_empty`. `show` returns the text of a value.
    """

    name: str
    rank: int = 0
    cut: bool = False
    right: bool = False
    even_empty: bool = False
    show: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table, and its style on a terminal."""

    fields: Sequence[str]
    style: str = ""


def row_of(columns: Sequence[Column], value: object, style: str = "") -> Row:
    """Return the row of a value, as the columns show it."""
    return Row([column.show(value) for column in columns], style)


async def rows_of(columns: Sequence[Column], values: Iterable[object]) -> AsyncIterator[Row]:
    """Yield the row of each value, as the columns show it."""
    for value in values:
        yield row_of(columns, value)


async def say_table(
    columns: Sequence[Column], rows: AsyncIterator[Row], *, plain: bool = False, even_empty: bool = True
) -> None:
    """Write a table of any length; nothing is written if reading the first page fails.

    With `plain`, a terminal gets what a pipe gets. Without rows only the header is written, and only if `even_empty`.
    """
    show = _Drawing(columns).show if on_terminal() and not plain else _say_page
    page: list[Row] = []
    header = True
    async for row in rows:
        page.append(row)
        if len(page) == PAGE:
            show(columns, page, header=header)
            page, header = [], False
    if page or (header and even_empty):
        show(columns, page, header=header)


def _say_page(columns: Sequence[Column], rows: Sequence[Row], *, header: bool) -> None:
    if header:
        say("\t".join(each.name for each in columns))
    for row in rows:
        say("\t".join(field(each) for each in row.fields))


class _Drawing:
    """A table on a terminal; its first page decides which columns it has."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._shown: Sequence[int] = range(len(columns))

    def show(self, columns: Sequence[Column], rows: Sequence[Row], *, header: bool) -> None:
        """Draw a page."""
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        cells, width = [[field(each) for each in row.fields] for row in rows], Console().width
        widths = fitting(columns, cells, width=width, among=self._shown, may_drop=header)
        self._shown = [*widths]
        table = Table(box=SIMPLE_HEAD, show_header=header, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        for index, cells_wide in widths.items():
            column = columns[index]
            table.add_column(
                column.name,
                width=cells_wide,
                no_wrap=column.rank > 0,
                overflow="ellipsis" if column.rank else "fold",
                justify="right" if column.right else "left",
            )
        for row, fields in zip(rows, cells, strict=True):
            table.add_row(*(Text(fields[index]) for index in widths), style=row.style)
        draw(table)


def fitting(
    columns: Sequence[Column],
    cells: Sequence[Sequence[str]],
    *,
    width: int,
    among: Iterable[int],
    may_drop: bool = True,
) -> dict[int, int]:
    """Return the columns that fit into `width` cells, by index, and how wide each is.

    Empty columns are left out, too, unless no column may be dropped.
    """
    from rich.cells import cell_len

    widest = {
        index: max(cell_len(columns[index].name), *(cell_len(row[index]) for row in cells), 0)
        for index in among
        if not may_drop
        or columns[index].rank == 0
        or columns[index].even_empty
        or not cells
        or any(row[index] for row in cells)
    }
    least = {
        index: min(each, CUT_TO if columns[index].cut else width // 2 if columns[index].rank == 0 else each)
        for index, each in widest.items()  # at most half for rank 0, or one long id would hide the others
    }
    while sum(least.values()) + GAP * (len(least) - 1) > width:
        last = max(least, key=lambda index: columns[index].rank)
        if columns[last].rank == 0 or not may_drop:
            break
        del least[last]
    left = width - sum(least.values()) - GAP * (len(least) - 1)
    for index, cells_wide in least.items():
        more = max(1 - cells_wide, min(widest[index] - cells_wide, left))
        least[index] = cells_wide + more
        left -= more
    return least
