r"""Lines of a task file, cut into named fields.

The delimiter is what stands between the first two names of the header, so any will do (`|`, tab, `,`, `;`, ` :: `).
The last column takes the rest of its line when it is `TaskScript`: a script may contain the delimiter. Between commas
and tabs a field may stand in double quotes as in CSV (`"a ""b"" c"`); with other delimiters a quote is just a quote,
because shell scripts are full of them.
"""

from __future__ import annotations

import re

from pyanamo_async.core.values import Value

ITEM_ID, TASK_ID, SCRIPT, ARGS = "itemID", "TaskID", "TaskScript", "TaskArgs"
MAX_FAILURES, TIMEOUT, PRIORITY = "MaxFailures", "Timeout", "Priority"
REQUIRED = (ITEM_ID, TASK_ID, SCRIPT)
KNOWN = {name.casefold(): name for name in (*REQUIRED, ARGS, MAX_FAILURES, TIMEOUT, PRIORITY)}
NAMES = "itemID, TaskID, TaskScript, and if wanted TaskArgs, MaxFailures, Timeout, Priority"

USUAL_DELIMITERS = ("|", "\t", ",", ";")
QUOTING_DELIMITERS = (",", "\t")
_FIRST_TWO_WORDS = re.compile(r'["\s]*\w+(?P<between>\W+)\w')
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


class BadLine(ValueError):
    """A line that cannot become an item; the message is the reason."""


def canonical(name: str) -> str:
    """Spell a column's name as it is stored.

    Raises:
        BadLine: there is no such column.
    """
    try:
        return KNOWN[name.strip().strip('"').casefold().replace("_", "")]
    except KeyError:
        raise BadLine(f"unknown column '{name.strip()}'; there are {NAMES}") from None


class Layout(Value):
    """How lines are cut: the names of the columns, and what stands between them."""

    columns: tuple[str, ...]
    delimiter: str

    def cut(self, line: str) -> dict[str, str]:
        """Cut one line into its fields, stripped.

        Raises:
            BadLine: there are more or fewer fields than columns, or a quote is never closed.
        """
        script_last = self.columns[-1] == SCRIPT
        if self.delimiter in QUOTING_DELIMITERS and '"' in line:
            fields = _cut_quoted(line, self.delimiter, len(self.columns) if script_last else 0)
        else:
            fields = line.split(self.delimiter, len(self.columns) - 1 if script_last else -1)
        if len(fields) < len(self.columns):
            raise BadLine(f"missing field {self.columns[len(fields)]}")
        if len(fields) > len(self.columns):
            raise BadLine(
                f"{len(fields)} fields for {len(self.columns)} columns; if a field contains '{self.delimiter}', "
                "make TaskScript the last column or choose another delimiter"
            )
        return {name: field.strip() for name, field in zip(self.columns, fields, strict=True)}


def from_header(line: str, delimiter: str) -> Layout:
    """Read the header; an empty `delimiter` is found in it.

    Raises:
        BadLine: a column is unknown, there twice, or missing.
    """
    found = delimiter or _delimiter_of(line)
    columns = tuple(canonical(name) for name in line.split(found))
    for name in columns:
        if columns.count(name) > 1:
            raise BadLine(f"column {name} is there twice")
    for name in REQUIRED:
        if name not in columns:
            raise BadLine(f"missing column {name}; a header is like itemID|TaskID|TaskScript")
    return Layout(columns, found)


def without_header(first_line: str, delimiter: str, *, nested: bool) -> Layout:
    """Lay out a file that has no header; an empty `delimiter` is found if only one of the usual ones can be meant.

    Raises:
        BadLine: none or several of them can.
    """
    columns = (*REQUIRED, ARGS) if nested else REQUIRED
    if delimiter:
        return Layout(columns, delimiter)
    possible = [each for each in USUAL_DELIMITERS if first_line.count(each) >= len(columns) - 1]
    if len(possible) == 1:
        return Layout(columns, possible[0])
    raise BadLine("the delimiter cannot be guessed without a header; give `delimiter`")


def _delimiter_of(header: str) -> str:
    match = _FIRST_TWO_WORDS.match(header)
    if match is None:
        return "|"  # one word, or none: the complaint about the columns says more than one about delimiters
    between = match["between"].strip('"')
    return between.strip() or ("\t" if "\t" in between else between)


def _cut_quoted(line: str, delimiter: str, limit: int) -> list[str]:
    """Cut a line at delimiters outside quoted fields; `limit` fields at most, the last with the rest as it is."""
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
        raise BadLine("a quote is never closed; scripts of several lines go into a JSON Lines file")
    if last:
        return text, None
    field, found, rest = text.partition(delimiter)
    return field, rest if found else None
