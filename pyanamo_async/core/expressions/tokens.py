"""Cut an expression into tokens.

1. Text stands in single or double quotes. A backslash is an ordinary character, as regular expressions want it; before
   the quote it takes the quote's meaning away.
2. An expression has at most `MAX_LENGTH` characters, so that everything after this takes bounded time and memory.
3. Every error names the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from pyanamo_async.core.values import Value
from pyanamo_async.errors import UsageError

MAX_LENGTH = 10_000
MAX_DIGITS = 100
_SHOWN = 30  # characters on each side of the place of an error

_TOKEN = re.compile(
    r"""
    (?P<number> [+-]? (?:[0-9]|\.[0-9]) (?: [eE][+-](?=[0-9]) | [A-Za-z0-9_.] )* )
  | (?P<name> [A-Za-z_][A-Za-z0-9_]* )
  | (?P<text> " (?:[^"\\]|\\.)* " | ' (?:[^'\\]|\\.)* ' )
  | (?P<symbol> === | !== | == | != | <= | >= | <> | =~ | !~ | && | \|\| | [-+*/%^.:;<>~()\[\],=!&|{}] )
    """,
    re.VERBOSE | re.DOTALL,
)
_BLANKS = re.compile(r"[ \t\r\n]*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class TokenKind(StrEnum):
    """What a token is."""

    NUMBER = "number"  # perhaps with units, as in 1h30m
    NAME = "name"
    TEXT = "text"
    SYMBOL = "symbol"
    END = "end"


class Token(Value):
    """A token: its text (of quoted text what is in the quotes), and where it begins."""

    kind: TokenKind
    text: str
    start: int


def tokenize(text: str) -> Iterator[Token]:
    """Yield the tokens of an expression, and one for its end.

    Raises:
        UsageError: the expression is too long, or a character has no place in any.
    """
    if len(text) > MAX_LENGTH:
        raise UsageError(f"`where` has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    at = _BLANKS.match(text).end()  # type: ignore[union-attr] # it always matches
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            what = "a quote that is not closed" if text[at] in "\"'" else f"unexpected {text[at]!r}"
            raise invalid(what, text, at)
        kind = TokenKind(match.lastgroup or "")
        if kind is TokenKind.NUMBER and len(match[0]) > MAX_DIGITS:
            raise invalid(f"a number of more than {MAX_DIGITS} characters", text, at)
        yield Token(kind, _unquote(match[0]) if kind is TokenKind.TEXT else match[0], at)
        at = _BLANKS.match(text, match.end()).end()  # type: ignore[union-attr]
    yield Token(TokenKind.END, "", len(text))


def invalid(problem: str, text: str, position: int, *, hint: str = "") -> UsageError:
    """Return the error of a problem at a position of an expression."""
    start, end = max(0, position - _SHOWN), position + _SHOWN
    shown = f"{'...' if start else ''}{text[start:end]}{'...' if end < len(text) else ''}"
    where = f"at character {position + 1}" if position < len(text) else "at the end"
    return UsageError(f"`where`: {problem} {where} of {shown!r}", hint=hint)


def _unquote(quoted: str) -> str:
    quote = quoted[0]
    return _ESCAPED.sub(lambda match: quote if match[1] == quote else match[0], quoted[1:-1])
