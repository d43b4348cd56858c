"""Task files and parameter tables as spreadsheets, old machines and other programs write them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyanamo_async.core.items import Item
from pyanamo_async.core.taskfile.lines import MAX_LINE_BYTES
from pyanamo_async.core.taskfile.parameters import ItemTemplate
from pyanamo_async.core.taskfile.parser import Format, Problem, parse
from pyanamo_async.core.taskfile.template import quote

HEADER = "itemID,TaskID,TaskScript"


def rows(text: str | Iterable[bytes], form: Format = Format()) -> list[Item | Problem]:  # noqa: B008 - a value
    return list(parse(io.BytesIO(text.encode()) if isinstance(text, str) else text, form))


def scripts(text: str | Iterable[bytes], form: Format = Format()) -> dict[str, str]:  # noqa: B008
    found = rows(text, form)
    assert [row for row in found if isinstance(row, Problem)] == []
    return {row.item_id: row.tasks[0].script for row in found if isinstance(row, Item)}


def reason(text: str | Iterable[bytes], form: Format = Format()) -> str:  # noqa: B008
    [found] = [row for row in rows(text, form) if isinstance(row, Problem)]
    return str(found)


@pytest.mark.parametrize(
    "text",
    [
        "#itemID\tTaskID\tTaskScript\na\ts\ttrue\n",
        "# made by hand\n# itemID | TaskID | TaskScript\na | s | true\n",
        "sep=;\r\nitemID;TaskID;TaskScript\r\na;s;true\r\n",
        '"sep=|"\nitemID|TaskID|TaskScript\na|s|true\n',
        "itemID,TaskID,TaskScript,,\na,s,true,,\n,,,,\n,,,,\n",
        "itemID,TaskID,TaskArgs,TaskScript\n,,,\na,s,,true\n , ,\t,\n",
        '"itemID";"TaskID";"TaskScript"\n"a";"s";"true"\n"";"";""\n',
        "itemID|TaskID|TaskScript\n#b|s|false\na|s|true\n  # c\n",
    ],
)
def test_what_spreadsheets_and_people_add_is_not_content(text: str) -> None:
    """Comments, empty rows and columns, a line for the delimiter, quotes around everything."""
    assert scripts(text) == {"a": "true"}


@pytest.mark.parametrize(
    ("delimiter", "cell", "script"),
    [
        (",", '"./my tool.sh"', "./my tool.sh"),
        ("\t", '"./my tool.sh"', '"./my tool.sh"'),
        (";", '"./my tool.sh" x', '"./my tool.sh" x'),
        (";", '"echo ""one two"""', 'echo "one two"'),
        (";", '"a; b"', "a; b"),
        ("\t", '"a\tb"', "a\tb"),
        ("\t", '"a\n\n# b\nc"', "a\n\n# b\nc"),
        (",", '"a\r\nb"', "a\nb"),
        ("|", '"a"', '"a"'),
    ],
)
def test_quotes_around_a_script_are_a_spreadsheets_only_where_it_needs_them(
    delimiter: str, cell: str, script: str
) -> None:
    """Otherwise they are the shell's; between commas every cell in quotes is CSV's."""
    header = HEADER.replace(",", delimiter)

    assert scripts(f"{header}\na{delimiter}s{delimiter}{cell}\nb{delimiter}s{delimiter}x\n") == {"a": script, "b": "x"}


def test_a_problem_names_the_line_at_which_its_row_begins() -> None:
    """Also behind a cell of several lines."""
    text = f'{HEADER}\na,s,"echo\n\necho"\n\nb,,x\n"c\n",s,""\n'

    assert [str(row) for row in rows(text)[1:]] == ["line 6: missing field TaskID", "line 7: empty script"]


