"""What is no expression, and what is said of it."""

from __future__ import annotations

import ast
import re
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pyanamo_async.core.expressions.fields import DERIVED, FIELDS
from pyanamo_async.core.expressions.parser import parse_expression
from pyanamo_async.core.expressions.tokens import MAX_LENGTH
from pyanamo_async.errors import UsageError
from tests.core.expressions.views import DONE, FAILED, KILLED, NEVER_RAN

FIELDS_AND_WORDS = (
    *("exit", "seconds", "max_rss", "tag", "tags", "tag[2]", "len(tags)", "state", "signal", "started", "stderr", "id"),
    *("argument", "host", "script", "task_state", "cpu"),
    *("and", "or", "not", "in", "missing", "missing(exit)", "len", "(", ")", "[", "]", ",", "~", "==", "!=", "<", ">="),
)
PHRASES = ("exit == 137", "seconds > 10m", "tag[1] == 1", "stderr ~ 'x'", "exit in (1, 2)", "len(tags) == 2")
CONSTANTS = (
    *("1", "0", "-1", "0.5", "1e9", "137", "90m", "2GiB", "1h30m", "9" * 50, "0x1", "1_0", "'a'", '"(a+)+$"'),
    *('"failed"', '"2026-01-01"', '"9"', "''", "'", '"'),
)
FOREIGN = ("=", "+", "*", "**", ".", ":", "lambda", "if", "else", "f'{x}'", "`", "#", "\\", "__class__", "é", "\0")
words = st.sampled_from([*FIELDS_AND_WORDS, *CONSTANTS, *FOREIGN])
connectors = st.sampled_from(["and", "or", "and not", "or not", "and (exit < 1) or"])


@st.composite
def almost_expressions(draw: st.DrawFn) -> str:
    """Write an expression, and perhaps replace one of its words, or put another before it."""
    parts = draw(st.sampled_from(PHRASES)).split()
    for connector in draw(st.lists(connectors, max_size=3)):
        parts += [*connector.split(), *draw(st.sampled_from(PHRASES)).split()]
    at = draw(st.integers(0, len(parts)))
    parts[at : at + draw(st.integers(0, 1))] = draw(st.lists(words, max_size=1))
    return " ".join(parts)


texts = almost_expressions() | st.lists(words, max_size=8).map(" ".join)
NAMES = {field.name for field in FIELDS} | {"missing", "len"}
NODES = {ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.Compare, ast.Eq}
NODES |= {ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Name, ast.Load, ast.Constant, ast.Tuple}
NODES |= {ast.Subscript, ast.Call}  # of `tag[1]`, `len(tag)` and `missing(exit)`


def answers(text: str) -> list[bool] | None:
    """Return whether an expression matches some tasks, or None if it is refused."""
    try:
        expression = parse_expression(text)
    except UsageError:
        return None
    return [expression.matches(view) for view in (DONE, FAILED, KILLED, NEVER_RAN)]


@settings(max_examples=500)
@given(texts | st.text(max_size=40))
@example("exit == 137 " * 800)
@example("not " * 2000 + "exit == 1")
@example("(" * 4000 + "exit == 1" + ")" * 4000)
@example("exit == " + "9" * 9000)
@example("seconds > " + "9" * 9000 + "x")
@example("seconds > '" + "9" * 9000 + "x'")
@example("max_rss > '" + "9" * 9000 + "x'")
@example("finished > '" + "9" * 9000 + "x'")
@example("seconds > " + "1h" * 40)
@example("exit == 9**9**9")
@example("exit == 1e999999")
@example("stderr ~ '" + "(a+)+" * 1000 + "'")
@example("stderr ~ '" + "(" * 5000 + "'")
@example("exit in (" + "1," * 4000 + "1)")
@example("exit == 1" + " < 1" * 2000)
@example('finished > "0001-01-01T00:00+10:00"')
@example('finished > "9999-12-31T23:59-10:00"')
@example("x" * MAX_LENGTH)
@example('"' + "\\" * (MAX_LENGTH - 1))
@example("x" * (MAX_LENGTH + 1))
def test_every_text_is_an_expression_or_refused(text: str) -> None:
    """Nothing but our own error comes out, whatever the text, and an expression says yes or no to every task."""
    found = answers(text)

    assert found is None or {type(answer) for answer in found} == {bool}


@settings(max_examples=500)
@given(texts)
def test_nothing_but_the_grammar_gets_through(text: str) -> None:
    """An accepted expression is one of Python's, too, but for `~` and units; and it names nothing but fields."""
    if answers(text) is None:
        return
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "''", text).replace("~", "==")
    tree = ast.parse(re.sub(r"(?<![\w.])\.?[0-9][\w.]*", "1", bare), mode="eval")

    assert NAMES.issuperset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    assert NODES.issuperset(map(type, ast.walk(tree)))


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true') == 0",
        "exit.__class__ == 1",
        "().__class__.__bases__[0] == 1",
        "[x for x in (1,)] == 1",
        "(lambda: 1)() == 1",
        "f'{exit}' == 'x'",
        "exit := 1",
        "eval('1') == 1",
        "open('x') == 1",
        "exit == 2 ** 9",
        "exit + 1 == 2",
        "'a' * 9 == sample",
        "tag[1:2] == 1",
        "tag[tag[1]] == 1",
        "tag['x'] == 1",
        "stderr ~ stdout",
        "sample.format(exit) == 'x'",
        "exit if exit else exit",
        "exit == 1; exit == 2",
        "exit == 1 # comment",
        "\uff45xit == 1",  # Python's own parser takes this for `exit`
        "len(stdout) > 1",
        "missing(1)",
        "exit len(tag) == 1",
        "exit seconds == 1",
        "exit tag[1] == 1",
        "missing(missing(exit))",
        "not exit",
        "exit",
        "True",
    ],
)
def test_what_python_would_evaluate_is_refused(text: str) -> None:
    """The grammar has no calls, attributes, arithmetic, or anything else than what it lists."""
    assert answers(text) is None


