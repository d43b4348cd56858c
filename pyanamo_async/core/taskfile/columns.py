r"""Split lines of a task file into named fields.

1. The delimiter is whatever stands between the first two names of the header (`|`, tab, `,`, `;`, ` :: `).
2. When `TaskScript` is the last column it takes the rest of its line, because a script may contain the delimiter.
3. With commas and tabs a field may be in double quotes as in CSV (`"a ""b"" c"`). With other delimiters a quote is an
   ordinary character, because shell scripts are full of them.
"""

from __future__ import annotations

import re

from pyanamo_async.core.values import Value

ITEM_ID, TASK_ID, SCRIPT, ARGS = "itemID", "TaskID", "TaskScript", "TaskArgs"
MAX_FAILURES, TIMEOUT, PRIORITY = "MaxFailures", "Timeout", "Priority"
REQUIRED = (ITEM_ID, TASK_ID, SCRIPT)
KNOWN = {name.casefold(): name for name in (*REQUIRED, ARGS, MAX_FAILURES, TIMEOUT, PRIORITY)}
NAMES = "itemID, TaskID, TaskScript and, optionally, TaskArgs, MaxFailures, Timeout, Priority"

USUAL_DELIMITERS = ("|", "\t", ",", ";")
QUOTING_DELIMITERS = (",", "\t")
_FIRST_TWO_WORDS = re.compile(r'["\s]*\w+(?P<between>\W+)\w')
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


class InvalidLine(ValueError):
    """A line cannot become an item; the message says why."""


def column_name(name: str) -> str:
    """Return the name of a column in its standard spelling; case and underscores do not matter.

    Raises:
        InvalidLine: no column has that name.
    """
    try:
        return KNOWN[name.strip().strip('"').casefold().replace("_", "")]
    except KeyError:
        raise InvalidLine(f"unknown column '{name.strip()}'; the columns are {NAMES}") from None


class Layout(Value):
    """The names of the columns, and the delimiter between them."""

    columns: tuple[str, ...]
    delimiter: str

    def split(self, line: str) -> dict[str, str]:
        """Return the fields of a line by name, without surrounding blanks.

        Raises:
            InvalidLine: the line has more or fewer fields than columns, or an unclosed quote.
        """
        script_last = self.columns[-1] == SCRIPT
        if self.delimiter in QUOTING_DELIMITERS and '"' in line:
            fields = _split_quoted(line, self.delimiter, len(self.columns) if script_last else 0)
        else:
            fields = line.split(self.delimiter, len(self.columns) - 1 if script_last else -1)
        if len(fields) < len(self.columns):
            raise InvalidLine(f"missing field {self.columns[len(fields)]}")
        if len(fields) > len(self.columns):
            raise InvalidLine(
                f"{len(fields)} fields for {len(self.columns)} columns; if a field contains '{self.delimiter}', "
                "make TaskScript the last column or choose another delimiter"
            )
        return {name: field.strip() for name, field in zip(self.columns, fields, strict=True)}


def from_header(line: str, delimiter: str) -> Layout:
    """Return the layout that a header describes; an empty `delimiter` is found in the header.

    Raises:
        InvalidLine: a column is unknown, missing, or there twice.
    """
    found = delimiter or _delimiter_of(line)
    columns = tuple(column_name(name) for name in line.split(found))
    for name in columns:
        if columns.count(name) > 1:
            raise InvalidLine(f"column {name} is there twice")
    for name in REQUIRED:
        if name not in columns:
            raise InvalidLine(f"missing column {name}; a header is like itemID|TaskID|TaskScript")
    return Layout(columns, found)


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


def _split_quoted(line: str, delimiter: str, limit: int) -> list[str]:
    """Split a line at delimiters outside quoted fields into at most `limit` fields (0: any number)."""
    fields: list[str] = []
    rest: str | None = line
    while rest is not None:
        field, rest = _first_field(rest, delimiter, last=len(fields) + 1 == limit)
        fields.append(field)
    return fields


def _first_field(text: str, delimiter: str, *, last: bool) -> tuple[str, str | None]:
    lead = text.lstrip(" ")
    if quoted := _QUOTED.match(lead):
        after = lead[quoted.end() :].lstrip(" ")
        if not after or (after.startswith(delimiter) and not last):
            return quoted[1].replace('""', '"'), after.removeprefix(delimiter) if after else None
    elif lead.startswith('"'):
        raise InvalidLine("unclosed quote; a script of several lines needs a JSON Lines file")
    if last:
        return text, None
    field, found, rest = text.partition(delimiter)
    return field, rest if found else None
