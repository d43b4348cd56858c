"""The tokens of an expression, taken one after the other; and what is said of one that is not expected."""

from __future__ import annotations

from pyanamo_async.core.expressions.tokens import Token, TokenKind, invalid, tokenize
from pyanamo_async.errors import UsageError

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


class TokenStream:
    """Tokens, and which of them is next.

    Raises:
        UsageError: the text has no tokens, or some that no expression has.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(tokenize(text))
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
        return invalid(problem, self._text, position, hint=hint)
