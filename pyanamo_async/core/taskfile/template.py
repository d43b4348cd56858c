r"""Fill `{column}` in texts with the values of a row, so that a shell reads each value as one word.

1. Only `{name}` and `{name:raw}` are placeholders. `${name}`, `{{`, `\{` and braces around anything else stay as they
   are, so that the braces of shells and awk survive. What could be a name but is no column's is an error, except
   between single quotes: `awk '{print}'`.
2. In a script, values are quoted for the shell, and `{name:raw}` is not. A quoted value is safe only where the shell
   expects a word, so a placeholder inside quotes, comments, backticks and `${...}` is refused, and a script is refused
   whose quoting cannot be followed to its end.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping

from pyanamo_async.core.names import did_you_mean
from pyanamo_async.core.taskfile.lines import InvalidLine
from pyanamo_async.core.values import Value

_CANDIDATE = r"\{(?P<name>[^{}\n]+?)(?P<raw>:raw)?\}"
_PLACEHOLDER = re.compile(_CANDIDATE)
_NAME = re.compile(r"[^\W\d](?:[\w ()/#%+:-]|\.(?!\.))*(?<! )")  # as columns are called, unlike `a..z` and ` echo; `
_EVERYWHERE = rf"""
      (?P<escape>\\.)
    | (?P<parameter>\$\{{[^{{}}'"`\\$()]*\}})
    | (?P<arithmetic>\$\(\([^()'"`\\]*\)\))
    | (?P<too_much>\$\{{|\$\(\(|\$\[)
    | (?P<literal>\{{\{{+)
    | (?P<placeholder>{_CANDIDATE})
    | (?P<backticks>`)
    | (?P<quotes>\$?")
    | (?P<open>\$\()
"""
_IN_QUOTES = re.compile(rf"{_EVERYWHERE} | (?P<text>.)", re.VERBOSE | re.DOTALL)
_IN_COMMAND = re.compile(
    rf"""{_EVERYWHERE}
    | (?P<single>\$'(?:[^'\\]|\\[^'])*'|'[^']*')
    | (?P<ansi_quote>\$')
    | (?P<unclosed>')
    | (?P<comment>(?:(?<=[\s;&|()`])|\A)\#[^\n]*)
    | (?P<here_string><<<)
    | (?P<here_document><<)
    | (?P<case>\bcase\b)
    | (?P<evaluated>\(\(|(?:(?<=\w)\[|\[(?![\s\[]))(?=[^\]]*\{{))
    | (?P<group>\()
    | (?P<close>\))
    | (?P<text>.)""",
    re.VERBOSE | re.DOTALL,
)
COMMAND, QUOTES, BACKTICKS = "", "quotes", "backticks"
_PLACES = {
    "single": "single quotes",
    "comment": "a comment",
    "arithmetic": "$((...))",
}
"""Tokens in which no value can be quoted."""
_BEYOND_US = {"too_much", "here_document", "ansi_quote", "evaluated"}
"""Shells differ over where `$'it\\'s'` ends, and bash evaluates `((...))` and subscripts whatever quotes they hold."""


class Placeholder(Value):
    """Where a value goes: a column's, quoted for the shell or not."""

    column: str
    quoted: bool


Parts = tuple[str | Placeholder, ...]


def fill(parts: Parts, values: Mapping[str, str]) -> str:
    """Return a text with the values of a row in place of its placeholders."""
    return "".join(part if isinstance(part, str) else _value(part, values) for part in parts)


def quote(value: str) -> str:
    """Return a value as a shell reads it as one word, wherever a word may stand.

    Beyond `shlex.quote`, digits are quoted, because `2>file` is a redirection, and so is what could be an assignment.
    """
    quoted = shlex.quote(value)
    return f"'{value}'" if quoted == value and (value.isdigit() or "=" in value) else quoted


def parse_text(text: str, columns: Collection[str], *, what: str) -> Parts:
    """Return the parts of a text that no shell reads, such as an id.

    Raises:
        InvalidLine: a placeholder names no column.
    """
    parts: list[str | Placeholder] = []
    at = 0
    for found in re.finditer(rf"\{{\{{+|\$\{{|{_CANDIDATE}", text):
        if found["name"] and _is_column(found, columns, what):
            parts += [text[at : found.start()], Placeholder(found["name"], quoted=False)]
            at = found.end()
    return (*parts, text[at:])


def parse_script(text: str, columns: Collection[str], *, what: str) -> Parts:
    """Return the parts of a script.

    Raises:
        InvalidLine: a placeholder names no column or stands where its value could not be quoted, or the quoting of the
            script cannot be followed.
    """
    return _Script(text, columns, what).parse()


def names_in(text: str) -> set[str]:
    """Return what stands in braces: perhaps names of columns."""
    return {found["name"] for found in _PLACEHOLDER.finditer(text)}


def _value(part: Placeholder, values: Mapping[str, str]) -> str:
    value = values.get(part.column)
    if value is None:
        raise InvalidLine(f"missing field {part.column}")
    return quote(value) if part.quoted else value


def _is_column(found: re.Match[str], columns: Collection[str], what: str) -> bool:
    name = found["name"]
    if name in columns:
        return True
    if _NAME.fullmatch(name):
        several = "" if len(columns) > 1 else ", and no others: set `delimiter` if it holds several"
        brace = "; for the shell's own braces write \\{" if what == "script" else ""
        meant = did_you_mean(name, {column.casefold(): column for column in columns})
        raise InvalidLine(
            f"{{{name}}} in `{what}` names no column; {meant}the columns are {', '.join(columns)}{several}{brace}"
        )
    return False


class _Script:
    """Follows the quoting of a script to its end, and collects its parts."""

    def __init__(self, text: str, columns: Collection[str], what: str) -> None:
        self._text, self._columns, self._what = text, columns, what
        self._contexts = [COMMAND]
        self._parts: list[str | Placeholder] = []

    def parse(self) -> Parts:
        at = 0
        while found := self._token().match(self._text, at):
            at = self._take(found)
        if len(self._contexts) > 1:
            raise self._unclosed()
        return _joined(self._parts)

    def _token(self) -> re.Pattern[str]:
        return _IN_QUOTES if self._contexts[-1] == QUOTES else _IN_COMMAND

    def _take(self, found: re.Match[str]) -> int:
        """Take a token, and return where the next one begins."""
        kind = found.lastgroup or ""
        if kind == "placeholder":
            return self._take_placeholder(found)
        if kind in _PLACES:
            self._take_literal(found[0], kind)
            return found.end()
        nested = len(self._contexts) > 1
        if kind in _BEYOND_US or (kind == "case" and nested):  # its patterns end with parentheses that nothing opened
            raise self._too_complicated(found[0])
        if kind == "unclosed":
            raise self._unclosed()
        self._enter_or_leave(kind)
        self._parts.append(found[0])
        return found.end()

    def _take_placeholder(self, found: re.Match[str]) -> int:
        if not _is_column(found, self._columns, self._what):
            self._parts.append("{")
            return found.start() + 1
        if not found["raw"]:
            self._refuse_inside(BACKTICKS if BACKTICKS in self._contexts else self._contexts[-1], found["name"])
        self._parts.append(Placeholder(found["name"], quoted=not found["raw"]))
        return found.end()

    def _take_literal(self, text: str, kind: str) -> None:
        """Take a token in which only `{name:raw}` may stand; other names in braces may mean anything there."""
        at = 0
        for found in _PLACEHOLDER.finditer(text):
            if found["name"] not in self._columns:
                continue
            if not found["raw"]:
                self._refuse_inside(_PLACES[kind], found["name"])
            self._parts += [text[at : found.start()], Placeholder(found["name"], quoted=False)]
            at = found.end()
        self._parts.append(text[at:])

    def _enter_or_leave(self, kind: str) -> None:
        inside = self._contexts[-1]
        if kind == inside or (kind == "close" and inside == COMMAND and len(self._contexts) > 1):
            self._contexts.pop()
        elif kind == BACKTICKS and BACKTICKS in self._contexts:
            raise self._too_complicated("`")
        elif kind in {QUOTES, BACKTICKS}:
            self._contexts.append(kind)
        elif kind in {"open", "group"}:
            self._contexts.append(COMMAND)

    def _refuse_inside(self, place: str, name: str) -> None:
        if place:
            raise InvalidLine(
                f"{{{name}}} in `{self._what}` stands inside {place}: values are quoted already, so write it outside, "
                f"or {{{name}:raw}} for the value without quotes"
            )

    def _unclosed(self) -> InvalidLine:
        return InvalidLine(f"a quote, backtick or parenthesis of `{self._what}` is not closed")

    def _too_complicated(self, text: str) -> InvalidLine:
        return InvalidLine(
            f"the quoting of `{self._what}` cannot be followed beyond '{text}'; put that into a script file, and "
            "give it the values as arguments"
        )


def _joined(parts: list[str | Placeholder]) -> Parts:
    joined: list[str | Placeholder] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)
