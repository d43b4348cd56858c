"""Plain lists of commands."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.items import Item
from pyanamo_async.core.taskfile.parser import Format, Kind, Problem, kind_of, parse

COMMAND = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "), min_size=1).filter(
    lambda line: line.strip() != "" and not line.strip().startswith("#") and not line.strip().endswith("\\")
)


def rows(*lines: str) -> list[Item | Problem]:
    return list(parse(io.BytesIO("\n".join(lines).encode()), Format(lines=True)))


def scripts(*lines: str) -> dict[str, str]:
    found = rows(*lines)
    return {row.item_id: row.tasks[0].script for row in found if isinstance(row, Item)}


@given(st.lists(COMMAND | st.sampled_from(["true", "echo x"])), COMMAND | st.just("true"), st.data())
def test_inserting_a_line_adds_exactly_one_item(lines: list[str], inserted: str, data: st.DataObject) -> None:
    """Wherever it stands, and however often it is there already."""
    at = data.draw(st.integers(0, len(lines)))
    before, after = scripts("", *lines), scripts("", *lines[:at], inserted, *lines[at:])

    assert len(before) == len(lines)
    assert {*after.items()} - {*before.items()} == {(set(after) - set(before)).pop(): inserted.strip()}.items()
    assert len(after) == len(lines) + 1


def test_a_command_is_taken_as_it_is() -> None:
    """Blank lines and comments are skipped; nothing in a line is a delimiter."""
    assert [*scripts("# all samples", "#!/bin/bash", "", "a | b; c,d\te  ", "  true").values()] == [
        "a | b; c,d\te",
        "true",
    ]


def test_equal_commands_are_counted() -> None:
    """From the second on the id says which it is."""
    first, second, third = scripts("true", "true", "true")

    assert (second, third) == (f"{first}-2", f"{first}-3")


def test_a_command_that_goes_on_in_the_next_line_is_refused() -> None:
    """It would run without its arguments, and they without it."""
    assert rows("true", "tool \\", "--flag") == [
        *rows("true"),
        Problem(2, rows("x \\")[0].reason),
        rows("", "", "--flag")[0],
    ]


@pytest.mark.parametrize(
    "line",
    ["seq 3", "cat a | sort | uniq -c", "bash x.sh a,b,c", "cd x; make; make install", "[ -f x ] && y", "{ echo a; }"],
)
def test_a_file_without_a_header_is_a_list_of_commands(line: str) -> None:
    """Nobody need say so."""
    assert kind_of([line.encode()], Format()) is Kind.COMMANDS


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("itemid|TaskScript", "missing column TaskID"),
        ("itemID|TaskId|Script", "unknown column 'Script'"),
        ("Seq_Test_1|Task_1|seq 3", "looks like a row of fields"),
        ("item , task , script", "looks like a row of fields"),
        ('"sample"\t"fastq"', "looks like a row of fields"),
    ],
)
def test_a_misspelt_header_does_not_run_as_a_pipeline(line: str, says: str) -> None:
    """Nor does a table without one; the reason names the ways on."""
    [problem] = parse([line.encode(), b"a|b|c\n"], Format())

    assert isinstance(problem, Problem)
    assert says in problem.reason
    for argument in ("no_header", "lines", "script"):
        assert f"`{argument}`" in problem.reason


def test_a_header_is_no_command_whatever_the_person_says() -> None:
    """Anything else is one when the person says so."""
    [problem] = parse([b"itemID|TaskID|TaskScript\n", b"a|b|c\n"], Format(lines=True))

    assert "this is a header" in str(problem)
    assert [*scripts("Seq_Test_1|Task_1|seq 3", "jq .itemID x").values()] == ["Seq_Test_1|Task_1|seq 3", "jq .itemID x"]
