"""What a literal means beside a field: `90m` is a duration beside `seconds`, and a size beside `max_rss`.

Quotes matter beside text that may be a number (tags, arguments): there `5` is a number, and `"5"` text.
"""

from __future__ import annotations

import math
import re
import signal
from datetime import UTC, datetime

from pyanamo_async.core.expressions.fields import Field, Kind, Scalar
from pyanamo_async.core.expressions.tokens import MAX_DIGITS, Token, TokenKind
from pyanamo_async.core.names import LONGEST_SHOWN, did_you_mean
from pyanamo_async.core.text.byte_sizes import parse_size
from pyanamo_async.core.text.durations import parse_duration

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SIGNALS = {each.name: int(each) for each in signal.Signals}
_EXAMPLES = {
    Kind.NUMBER: "a number like 137",
    Kind.DURATION: "a duration like 600, 90m or 1h30m",
    Kind.SIZE: "a size like 500MB or 2GiB",
    Kind.TIME: 'a UTC time in quotes, like "2026-01-31" or "2026-01-31T12:00"',
    Kind.SIGNAL: 'a signal like 9 or "SIGKILL"',
}


class LiteralInvalid(ValueError):
    """A literal has no meaning beside its field; `hint` says what to write."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.hint = hint


def as_number(value: Scalar | None) -> int | float | None:
    """Return a number, or the number that a text is; otherwise None.

    `nan`, `inf` and numbers of more than 100 characters are text.
    """
    if not isinstance(value, str):
        return None if isinstance(value, datetime) else value
    text = value.strip() if len(value) <= MAX_DIGITS else ""
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    is_whole = text.lstrip("+-").isdecimal()
    return int(text) if is_whole else number if math.isfinite(number) else None


def meaning(token: Token, field: Field) -> Scalar:
    """Return the value of a literal beside a field: durations in seconds, sizes in bytes, times in UTC.

    Raises:
        LiteralInvalid: the literal has no meaning there.
    """
    is_text = token.kind is TokenKind.TEXT
    value: Scalar | None = None
    match field.kind:
        case Kind.TEXT if not is_text:
            raise LiteralInvalid(f"{field.name} is text, and {token.text} is a number", f'write "{token.text}"')
        case Kind.TEXT_OR_NUMBER if not is_text:
            return _plain_or_unit(token.text)
        case Kind.TEXT | Kind.TEXT_OR_NUMBER:
            return token.text
        case Kind.STATE:
            return _choice(token.text, field)
        case Kind.NUMBER:
            value = as_number(token.text)
        case Kind.DURATION:
            value = _first(as_number(token.text), _duration(token.text))
        case Kind.SIZE:
            value = _first(as_number(token.text), _size(token.text))
        case Kind.TIME if is_text:
            value = _time(token.text)
        case Kind.SIGNAL:
            value = _signal(token.text) if is_text else as_number(token.text)
    if value is None:
        raise LiteralInvalid(f"{field.name} needs {_EXAMPLES[field.kind]}, not {token.text[:40]!r}")
    return value


def _first(*values: Scalar | None) -> Scalar | None:
    return next((value for value in values if value is not None), None)


def _duration(text: str) -> float | None:
    try:
        return parse_duration(text).total_seconds() if len(text) <= MAX_DIGITS else None
    except ValueError:
        return None


def _size(text: str) -> int | None:
    try:
        return parse_size(text)
    except ValueError:
        return None


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter near the years 1 and 9999
        return None


def _signal(text: str) -> int | None:
    name = text.upper()
    return _SIGNALS.get(name) or _SIGNALS.get(f"SIG{name}")


def _choice(text: str, field: Field) -> str:
    known = {choice.casefold(): choice for choice in field.choices}
    try:
        return known[text.casefold()]
    except KeyError:
        likely = did_you_mean(text, known, quote='"')
        raise LiteralInvalid(
            f"{field.name} is never {text[:LONGEST_SHOWN]!r}", f"{likely}the states are {', '.join(field.choices)}"
        ) from None


def _plain_or_unit(text: str) -> int | float:
    number, duration, size = as_number(text), _duration(text), _size(text)
    if number is not None:
        return number
    if duration is not None and size is not None:
        raise LiteralInvalid(
            f"{text} is a duration and a size", f"write {duration:.15g} seconds or {size} bytes as a number"
        )
    value = duration if size is None else size
    if value is None:
        raise LiteralInvalid(f"{text[:40]!r} is no number, duration or size")
    return value