@pytest.mark.parametrize(
    ("text", "problem", "place", "hint"),
    [
        ('sampel == "x"', "unknown field 'sampel'", 1, "did you mean sample? the fields are id, sample, state,"),
        ("memory > 2GiB", "unknown field 'memory'", 1, "did you mean max_rss?"),
        ("attempt == 1 and Exit_Code == 1", "unknown field 'Exit_Code'", 18, "did you mean exit?"),
        ("state == failed", "unknown field 'failed'", 10, 'text stands in quotes: "failed"'),
        ("exit = 137", "unexpected '='", 6, "write =="),
        ("exit == 1 && attempt == 1", "unexpected '&&'", 11, "write and"),
        ("exit == 1 AND attempt == 1", "unexpected 'AND'", 11, "write and"),
        ("stderr =~ 'x'", "unexpected '=~'", 8, "write ~"),
        ("'x' in stderr", "unexpected 'in'", 5, 'stderr ~ "text"'),
        ("exit == 1 )", "unexpected ')'", 11, "expected 'and', 'or' or the end"),
        ("sample == 7", "sample is text", 11, 'write "7"'),
        ("seconds > 2GiB", "seconds needs a duration like", 11, ""),
        ("max_rss > 2h", "max_rss needs a size like", 11, ""),
        ("exit == 'one'", "exit needs a number like", 9, ""),
        ("finished > 5", "finished needs a UTC time in quotes", 12, ""),
        ('signal == "KIL"', "signal needs a signal like", 11, ""),
        ('state == "faild"', "state is never 'faild'", 10, 'did you mean "failed"? the states are todo,'),
        ('state > "todo"', "states have no order", 7, 'write `state in ("...", "...")`'),
        ("tag[3] > 90m", "90m is a duration and a size", 10, "write 5400 seconds or 94371840 bytes"),
        ("tag[0] == 1", "no number of a field", 5, "counted from 1"),
        ("seconds > max_rss", "are not comparable", 9, ""),
        ("1 == 1", "no field beside", 3, "compare a field"),
        ("exit ~ '1'", "exit is no text to search", 1, ""),
        ("stderr ~ 'a(b'", "regular expression: missing ), unterminated subpattern", 12, ""),
        ("stderr ~ 'a{99999999999}'", "regular expression: the repetition number is too large", 11, ""),
        ("stderr ~ 'b" + "(" * 5000 + "'", "regular expression: too deeply nested", 11, ""),
        ("stderr ~ '(?L)a'", "regular expression: bad inline flags", 14, ""),
        ("sample == 'x", "a quote that is not closed", 11, ""),
        ("exit == \u00e9", "unexpected '\u00e9'", 9, ""),
    ],
)
def test_an_error_names_the_place_and_what_to_write(text: str, problem: str, place: int, hint: str) -> None:
    """The error says what is wrong, at which character, and what to write instead."""
    with pytest.raises(UsageError) as caught:
        parse_expression(text)

    assert problem in caught.value.what
    assert f" at character {place} of " in caught.value.what
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["exit ==", "exit == 1 and", "(exit == 1", "missing(", "tag[1"])
def test_an_unfinished_expression_says_what_is_expected(text: str) -> None:
    """The error names the end, and what may stand there."""
    with pytest.raises(UsageError, match=r"incomplete at the end of .* hint: expected "):
        parse_expression(text)


def test_the_names_that_exist_are_listed() -> None:
    """All fields stand in the hint to an unknown one."""
    with pytest.raises(UsageError) as caught:
        parse_expression("nothing == 1")

    for name in [*(field.name for field in FIELDS), *(name for name, _, _ in DERIVED)]:
        assert name in caught.value.hint


def test_a_long_expression_is_shown_in_part() -> None:
    """The error shows the surroundings of the place, and is one line whatever the text holds."""
    with pytest.raises(UsageError) as caught:
        parse_expression("exit == 1 and\n" * 100 + "exat == 1" + "\n and exit == 1" * 100)

    assert "unknown field 'exat' at character 1401 of '..." in caught.value.what
    assert "\n" not in str(caught.value)
    assert len(caught.value.what) < 200


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_an_empty_expression_is_refused(text: str) -> None:
    """An empty value never means everything."""
    with pytest.raises(UsageError, match="`where` is empty"):
        parse_expression(text)


@given(
    st.lists(
        st.sampled_from(
            [*"ab0 -^$.*+?|()[]{},\n\\", r"\d", "(?:", "(?i)", "(?a)", "(?=", "(?P<n>", "{2,}", "[^a]", r"\1"]
        )
    )
    .map("".join)
    .filter(lambda pattern: not pattern.endswith("\\"))
)
def test_a_regular_expression_is_one_or_refused(pattern: str) -> None:
    """Whatever Python has against a regular expression becomes an error of ours."""
    with suppress(UsageError):
        parse_expression(f"stderr ~ '{pattern}'")