@pytest.mark.parametrize("more", [0, 3, 150_000])
def test_a_quote_without_an_end_is_a_problem_of_its_row(more: int) -> None:
    """However long the file goes on."""
    rest = "".join(f"\ni{number},s,true" for number in range(more))

    assert reason(f'{HEADER}\na,s,"one{rest}\n').startswith("line 2: unclosed quote")


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=12).map(str.strip)


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=4), st.sampled_from(",;\t|"))
def test_a_parameter_table_has_the_cells_that_were_written(table: list[list[str]], delimiter: str) -> None:
    """Whatever stands in them: delimiters, quotes, line ends."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["n", "a b", "c", "{d}"])
    writer.writerows([str(number), *row] for number, row in enumerate(table))
    form = Format(template=ItemTemplate(id="i{n}", script="x {n} {a b} {c}"))

    assert scripts(text.getvalue(), form) == {
        f"i{number}": f"x {quote(str(number))} {quote(row[0])} {quote(row[1])}" for number, row in enumerate(table)
    }


def test_a_row_of_a_parameter_table_may_be_nested() -> None:
    """One task for each argument, a word to the shell; the sample is the id unless it is given."""
    form = Format(template=ItemTemplate(id="{s}", script="x {s}", args=("chr1", "HLA-A*01")))
    item, other = rows("s\nA\n\n#B\n C \n", form)
    assert isinstance(item, Item)
    assert isinstance(other, Item)

    assert (item.nested, item.sample) == (True, "A")
    assert [task.script for task in item.tasks] == ["x A chr1", "x A 'HLA-A*01'"]
    assert other.item_id == "C"


@pytest.mark.parametrize(
    "text", ["#s\tt\nA\tx\n", "# by hand\ns;t\nA;x\n", "sep=;\ns;t\nA;x;;\n;\n", " s , t ,, \nA,x", "s,t,u\nA,x\n"]
)
def test_a_parameter_table_is_read_as_leniently(text: str) -> None:
    """A header behind `#`, comments, blanks, a line for the delimiter; missing cells that nobody asks for."""
    form = Format(template=ItemTemplate(id="{s}", script="x {t}"))

    assert scripts(text, form) == {"A": "x x"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"s": "A", "t": "x"}\n', "line 1: this is JSON"),
        ('[{"s": "A", "t": "x"}]\n', "line 1: this is JSON"),
        ("s t\nA x\n", "line 1: {t} in `script` names no column; the columns are s t, and no others: set `delimiter`"),
        ("s,u\nA,x\n", "line 1: {t} in `script` names no column; the columns are s, u"),
        ("s,t,s\nA,x,B\n", "line 1: column s is there twice"),
        ("s,t\nB,x\nA\n", "line 3: missing field t"),
        ("s,t\nB,x\nA,x,y,z\n", "line 3: 4 cells for 2 columns"),
        ('s,t\nB,x\n"A" b,x\n', "line 3: not CSV"),
        ('s,t\nB,x\n"A,x\n\n', "line 3: not CSV"),
        ("s,t\nA,x\nB,x\nA,y\n", "line 4: itemID 'A' is already on line 2; put a further column into `id`"),
        ("s,t\n,x\n", "line 2: missing field itemID"),
    ],
)
def test_a_parameter_table_that_does_not_fit_is_refused(text: str, says: str) -> None:
    """By line and column."""
    form = Format(template=ItemTemplate(id="{s}", script="x {t}"))

    assert reason(text, form).startswith(says)


def test_a_line_of_a_parameter_table_that_is_not_utf8_is_one_problem() -> None:
    """The lines around it are still read."""
    form = Format(template=ItemTemplate(id="{s}", script="true"))
    first, bad, last = rows([b"s\n", b"A\n", b"\xe9\n", b"B\n"], form)

    assert (isinstance(first, Item), isinstance(last, Item)) == (True, True)
    assert str(bad) == "line 3: not UTF-8: byte 0xe9 at column 1"


OBJECTS = st.lists(
    st.fixed_dictionaries(
        {"itemID": st.uuids().map(str), "TaskID": st.just("s"), "TaskScript": st.text('a "\\]}{[,:é')}
    ),
    max_size=5,
    unique_by=lambda row: str(row["itemID"]),
)


@settings(max_examples=30)
@given(OBJECTS, st.booleans(), st.integers(1, 50))
def test_a_json_array_is_read_in_any_layout(objects: list[dict[str, str]], pretty: bool, piece: int) -> None:
    """Line by line, in one line, and in the pieces of a line that is longer than any other line may be."""
    text = orjson.dumps(objects, option=orjson.OPT_INDENT_2 if pretty else None)
    long = [b"[" + b" " * MAX_LINE_BYTES, *(text[at : at + piece] for at in range(1, len(text), piece))]
    expected = {row["itemID"]: row["TaskScript"].strip() for row in objects if row["TaskScript"].strip()}

    for lines in (io.BytesIO(text), [text], long):
        assert {row.item_id: row.tasks[0].script for row in rows(lines) if isinstance(row, Item)} == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[\n{"itemID": "a", "TaskID": "s"}]', "line 2: missing field TaskScript"),
        ('[\n{"itemID": "a", "TaskID": "s", "TaskScript": "x"},\n', "line 3: the JSON array has no end"),
        ('[\n{"itemID": "a", "TaskID": "s", "TaskScript": "x"}\n]\n{}', "line 3: there is something behind the end"),
        ('[\n{"itemID": "a",\n "TaskID" "s"},\n{}]\n', "line 2: not JSON: Expecting ':' delimiter"),
        ('[{"itemID": "a", "TaskID": "s", "TaskScript": "x"}, 1]', "line 1: not a JSON object"),
        ('["a"]\n', "line 1: not a JSON object"),
    ],
)
def test_a_json_array_that_is_broken_is_reported_at_its_line(text: str, says: str) -> None:
    """Also one that was cut off."""
    assert reason(text).startswith(says)


def test_line_ends_of_windows_do_not_reach_a_shell() -> None:
    """In no form of a script."""
    lines = (
        {"itemID": "a", "TaskID": "s", "TaskScript": "if x; then\r\ny\r\nfi\r\n"},
        {"itemID": "b", "TaskID": "s", "TaskScript": ["x\r\ny"]},
        {"itemID": "c", "TaskID": "s", "TaskScript": {"Task_0": "x\r\ny"}},
    )

    assert scripts(map(orjson.dumps, lines)) == {"a": "if x; then\ny\nfi", "b": "x\ny", "c": "x\ny"}


@pytest.mark.parametrize(("delimiter", "args"), [(";", "1;2 3;4"), (" ", "1  2\t3 "), ("::", "1::2,3"), ("\t", "1\t2")])
def test_arguments_may_be_separated_by_other_text(delimiter: str, args: str) -> None:
    """Blanks in any number."""
    [item] = rows(f"itemID|TaskID|TaskScript|TaskArgs\na|s|x|{args}\n", Format(nested=True, args_delimiter=delimiter))
    assert isinstance(item, Item)

    assert [task.script for task in item.tasks] == [
        f"x {word.strip()}" for word in (args.split() if delimiter == " " else args.split(delimiter))
    ]


@given(st.integers(1, 7), st.integers(1, 9))
def test_an_item_is_split_into_items_of_few_tasks(most: int, tasks: int) -> None:
    """All tasks are there, in order; an item that is small enough keeps its id."""
    args = [str(number) for number in range(tasks)]
    found = rows(f"itemID|TaskID|TaskScript|TaskArgs\na|s|x|{','.join(args)}\n", Format(split=most))
    parts = [row for row in found if isinstance(row, Item)]

    assert [task.script for item in parts for task in item.tasks] == [f"x {arg}" for arg in args]
    assert [item.argument(task) for item in parts for task in item.tasks] == args
    assert all(len(item.tasks) <= most and item.tasks[0].name == "Task_0" for item in parts)
    assert [item.item_id for item in parts] == (["a"] if tasks <= most else [f"a-{k + 1}" for k in range(len(parts))])


def test_parts_of_an_item_meet_no_other_item() -> None:
    """An id that is taken is a problem."""
    text = "itemID|TaskID|TaskScript|TaskArgs\na-1|s|x|1\na|s|x|1,2\n"

    assert "itemID 'a-1' is already on line 2" in reason(text, Format(split=1))


SAME, OTHER = "this is the header once more", "this is the header of another table"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("itemID|TaskID|TaskScript\na|s|x\nitemID|TaskID|TaskScript\nb|s|y\n", f"line 3: {SAME}"),
        ("itemID,TaskID,TaskScript\na,s,x\n\ufeffitem_id,taskid,taskscript\nb,s,y\n", f"line 3: {SAME}"),
        ('itemID\tTaskID\tTaskScript\na\ts\tx\n"itemID"\t"TaskID"\t"TaskScript"\n', f"line 3: {SAME}"),
        ("itemID|TaskID|TaskScript\nitemID|TaskID|TaskScript|TaskArgs\nb|s|true|1,2\n", f"line 2: {OTHER}"),
        ("itemID|TaskID|TaskScript|TaskArgs\na|s|x|1\nitemID|TaskID|TaskScript\nb|s|y\n", f"line 3: {OTHER}"),
        ("itemID,TaskID,TaskScript\na,s,x\nTaskScript;itemID;TaskID\ny;b;s\n", f"line 3: {OTHER}"),
        ("#itemID|TaskID|TaskScript\na|s|x\n#itemID|TaskID|TaskScript|TaskArgs\nb|s|y|1\n", f"line 3: {OTHER}"),
        ("itemID|TaskID|TaskScript\na|s|xitemID|TaskID|TaskScript\nb|s|y\n", "line 2: the header stands once more"),
        ("echo 1\nitemID|TaskID|TaskScript\n", "line 2: this is a header, and would run as a command"),
    ],
)
def test_a_second_header_is_no_item(text: str, says: str) -> None:
    """Two files in one: whether their columns are equal or not, an error names the line and says what to do."""
    assert reason(text).startswith(says)


def test_a_header_is_no_item_of_a_file_without_one() -> None:
    """Whatever the person says of the file."""
    assert "leave out `no_header`" in reason("a|s|x\nitemID|TaskID|TaskScript\n", Format(header=False))


def test_a_comment_that_repeats_the_header_or_keeps_an_older_one_is_a_comment() -> None:
    """What stands behind `#` is no header where nothing below it would be read otherwise."""
    text = "itemID|TaskID|TaskScript\n#itemID|TaskID|TaskScript|TaskArgs\na|s|x\n#itemID|TaskID|TaskScript\nb|s|y\n"

    assert scripts(text) == {"a": "x", "b": "y"}


@pytest.mark.parametrize("row", ["s,t", "S,other", "t,s", "\ufeffs,t"])
def test_a_second_header_of_a_parameter_table_is_no_item(row: str) -> None:
    """The names of columns where their values should be."""
    form = Format(template=ItemTemplate(id="{s}", script="x {t}"))

    assert reason(f"s,t\nA,x\n{row}\nB,y\n", form).startswith("line 3: this is a header once more; remove this line")
    assert scripts("s,t\nA,s\nB,t\n", form) == {"A": "x s", "B": "x t"}
