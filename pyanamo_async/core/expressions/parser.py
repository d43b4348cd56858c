"""Select tasks by an expression: `parse_expression('exit == 137 and seconds > 10m').matches(view)`.

The fields stand in `fields`, three-valued logic in `evaluation`. The grammar below is the whole language, and nothing
is ever handed to Python.

    either     = all {"or" all}
    all        = not {"and" not}
    not        = "not" not | "(" either ")" | "missing" "(" field ")" | comparison
    comparison = operand sign operand {sign operand}        with == != < <= > >=
               | field ["not"] "in" "(" literal {"," literal} ")"
               | field "~" text
    operand    = field | literal
    field      = name | "tag" "[" number "]" | "len" "(" name ")"

1. What is compared must be comparable; that is known before the first task is looked at.
2. Whatever the text, the result is a test or a `UsageError` that names the place; nesting is bounded by `MAX_DEPTH`.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field

from pyanamo_async.core.expressions import evaluation
from pyanamo_async.core.expressions.evaluation import COMPARISONS, Read, Test
from pyanamo_async.core.expressions.fields import (
    TEXTS,
    Field,
    Kind,
    are_comparable,
    find_field,
    length_field,
    suggest,
    tag_field,
)
from pyanamo_async.core.expressions.literals import LiteralInvalid, meaning
from pyanamo_async.core.expressions.tokens import OTHER_SPELLINGS, WORDS, Token, TokenKind, Tokens
from pyanamo_async.core.expressions.view import TaskView
from pyanamo_async.core.values import Value
from pyanamo_async.errors import UsageError

MAX_DEPTH = 30
RESERVED = frozenset([*WORDS, *OTHER_SPELLINGS])
_INDEX = re.compile(r"[1-9][0-9]{0,4}")


class _Field(Value):
    field: Field
    start: int


_Operand = _Field | Token


@dataclass(frozen=True)
class Expression:
    """A parsed expression; `text` is how it was written, `fields` are those that it names."""

    text: str
    fields: frozenset[str] = field(repr=False, compare=False)
    _test: Test = field(repr=False, compare=False)

    def matches(self, task: TaskView) -> bool:
        """Return whether a task is certainly meant: what is unknown because a value is missing does not match."""
        return self._test(task) is True


def parse_expression(text: str) -> Expression:
    """Return the expression that a text is.

    Raises:
        UsageError: it is no expression; the error says where in the text, and what to write.
    """
    parser = _Parser(text)
    test = parser.whole()
    return Expression(text, frozenset(parser.fields), test)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = Tokens(text)
        self._depth = 0
        self.fields: set[str] = set()

    def whole(self) -> Test:
        test = self._either()
        if not self._tokens.at_end():
            raise self._tokens.unexpected("'and', 'or' or the end")
        return test

    def _either(self) -> Test:
        parts = [self._all()]
        while self._tokens.take("or"):
            parts.append(self._all())
        return evaluation.any_of(parts)

    def _all(self) -> Test:
        parts = [self._not()]
        while self._tokens.take("and"):
            parts.append(self._not())
        return evaluation.all_of(parts)

    def _not(self) -> Test:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._tokens.invalid(f"more than {MAX_DEPTH} levels", self._tokens.next.start)
        if self._tokens.take("not"):
            test = evaluation.negation(self._not())
        elif self._tokens.take("("):
            test = self._either()
            self._tokens.expect(")")
        elif self._tokens.take("missing"):
            self._tokens.expect("(")
            test = evaluation.is_missing(self._field().field.read)
            self._tokens.expect(")")
        else:
            test = self._comparison()
        self._depth -= 1
        return test

    def _comparison(self) -> Test:
        left = self._operand()
        if isinstance(left, _Field):
            if self._tokens.take("~"):
                return self._search(left)
            if self._tokens.take("in"):
                return self._among(left)
            if self._tokens.take("not"):
                self._tokens.expect("in")
                return evaluation.negation(self._among(left))
        tests: list[Test] = []
        while sign := self._tokens.take(*COMPARISONS):
            right = self._operand()
            tests.append(self._compare(left, sign, right))
            left = right
        if not tests:
            raise self._tokens.unexpected(f"{', '.join(COMPARISONS)}, ~ or in")
        return evaluation.all_of(tests)

    def _compare(self, left: _Operand, sign: Token, right: _Operand) -> Test:
        match left, right:
            case _Field(field=one), _Field(field=other):
                if not are_comparable(one.kind, other.kind):
                    problem = f"{one.name} ({one.kind}) and {other.name} ({other.kind}) are not comparable:"
                    raise self._tokens.invalid(f"{problem} unexpected '{sign.text}'", sign.start)
                if one.kind is other.kind is Kind.TEXT_OR_NUMBER:
                    return evaluation.comparison(
                        evaluation.numeric(one.read), sign.text, evaluation.numeric(other.read)
                    )
                return evaluation.comparison(one.read, self._ordered(sign, one), other.read)
            case _Field(field=field), Token():
                return evaluation.comparison(field.read, self._ordered(sign, field), self._constant(right, field))
            case Token(), _Field(field=field):
                return evaluation.comparison(self._constant(left, field), self._ordered(sign, field), field.read)
        raise self._tokens.invalid("no field beside", sign.start, hint="compare a field with something")

    def _ordered(self, sign: Token, field: Field) -> str:
        if field.kind is Kind.STATE and sign.text not in ("==", "!="):
            hint = f'write `{field.name} in ("...", "...")`'
            raise self._tokens.invalid(f"states have no order: unexpected '{sign.text}'", sign.start, hint=hint)
        return sign.text

    def _search(self, operand: _Field) -> Test:
        field = operand.field
        if field.kind not in TEXTS:
            problem, hint = f"{field.name} is no text to search ({field.kind})", "compare it with == or <"
            raise self._tokens.invalid(problem, operand.start, hint=hint)
        token = self._tokens.take_kind(TokenKind.TEXT)
        if not token:
            raise self._tokens.unexpected("a regular expression in quotes")
        return evaluation.search(field.read, self._pattern(token))

    def _pattern(self, token: Token) -> re.Pattern[str]:
        try:
            with warnings.catch_warnings(action="ignore"):  # Python warns its programmers of coming syntax
                return re.compile(token.text, re.MULTILINE)
        except re.error as error:
            raise self._invalid_pattern(error.msg, token, error.pos or 0) from None
        except OverflowError as error:
            raise self._invalid_pattern(str(error), token, 0) from None
        except RecursionError:
            raise self._invalid_pattern("too deeply nested", token, 0) from None

    def _invalid_pattern(self, problem: str, token: Token, position: int) -> UsageError:
        return self._tokens.invalid(f"regular expression: {problem}", token.start + 1 + position)

    def _among(self, operand: _Field) -> Test:
        self._tokens.expect("(")
        tests = [self._equals(operand.field)]
        while self._tokens.take(","):
            tests.append(self._equals(operand.field))
        self._tokens.expect(")")
        return evaluation.any_of(tests)

    def _equals(self, field: Field) -> Test:
        literal = self._literal()
        if not literal:
            raise self._tokens.unexpected("a constant")
        return evaluation.comparison(field.read, "==", self._constant(literal, field))

    def _operand(self) -> _Operand:
        return self._literal() or self._field()

    def _literal(self) -> Token | None:
        return self._tokens.take_kind(TokenKind.NUMBER, TokenKind.TEXT)

    def _constant(self, literal: Token, field: Field) -> Read:
        try:
            return evaluation.constant(meaning(literal, field))
        except LiteralInvalid as error:
            raise self._tokens.invalid(f"{error},", literal.start, hint=error.hint) from None

    def _field(self) -> _Field:
        if self._tokens.take("len"):
            return self._length()
        name = None if self._tokens.next.text.lower() in RESERVED else self._tokens.take_kind(TokenKind.NAME)
        if not name:
            raise self._tokens.unexpected("a field")
        if name.text == "tag" and self._tokens.take("["):
            return _Field(self._tag_field(), name.start)
        field = find_field(name.text)
        if not field:
            quoted = f'text stands in quotes: "{name.text[:40]}"; ' if self._tokens.follows(*COMPARISONS) else ""
            problem = f"unknown field '{name.text[:40]}'"
            raise self._tokens.invalid(problem, name.start, hint=f"{quoted}{suggest(name.text)}")
        self.fields.add(field.name)
        return _Field(field, name.start)

    def _tag_field(self) -> Field:
        start = self._tokens.next.start
        number = self._tokens.take_kind(TokenKind.NUMBER)
        if not number or not _INDEX.fullmatch(number.text):
            hint = "the fields of a tag are counted from 1: tag[1] is the first"
            raise self._tokens.invalid("no number of a field", start, hint=hint)
        self._tokens.expect("]")
        return tag_field(int(number.text))

    def _length(self) -> _Field:
        self._tokens.expect("(")
        name = self._tokens.next
        field = length_field(name.text)
        if not field or not self._tokens.take(name.text):
            raise self._tokens.unexpected("tag or tags")
        self._tokens.expect(")")
        return _Field(field, name.start)
