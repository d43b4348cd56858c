"""Which tasks an expression matches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.expressions.parser import parse_expression
from pyanamo_async.core.expressions.view import TaskView
from pyanamo_async.core.items import State
from pyanamo_async.core.outcomes import Failed, Succeeded
from pyanamo_async.core.values import replace
from tests.core.expressions.views import DONE, FAILED, KILLED, NEVER_RAN, a_view
from tests.fakes import an_item

atoms = st.sampled_from(
    ["exit == 137", "exit != 0", "signal == 9", "missing(exit)", "tag[3] < 1", "attempt == 4", 'stderr ~ "space"']
)
tests = st.recursive(
    atoms,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})")
        | inner.map("(not {})".format)
    ),
    max_leaves=6,
)
views = st.sampled_from([DONE, FAILED, KILLED, NEVER_RAN])


def matches(text: str, view: TaskView) -> bool:
    return parse_expression(text).matches(view)


@pytest.mark.parametrize(
    "text",
    [
        "exit == 137 and seconds > 10",
        "(exit==137)and(seconds>10)",
        "not exit == 0 and not exit != 137",
        "exit == 1 or exit == 137",
        "exit == 1 or exit == 2 or sample == 's1' and attempt == 4",
        "exit in (1, 137) and exit not in (0, 2)",
        "1 < exit < 200 and 137 == exit",
        'id == "s1-align" and sample == \'s1\' and task == "Task_0"',
        'script == "bwa mem" and script != "bwa"',
        'reason == "exit status 137: No space left on device"',
        'worker == "w1" and failures == 2 and crashes == 0 and interruptions == 0',
        'stderr ~ "No space left" and stderr ~ "^No .*device$" and not stderr ~ "^space"',
        'id ~ "^s\\d-(align|sort)$"',
        'id < "s2" and id >= "s1"',
    ],
)
def test_a_failed_task_matches(text: str) -> None:
    """Fields are compared, searched and combined; blanks are free where words stay apart."""
    assert matches(text, FAILED)


@pytest.mark.parametrize("literal", ["7200", "2h", "1h60m", "120M", "'2h'", "7.2e3"])
def test_durations_are_written_as_elsewhere(literal: str) -> None:
    """A number is in seconds; units are those of all options."""
    assert matches(f"seconds == {literal}", KILLED)


@pytest.mark.parametrize("literal", ["3GiB", "3g", "3072m", "3221225472", "'3GiB'"])
def test_sizes_are_written_as_elsewhere(literal: str) -> None:
    """A number is in bytes, and `m` beside a size means MiB."""
    assert matches(f"max_rss == {literal}", DONE)
    assert matches("3GB < max_rss < 4GB", DONE)


@pytest.mark.parametrize(
    "text",
    [
        'started == "2026-01-01T12:00" and started < finished',
        'finished > "2026-01-01"',
        'finished < "2026-01-02"',
        'started == "2026-01-01T13:00+01:00"',
        'started == "2026-01-01T12:00:00Z"',
    ],
)
def test_times_are_in_utc_unless_they_say_otherwise(text: str) -> None:
    """A day alone is its beginning."""
    assert matches(text, DONE)


@pytest.mark.parametrize("literal", ["9", '"SIGKILL"', '"kill"'])
def test_signals_have_numbers_and_names(literal: str) -> None:
    """A signal is its number, or its name with or without `SIG`, in any case."""
    assert matches(f"signal == {literal}", KILLED)
    assert not matches(f"signal == {literal}", FAILED)


def test_states_are_written_in_any_case() -> None:
    """States of items and of tasks are different fields, and case does not matter."""
    assert matches('state == "FAILED" and task_state == "Todo"', NEVER_RAN)
    assert matches('state == "wall_time_exceeded"', a_view(state=State.WALL_TIME_EXCEEDED))
    assert matches('state in ("failed", "done") and state != "todo"', DONE)


@pytest.mark.parametrize(
    "text",
    [
        "len(tags) == 2 and len(tag) == 4",
        'tag == "S1\t21\t0.5\t" and tags ~ "^S2$"',
        'tag[1] == "S1" and tag[1] != "S2"',
        "tag[2] > 3 and tag[2] == 21.0 and tag[3] < 1 and tag[3] >= 5e-1",
        'tag[2] == "21" and tag[2] != "21.0" and tag[2] < "3"',
        "tag[3] < tag[2]",
        "tag[1] != 5 and not tag[1] == 5",
        'tag[4] == "" and missing(tag[5]) and not missing(tag[4])',
        'tag[2] in (20, 21, "x")',
    ],
)
def test_tags_that_are_numbers_compare_as_numbers(text: str) -> None:
    """Beside a number a tag is a number if it can be one; beside text it is text."""
    assert matches(text, DONE)


@pytest.mark.parametrize(
    "text", ["tag[1] < 5", "tag[1] > 5", "not tag[1] < 5", "tag[4] <= 0", "not (tag[4] >= 0)", "tag[1] > tag[2]"]
)
def test_text_is_neither_less_nor_more_than_a_number(text: str) -> None:
    """Whether text without a number comes before a number is unknown, and so is the opposite."""
    assert not matches(text, DONE)


@pytest.mark.parametrize("number", ["nan", "inf", "1_000", "0x10", "1e999", "٣", "1" * 101, "--1", "."])
def test_what_only_python_takes_for_a_number_is_text(number: str) -> None:
    """A tag is a number if it is written as one in plain digits."""
    view = a_view(Succeeded(), stdout=f"PyAnamo:\t{number}\n")

    assert not matches("tag[1] >= 0 or tag[1] < 0", view)
    assert matches("tag[1] != 0", view)


def test_large_numbers_are_exact() -> None:
    """Whole numbers beyond 2^53 are not rounded."""
    view = a_view(Succeeded(), stdout="PyAnamo:\t9007199254740993\n")

    assert matches("tag[1] == 9007199254740993 and tag[1] != 9007199254740992", view)


@pytest.mark.parametrize(
    "text",
    [
        "exit == 1",
        "not (exit == 1)",
        "exit != 1",
        "not exit in (1, 2)",
        'not (stderr ~ "x")',
        'not (reason == "x") or not (signal == 9)',
        "not (exit == 1 or seconds > 5)",
        "not (exit == 1 and seconds > 5)",
        "seconds < cpu",
        "len(tags) == 0",
        "tag[1] == 5 or not tag[1] == 5",
        'argument == 1 or host == "h"',
    ],
)
def test_missing_values_match_nothing_and_neither_do_their_opposites(text: str) -> None:
    """A task that never ran has no `exit`: whether it is 1 is unknown, and so is whether it is not."""
    assert not matches(text, NEVER_RAN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("missing(exit) and missing(stdout) and missing(tag[1]) and missing(len(tags)) and missing(reason)", True),
        ("not missing(exit)", False),
        ("missing(id)", False),
        ("exit == 1 or attempt == 0", True),
        ("not (exit == 1 and attempt == 9)", True),
        ("not (exit == 1 or attempt == 0)", False),
    ],
)
def test_only_missing_matches_what_is_missing(text: str, *, expected: bool) -> None:
    """What is unknown decides nothing where the other side of `and` or `or` does."""
    assert expected is matches(text, NEVER_RAN)


def test_a_signal_leaves_no_exit_status() -> None:
    """A script that was killed has a signal and no exit status; one that succeeded has status 0 and no reason."""
    assert matches('missing(exit) and signal == 9 and reason == "killed by SIGKILL"', KILLED)
    assert matches("exit == 0 and missing(signal) and missing(reason)", DONE)


def test_a_held_item_names_its_holder() -> None:
    """The worker of a locked item is who holds it, not who ran the task before."""
    held = a_view(Failed(exit_code=1), state=State.LOCKED, worker="w2")

    assert matches('worker == "w2"', held)


def test_what_the_view_is_told_can_be_asked() -> None:
    """The host of its worker comes from who makes the view."""
    assert matches('host ~ "^node"', TaskView(DONE.item, DONE.task, {"w1": "node-7"}))


@pytest.mark.parametrize(
    ("worker", "host"),
    [
        ("node-7-3f2a9c1e", "node-7"),
        ("ip-10-0-0-1-00000000", "ip-10-0-0-1"),
        ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6-3f2a9c1e", None),  # a job of AWS Batch
        ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6:12-3f2a9c1e", None),
        ("w1", None),
    ],
)
def test_the_host_of_a_worker_that_left_is_in_its_id(worker: str, host: str | None) -> None:
    """Unless the id names a job; a worker that the table still knows need not be guessed."""
    record = DONE.record and replace(DONE.record, worker=worker)
    item = replace(DONE.item, tasks=(replace(DONE.task, record=record),))

    assert TaskView(item, item.tasks[0]).host == host
    assert TaskView(item, item.tasks[0], {worker: "known"}).host == "known"


def test_the_argument_of_a_task_can_be_asked() -> None:
    """It is what follows the script that it shares with the other tasks; a task without one has none."""
    item = an_item("a", nested=["bwa mem 21"], args_at=len("bwa mem "))
    view = TaskView(item, item.tasks[0])

    assert matches('argument == 21 and argument == "21"', view)
    assert matches("missing(argument)", DONE)


@pytest.mark.parametrize(
    ("text", "stderr"),
    [(r'stderr ~ "\d+\.bam"', "see 12.bam"), (r'stderr ~ "say \"no\""', 'say "no"'), (r"stderr == '\'\x'", r"'\x")],
)
def test_a_backslash_is_a_character_unless_a_quote_follows(text: str, stderr: str) -> None:
    """Regular expressions stand as they are; a quote after a backslash does not end the text."""
    assert matches(text, a_view(Succeeded(), stderr=stderr))


def test_expressions_are_equal_if_they_are_written_alike() -> None:
    """An expression is a value, and shows how it was written."""
    assert parse_expression("exit == 1") == parse_expression("exit == 1") != parse_expression("exit == 2")
    assert repr(parse_expression("exit == 1")) == "Expression(text='exit == 1')"


@given(tests, tests, views)
def test_and_or_and_not_keep_the_laws_of_logic(one: str, other: str, view: TaskView) -> None:
    """No task matches an expression and its opposite, and De Morgan's laws hold with missing values, too."""
    assert not (matches(one, view) and matches(f"not {one}", view))
    assert matches(f"not ({one} and {other})", view) is matches(f"not {one} or not {other}", view)
    assert matches(f"not ({one} or {other})", view) is matches(f"not {one} and not {other}", view)
    assert matches(f"{one} and {other}", view) is (matches(one, view) and matches(other, view))
    assert matches(f"{one} or {other}", view) is (matches(one, view) or matches(other, view))


@given(atoms, atoms, atoms, views)
def test_and_binds_tighter_than_or(one: str, two: str, three: str, view: TaskView) -> None:
    """`not` binds tightest, then `and`, then `or`, as in Python and SQL."""
    assert matches(f"{one} or {two} and {three}", view) is matches(f"{one} or ({two} and {three})", view)
    assert matches(f"not {one} and {two}", view) is matches(f"(not {one}) and {two}", view)
