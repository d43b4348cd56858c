r"""Read items from columns below a header.

1. The delimiter is whatever stands between the first two names of the header (`|`, tab, `,`, `;`, ` :: `), unless a
   first line like `sep=;` names it, as Excel writes it.
2. When `TaskScript` is the last column it takes the rest of its line, because a script may contain the delimiter.
3. With commas, semicolons and tabs a field may be in double quotes as in CSV (`"a ""b"" c"`), and then span lines. With
   other delimiters a quote is an ordinary character, because shell scripts are full of them.
4. Scripts often begin with a quoted word (`"./my tool.sh"`). With semicolons and tabs the quotes around a script are
   therefore its own, unless a spreadsheet had reason to write them: a delimiter, a quote or a line end between them, or
   a header in quotes.
5. Empty columns at the end, and rows of nothing but delimiters, are what spreadsheets leave behind.
6. A header further down is an error, never a row: after `cat` of two files its words would run as a script, and the
   rows below it would be read by the columns of the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from pyanamo_async.core.names import did_you_mean
from pyanamo_async.core.taskfile.lines import InvalidLine, Lines, begins_record, to_text, unix_lines
from pyanamo_async.core.values import Value

ITEM_ID, TASK_ID, SCRIPT, ARGS = "itemID", "TaskID", "TaskScript", "TaskArgs"
MAX_FAILURES, TIMEOUT, PRIORITY = "MaxFailures", "Timeout", "Priority"
MEMORY, CPUS, FOLDERS = "Memory", "Cpus", "Folders"
REQUIRED = (ITEM_ID, TASK_ID, SCRIPT)
OPTIONAL = (ARGS, MAX_FAILURES, TIMEOUT, PRIORITY, MEMORY, CPUS, FOLDERS)
KNOWN = {name.casefold(): name for name in (*REQUIRED, *OPTIONAL)}
NAMES = f"itemID, TaskID, TaskScript and, optionally, {', '.join(OPTIONAL)}"

USUAL_DELIMITERS = ("|", "\t", ",", ";")
QUOTING_DELIMITERS = (",", ";", "\t")
MAX_FIELD = 1 << 20  # characters: what has no closing quote until then has none
SAME_HEADER = "this is the header once more; remove this line"
OTHER_HEADER = "this is the header of another table; import the lines from here on as a file of their own"
HEADER_AS_ITEM = (
    "this is a header, and with `no_header` it would be an item; remove this line, or leave out `no_header`"
)
HEADER_BEHIND_ROW = "the header stands once more at the end of this line; end the row, and remove the header"
_FIRST_WORD = re.compile(rb'[#"\s]*(\w+)')
_FIRST_TWO_WORDS = re.compile(r'["\s]*\w+(?P<between>\W+)\w')
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_SEPARATOR_LINE = re.compile(r'"?sep=([^\r\n"])"?', re.IGNORECASE)


class UnclosedQuote(InvalidLine):
    """The line ends within a quoted field."""


def column_name(name: str) -> str:
    """Return the name of a column in its standard spelling; case and underscores do not matter.

    Raises:
        InvalidLine: no column has that name.
    """
    known = _known(name.strip().strip('"'))
    if known is None:
        meant = did_you_mean(name.strip('" _'), KNOWN)
        raise InvalidLine(f"unknown column '{name.strip()}'; {meant}the columns are {NAMES}")
    return known


def names_a_column(line: str) -> bool:
    """Return whether any word of a line is the name of a column."""
    return any(map(_known, re.findall(r"\w+", line)))


def separator(line: str) -> str:
    """Return the delimiter that a line like `sep=;` names, or nothing."""
    found = _SEPARATOR_LINE.fullmatch(line.strip("\r\n "))
    return found[1] if found else ""


def _known(name: str) -> str | None:
    return KNOWN.get(name.casefold().replace("_", ""))


class Layout(Value):
    """The names of the columns, the delimiter between them, and whether the quotes around a script are CSV's.

    `header` is the line that names the columns, empty if none does.
    """

    columns: tuple[str, ...]
    delimiter: str
    empty_columns: int = 0
    quotes_scripts: bool = False
    header: str = ""

    def rows(self, lines: Lines) -> Iterator[tuple[int, dict[str, str] | InvalidLine]]:
        """Yield the number and the fields of each row, or why it has none; nothing below another table's header."""
        begun = False
        for line in lines:
            number, second, is_record = lines.number, header_of(line, self.delimiter), begins_record(line)
            if second and self.header and not self._has_columns_of(second) and (begun or is_record):
                yield number, InvalidLine(OTHER_HEADER)
                return
            if is_record and (row := self._header_in(line, second) or self._row(lines, line)):
                begun = True
                yield number, row

    def split(self, line: str) -> dict[str, str]:
        """Return the fields of a row by name, without surrounding blanks; no fields if all are empty.

        Raises:
            InvalidLine: the row has more or fewer fields than columns, or an unclosed quote.
        """
        script_last = self.columns[-1] == SCRIPT and not self.empty_columns
        if self.delimiter in QUOTING_DELIMITERS and '"' in line:
            fields = self._split_quoted(line, script_last=script_last)
        else:
            fields = line.split(self.delimiter, len(self.columns) - 1 if script_last else -1)
        stripped = [field.strip() for field in fields]
        if not stripped[0] and (not any(stripped) or not line.strip(self.delimiter + " \t\r\n")):
            return {}
        while len(stripped) > len(self.columns) and not stripped[-1]:
            stripped.pop()
        if len(stripped) < len(self.columns):
            raise InvalidLine(f"missing field {self.columns[len(stripped)]}")
        if len(stripped) > len(self.columns):
            raise InvalidLine(
                f"{len(stripped)} fields for {len(self.columns)} columns; if a field contains '{self.delimiter}', "
                "make TaskScript the last column or choose another delimiter"
            )
        return dict(zip(self.columns, stripped, strict=True))

    def _has_columns_of(self, second: Layout) -> bool:
        return (self.columns, self.delimiter) == (second.columns, second.delimiter)

    def _header_in(self, line: bytes, second: Layout | None) -> InvalidLine | None:
        """Return what is wrong with a row that is a header, or ends with that of another file."""
        if second:
            return InvalidLine(SAME_HEADER if self.header else HEADER_AS_ITEM)
        header = self.header.encode()
        return InvalidLine(HEADER_BEHIND_ROW) if header and line.rstrip().endswith(header) else None

    def _row(self, lines: Lines, line: bytes) -> dict[str, str] | InvalidLine:
        try:
            row = to_text(line)
            while True:
                try:
                    return self.split(unix_lines(row))
                except UnclosedQuote:
                    row += _through_next_quote(lines, len(row))
        except InvalidLine as error:
            return error

    def _split_quoted(self, line: str, *, script_last: bool) -> list[str]:
        fields: list[str] = []
        rest: str | None = line
        while rest is not None:
            name = self.columns[len(fields)] if len(fields) < len(self.columns) else ""
            field, rest = self._first_field(rest, name, last=script_last and len(fields) + 1 == len(self.columns))
            fields.append(field)
        return fields

    def _first_field(self, text: str, name: str, *, last: bool) -> tuple[str, str | None]:
        lead = text.lstrip(" ")
        if quoted := _QUOTED.match(lead):
            after = lead[quoted.end() :].lstrip(" \r\n")
            if not after or (after.startswith(self.delimiter) and not last):
                field = quoted[1].replace('""', '"') if self._is_csv(quoted[1], name) else quoted[0]
                return field, after.removeprefix(self.delimiter) if after else None
        elif lead.startswith('"'):
            raise UnclosedQuote(f"unclosed quote in {name or 'a field'}")
        if last:
            return text, None
        field, found, rest = text.partition(self.delimiter)
        return field, rest if found else None

    def _is_csv(self, content: str, name: str) -> bool:
        needed = self.delimiter in content or '"' in content or "\n" in content
        return needed or name != SCRIPT or self.quotes_scripts or self.delimiter == ","


