"""The tokens of an expression, taken one after the other; and what is said of one that is not expected.

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
WORDS = ("and", "or", "not", "in", "missing", "len")
OTHER_SPELLINGS = {
    "=": "write ==",
    "===": "write ==",
    "!==": "write !=",
    "<>": "write !=",
    "&&": "write and",
    "&": "write and",
    "||": "write or",
    "|": "write or",
    "!": "write not",
    "=~": "write ~",
    "!~": "write not ... ~ ...",
    "is": "write == or missing(...)",
    "like": "write ~ and a regular expression",
    "in": 'a field stands before it, and constants behind it; text is looked for by stderr ~ "text"',
}


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


class Tokens:
    """The tokens of an expression, taken one after the other.

    Raises:
        UsageError: the text has no tokens, or some that no expression has.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokenize(text))
        self._at = 0
        if self.at_end():
            raise UsageError("`where` is empty", hint="give an expression like `exit == 137 and seconds > 10m`")

    @property
    def next(self) -> Token:
        """Return the next token, and leave it."""
        return self._tokens[self._at]

    def at_end(self) -> bool:
        """Return whether all tokens are taken."""
        return self.next.kind is TokenKind.END

    def follows(self, *symbols: str) -> bool:
        """Return whether the token taken last stands behind one of these."""
        return self._at > 1 and self._tokens[self._at - 2].text in symbols

    def take(self, *texts: str) -> Token | None:
        """Take the next token if it is one of these names or symbols."""
        return self.take_kind(TokenKind.NAME, TokenKind.SYMBOL) if self.next.text in texts else None

    def take_kind(self, *kinds: TokenKind) -> Token | None:
        """Take the next token if it is of one of these kinds."""
        token = self.next
        if token.kind not in kinds:
            return None
        self._at += 1
        return token

    def expect(self, symbol: str) -> None:
        """Take this symbol.

        Raises:
            UsageError: something else is next.
        """
        if not self.take(symbol):
            raise self.unexpected(f"'{symbol}'")

    def unexpected(self, expected: str) -> UsageError:
        """Return the error that the next token is not what is expected."""
        token = self.next
        if self.at_end():
            return self.invalid("incomplete", token.start, hint=f"expected {expected}")
        word = token.text.lower()
        hint = f"write {word}" if word in WORDS and word != token.text else OTHER_SPELLINGS.get(word, "")
        return self.invalid(f"unexpected {token.text[:40]!r}", token.start, hint=hint or f"expected {expected}")

    def invalid(self, problem: str, position: int, *, hint: str = "") -> UsageError:
        """Return the error of a problem at a position."""
        return _invalid(problem, self._text, position, hint=hint)


def _tokenize(text: str) -> Iterator[Token]:
    """Yield the tokens of an expression, and one for its end."""
    if len(text) > MAX_LENGTH:
        raise UsageError(f"`where` has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    at = _BLANKS.match(text).end()  # type: ignore[union-attr] # it always matches
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            what = "a quote that is not closed" if text[at] in "\"'" else f"unexpected {text[at]!r}"
            raise _invalid(what, text, at)
        kind = TokenKind(match.lastgroup or "")
        if kind is TokenKind.NUMBER and len(match[0]) > MAX_DIGITS:
            raise _invalid(f"a number of more than {MAX_DIGITS} characters", text, at)
        yield Token(kind, _unquote(match[0]) if kind is TokenKind.TEXT else match[0], at)
        at = _BLANKS.match(text, match.end()).end()  # type: ignore[union-attr]
    yield Token(TokenKind.END, "", len(text))


def _invalid(problem: str, text: str, position: int, *, hint: str = "") -> UsageError:
    """Return the error of a problem at a position of an expression."""
    start, end = max(0, position - _SHOWN), position + _SHOWN
    shown = f"{'...' if start else ''}{text[start:end]}{'...' if end < len(text) else ''}"
    where = f"at character {position + 1}" if position < len(text) else "at the end"
    return UsageError(f"`where`: {problem} {where} of {shown!r}", hint=hint)


def _unquote(quoted: str) -> str:
    quote = quoted[0]
    return _ESCAPED.sub(lambda match: quote if match[1] == quote else match[0], quoted[1:-1])