def _through_next_quote(lines: Lines, before: int) -> str:
    """Return the following lines to the next that has a quote, which may end the field that `before` began."""
    more: list[str] = []
    length = before
    for line in lines:
        more.append(to_text(line))
        length += len(more[-1])
        if '"' in more[-1]:
            return "".join(more)
        if length > MAX_FIELD:
            break
    raise InvalidLine('unclosed quote: the field that begins with " has no end')


def from_header(line: str, delimiter: str) -> Layout:
    """Return the layout that a header describes; an empty `delimiter` is found in the header.

    Raises:
        InvalidLine: a column is unknown, missing, or there twice.
    """
    header = line.removeprefix("#")
    found = delimiter or _delimiter_of(header)
    names = header.split(found)
    given = len(names)
    while names and not names[-1].strip():
        names.pop()
    columns = tuple(column_name(name) for name in names)
    for name in columns:
        if columns.count(name) > 1:
            raise InvalidLine(f"column {name} is there twice")
    for name in REQUIRED:
        if name not in columns:
            raise InvalidLine(f"missing column {name}; a header is like itemID|TaskID|TaskScript")
    quotes = all('"' in name for name in names)
    return Layout(columns, found, given - len(names), quotes_scripts=quotes, header=line.strip())


def header_of(line: bytes, delimiter: str = "") -> Layout | None:
    """Return the layout that a line describes if it is a header, behind `#` or not; `delimiter` is one it may have."""
    first = _FIRST_WORD.match(line)
    if first is None or _known(first[1].decode()) is None:
        return None
    for each in dict.fromkeys(("", delimiter)):
        with suppress(InvalidLine):
            return from_header(to_text(line), each)
    return None


def without_header(first_line: str, delimiter: str, *, nested: bool) -> Layout:
    """Return the layout of a file without a header; an empty `delimiter` is found if only one is possible.

    Raises:
        InvalidLine: none or several of them are possible.
    """
    columns = (*REQUIRED, ARGS) if nested else REQUIRED
    if delimiter:
        return Layout(columns, delimiter)
    possible = [each for each in USUAL_DELIMITERS if first_line.count(each) >= len(columns) - 1]
    if len(possible) == 1:
        return Layout(columns, possible[0])
    raise InvalidLine("without a header the delimiter is ambiguous; set `delimiter`")


def _delimiter_of(header: str) -> str:
    match = _FIRST_TWO_WORDS.match(header)
    if match is None:
        return "|"  # one name or none: an error about columns helps more than one about delimiters
    between = match["between"].strip('"')
    return between.strip() or ("\t" if "\t" in between else between or "|")
