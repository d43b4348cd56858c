"""Task files: which lines become items, and what is reported for the others."""

from __future__ import annotations

import io
from datetime import timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.items import Item
from pyanamo_async.core.taskfile.lines import MAX_LINE_BYTES
from pyanamo_async.core.taskfile.parameters import ItemTemplate
from pyanamo_async.core.taskfile.parser import Format, Problem, kind_of, parse

ORIGINAL_SINGLE = """
itemID|TaskID|TaskScript
Seq_Test_1|Task_1|seq 3
Seq_Test_2|Task_2|seq 1
"""
ORIGINAL_NESTED = """
itemID|TaskID|TaskScript|TaskArgs
Seq_Test_5|Task_5|seq|8,2,1
Climb_1|Task_9|bash climb.sh|Easy,Normal,Hard
"""
HEADER = "itemID|TaskID|TaskScript\n"


def rows(text: str | bytes, *, delimiter: str = "", nested: bool = False, header: bool = True) -> list[Item | Problem]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(parse(io.BytesIO(data), Format(delimiter=delimiter, nested=nested, header=header)))


def items(text: str | bytes, *, delimiter: str = "", nested: bool = False, header: bool = True) -> list[Item]:
    found = rows(text, delimiter=delimiter, nested=nested, header=header)
    assert [row for row in found if isinstance(row, Problem)] == []
    return [row for row in found if isinstance(row, Item)]


def only_item(text: str | bytes, *, delimiter: str = "", nested: bool = False, header: bool = True) -> Item:
    [item] = items(text, delimiter=delimiter, nested=nested, header=header)
    return item


def problem(text: str | bytes, *, delimiter: str = "", nested: bool = False, header: bool = True) -> Problem:
    [found] = [row for row in rows(text, delimiter=delimiter, nested=nested, header=header) if isinstance(row, Problem)]
    return found


def scripts(item: Item) -> dict[str, str]:
    return {task.name: task.script for task in item.tasks}


def test_single_items_of_the_original() -> None:
    """The original's file of single items, with its blank first line, becomes single items."""
    first, second = items(ORIGINAL_SINGLE)

    assert (first.item_id, first.sample, first.nested) == ("Seq_Test_1", "Task_1", False)
    assert scripts(first) == {"Task_0": "seq 3"}
    assert scripts(second) == {"Task_0": "seq 1"}


@pytest.mark.parametrize("nested", [True, False])
def test_nested_items_of_the_original(nested: bool) -> None:
    """Each argument with the script is a task; the column `TaskArgs` is enough to make items nested."""
    first, second = items(ORIGINAL_NESTED, nested=nested)

    assert first.nested
    assert scripts(first) == {"Task_0": "seq 8", "Task_1": "seq 2", "Task_2": "seq 1"}
    assert scripts(second)["Task_2"] == "bash climb.sh Hard"
    assert [first.argument(task) for task in first.tasks] == ["8", "2", "1"]
    assert [second.argument(task) for task in second.tasks] == ["Easy", "Normal", "Hard"]


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", "::", " | ", "~", "|", "->"])
def test_any_delimiter_is_found_in_the_header(delimiter: str) -> None:
    """The text between the names of the header is the delimiter."""
    text = f"{delimiter.join(('itemID', 'TaskID', 'TaskScript'))}\n{delimiter.join(('a', 's', 'true'))}\n"

    item = only_item(text)

    assert (item.item_id, item.sample, scripts(item)) == ("a", "s", {"Task_0": "true"})


def test_a_delimiter_of_letters_can_be_given() -> None:
    """A given delimiter takes precedence over the one in the header."""
    assert scripts(only_item("itemIDxTaskIDxTaskScript\naxsxtrue\n", delimiter="x"))["Task_0"] == "true"


def test_columns_may_have_any_case_and_order() -> None:
    """Case, underscores and order of the columns do not matter."""
    item = only_item("TASKID|Item_ID|max_failures|timeout|Priority|taskscript\ns|a|1|90m|0|true\n")

    assert (item.item_id, item.sample) == ("a", "s")
    assert (1, timedelta(minutes=90), 0) == (item.max_failures, item.timeout, item.priority)


def test_empty_fields_keep_the_defaults() -> None:
    """An empty MaxFailures, Timeout or Priority means the default."""
    item = only_item("itemID|TaskID|MaxFailures|Timeout|Priority|TaskScript\na|s||||true\n")

    assert (item.max_failures, item.timeout, item.priority) == (None, None, 5)


def test_the_last_column_takes_the_rest_when_it_is_the_script() -> None:
    """A script in the last column may contain the delimiter."""
    assert scripts(only_item(HEADER + "a|s|sort x | uniq -c | head\n"))["Task_0"] == "sort x | uniq -c | head"


@pytest.mark.parametrize("text", ["\ufeffitemID|TaskID|TaskScript\r\n\r\na|s|true\r\n", HEADER + "a|s|true"])
def test_marks_of_other_systems_are_not_content(text: str) -> None:
    """A byte order mark, CRLF, blank lines and a missing last newline change nothing."""
    assert scripts(only_item(text)) == {"Task_0": "true"}


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_fields_may_be_quoted_as_in_csv(delimiter: str) -> None:
    """A quoted field may hold delimiters, and doubled quotes for quotes."""
    header = delimiter.join(('"itemID"', '"TaskID"', '"TaskScript"', '"TaskArgs"'))
    row = delimiter.join(('"a,1"', "s", '"echo ""x"" "', '"1,2"'))

    item = only_item(f"{header}\n{row}\n")

    assert item.item_id == "a,1"
    assert scripts(item) == {"Task_0": 'echo "x" 1', "Task_1": 'echo "x" 2'}


def test_a_script_that_only_begins_with_a_quoted_word_is_taken_as_it_is() -> None:
    """Only a field that is quoted as a whole is unquoted: shell scripts are full of quotes."""
    assert scripts(only_item('itemID,TaskID,TaskScript\na,s,"$HOME/my prog" 1,2\n'))["Task_0"] == '"$HOME/my prog" 1,2'


def test_quotes_are_just_quotes_with_other_delimiters() -> None:
    """With `|` a quoted script keeps its quotes."""
    assert scripts(only_item(HEADER + 'a|s|"my prog"\n'))["Task_0"] == '"my prog"'


def test_without_a_header_the_columns_have_their_usual_order() -> None:
    """The usual order is itemID, TaskID, TaskScript, and TaskArgs with `nested`."""
    assert scripts(only_item("a|s|seq 3 | wc\n", header=False))["Task_0"] == "seq 3 | wc"
    assert len(only_item("a;s;seq;3,4\n", header=False, nested=True).tasks) == 2


def test_without_a_header_an_ambiguous_delimiter_is_refused() -> None:
    """The problem names the argument that resolves the ambiguity."""
    assert "set `delimiter`" in problem("a|s|echo 1;echo 2;echo 3\n", header=False).reason


def test_json_lines() -> None:
    """An object may have one script, a list of scripts, named scripts, or one with arguments."""
    text = b"\n".join(
        orjson.dumps(row)
        for row in (
            {"itemID": "a", "TaskID": 7, "TaskScript": "echo 'two\nlines'"},
            {"itemid": "b", "taskid": "s", "taskscript": ["x", "y"], "Timeout": 90, "Priority": 1},
            {"itemID": "c", "TaskID": "s", "TaskScript": {"Task_10": "ten", "Task_9": "nine"}},
            {"itemID": "d", "TaskID": "s", "TaskScript": "seq", "TaskArgs": ["1", "2,3"]},
        )
    )

    a, b, c, d = items(text)

    assert (a.sample, a.nested, a.tasks[0].script) == ("7", False, "echo 'two\nlines'")
    assert (True, {"Task_0": "x", "Task_1": "y"}, timedelta(seconds=90)) == (b.nested, scripts(b), b.timeout)
    assert [task.script for task in c.tasks] == ["nine", "ten"]
    assert scripts(d) == {"Task_0": "seq 1", "Task_1": "seq 2,3"}
    assert [item.argument(item.tasks[-1]) for item in (a, b, c, d)] == [None, None, None, "2,3"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a|s", "missing field TaskScript"),
        ("|s|true", "missing field itemID"),
        ("a||true", "missing field TaskID"),
        ("a|s|", "empty script"),
        ("a|s|  ", "empty script"),
        ("a\x1b|s|true", "unprintable"),
        (f"{'ä' * 1025}|s|true", "longer than 2048 bytes"),
        (f"a|{'s' * 1025}|true", "longer than 1024 bytes"),
        ("a|s|true\0", "NUL"),
        (f"a|s|: {'x' * 131072}", "put it in a file"),
    ],
)
def test_an_invalid_line_is_reported_with_its_number_and_reason(line: str, reason: str) -> None:
    """The lines around it are still parsed."""
    found = rows(f"{HEADER}good|s|true\n\n{line}\nbetter|s|true\n")

    good, bad, better = found
    assert isinstance(good, Item)
    assert isinstance(better, Item)
    assert isinstance(bad, Problem)
    assert bad.line == 4
    assert reason in bad.reason


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("MaxFailures", "0", "from 1 to 1000"),
        ("MaxFailures", "three", "from 1 to 1000"),
        ("Memory", "0", "from 1 MiB to 1 PiB"),
        ("Memory", "30", "from 1 MiB to 1 PiB; a number without a unit is bytes"),
        ("Folders", "checkpoints", "'checkpoints' is none of checkpoint, results, scratch"),
        ("Priority", "10", "from 0 to 9"),
        ("Priority", "-1", "from 0 to 9"),
        ("Timeout", "soon", "not a duration"),
        ("Timeout", "0", "zero"),
    ],
)
def test_invalid_numbers_and_durations_are_refused(column: str, value: str, reason: str) -> None:
    """The reason says what is allowed."""
    assert reason in problem(f"itemID|TaskID|{column}|TaskScript\na|s|{value}|true\n").reason


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a|s|seq|1,,2", "argument 2 of TaskArgs is empty"),
        ("a|s|seq|1,2,", "argument 3 of TaskArgs is empty"),
        ("a|s|seq|", "missing field TaskArgs"),
        ("a|s|seq", "missing field TaskArgs"),
        ("a|s||1,2", "empty script"),
        ("a|s|seq 1 | wc|1", "5 fields for 4 columns"),
    ],
)
def test_invalid_nested_rows_are_refused(row: str, reason: str) -> None:
    """With `nested` every row needs a script and arguments, none of them empty."""
    assert reason in problem(f"itemID|TaskID|TaskScript|TaskArgs\n{row}\n", nested=True).reason


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{", "not JSON"),
        ('["a", "s", "true"]', "not a JSON object"),
        ('{"itemID": "a", "TaskID": "s"}', "missing field TaskScript"),
        ('{"itemID": null, "TaskID": "s", "TaskScript": "x"}', "missing field itemID"),
        ('{"itemID": ["a"], "TaskID": "s", "TaskScript": "x"}', "itemID is not text"),
        ('{"itemID": true, "TaskID": "s", "TaskScript": "x"}', "itemID is not text"),
        ('{"itemID": "a", "TaskID": "s", "TaskScript": []}', "a list of scripts"),
        ('{"itemID": "a", "TaskID": "s", "TaskScript": 1}', "a list of scripts"),
        ('{"itemID": "a", "TaskID": "s", "TaskScript": {"first": "x"}}', "Task_0"),
        ('{"itemID": "a", "TaskID": "s", "TaskScript": {"Task_01": "x"}}', "Task_0"),
        ('{"itemID": "a", "TaskID": "s", "TaskScript": ["x", ""]}', "empty script"),
        ('{"itemID": "a", "TaskID": "s", "TaskScript": ["x", 2]}', "the script of Task_1 is not text"),
        ('{"itemID": "a", "TaskID": "s", "TaskScript": ["x"], "TaskArgs": "1"}', "needs a single TaskScript"),
        ('{"itemID": "a", "TaskID": "s", "TaskScript": "x", "TaskArgs": 1}', "TaskArgs must be text"),
        ('{"itemID": "a", "TaskID": "s", "TaskScript": "x", "Priority": 1.5}', "from 0 to 9"),
        ('{"itemID": "a", "TaskID": "s", "TaskScript": "x", "Timeout": true}', "not a duration"),
        ('{"itemID": "a", "TaskID": "s", "TaskScript": "x", "Foo": 1}', "unknown column 'Foo'"),
        ('{"itemID": "a", "itemid": "b", "TaskID": "s", "TaskScript": "x"}', "there twice"),
        ('{"itemID": "a", "TaskID": "s", "TaskScript": "\\ud800"}', "not JSON"),
    ],
)
def test_invalid_json_rows_are_refused(row: str, reason: str) -> None:
    """JSON rows obey the same rules, and problems name their line."""
    bad = problem('{"itemID": "good", "TaskID": "s", "TaskScript": "true"}\n' + row + "\n")

    assert bad.line == 2
    assert reason in bad.reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Seq_Test_1|Task_1|seq 3", "set `no_header`"),
        ("itemID|TaskScript", "missing column TaskID"),
        ("itemID|TaskID|TaskScript|Colour", "unknown column 'Colour'; the columns are"),
        ("itemID|TaskID|Task_Scrpt", "unknown column 'Task_Scrpt'; did you mean TaskScript? the columns are"),
        ("itemID|TaskID|TaskScript|ItemID", "column itemID is there twice"),
        ("itemID", "missing column TaskID"),
        ('itemID"TaskID"TaskScript', "unknown column"),
        ("sample;fastq_1", "set `no_header`"),
        ("itemID,TaskID,Sex,TaskScript", "give a `script`"),
        ("timeout 5 true", "if each line is a command, `lines`"),
    ],
)
def test_an_invalid_header_is_the_only_problem(header: str, reason: str) -> None:
    """Without a header the other lines mean nothing, so none of them is reported."""
    [bad] = rows(f"\n{header}\na\n|\n")

    assert isinstance(bad, Problem)
    assert bad.line == 2
    assert reason in bad.reason


def test_a_duplicate_names_the_line_of_the_first() -> None:
    """An id may be in a file only once."""
    bad = problem(f"{HEADER}a|s|true\nb|s|true\na|s|false\n")

    assert Problem(4, "itemID 'a' is already on line 2") == bad


def test_a_line_that_is_not_utf8_is_reported() -> None:
    """The reason names the byte and its column."""
    bad = problem(HEADER.encode() + b"a|s|caf\xe9\nb|s|true\n")

    assert Problem(2, "not UTF-8: byte 0xe9 at column 8") == bad


def test_an_unclosed_quote_is_reported() -> None:
    """A CSV field cannot span lines."""
    assert "unclosed quote" in problem('itemID,TaskID,TaskScript\na,s,"one\n').reason


def test_a_line_that_is_too_long_is_reported() -> None:
    """A line that was cut off at the limit does not become an item."""
    assert problem(HEADER.encode() + b"a" * (MAX_LINE_BYTES + 1)).reason == "longer than 4 MiB"


def test_no_lines_no_items() -> None:
    """An empty file, or one of blank lines, has neither items nor problems."""
    assert rows("") == []
    assert rows("\n \n\t\n") == []
    assert rows(HEADER) == []


WORDS = [
    b"itemID",
    b"TaskID",
    b"TaskScript",
    b'"',
    b"|",
    b",",
    b"\t",
    b" ",
    b"#",
    b";",
    b"\n",
    b"\r",
    b"[",
    b"{",
    b"]",
    b"}",
]
NAMED = st.lists(st.sampled_from([*WORDS, b"sep=;\n", b"{a}", b"a,b\n", b'{"itemID": "x"}', b":"])).map(b"".join)
FORMS = st.builds(
    Format,
    delimiter=st.sampled_from(["", ",", "::"]),
    nested=st.booleans(),
    header=st.booleans(),
    lines=st.booleans(),
    template=st.none()
    | st.builds(ItemTemplate, id=st.sampled_from(["{a}", "x"]), script=st.sampled_from(["{a} {b:raw}", "x"])),
    split=st.integers(0, 2),
)


@given(st.binary(max_size=200) | NAMED, st.sampled_from([b"", HEADER.encode(), b"a,b\n"]), FORMS)
def test_whatever_a_file_holds_each_line_is_an_item_or_a_problem(data: bytes, first: bytes, form: Format) -> None:
    """No file makes the parser fail, whatever its header and whatever the person says of it."""
    found = list(parse(io.BytesIO(first + data), form))

    assert kind_of(io.BytesIO(first + data), form) is not None or len(found) == 1
    assert all(isinstance(each, Item | Problem) for each in found)


FIELD = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=20)


@given(st.lists(st.tuples(FIELD, FIELD, FIELD), min_size=1, max_size=5, unique_by=lambda row: row[0]))
def test_fields_without_quotes_are_taken_as_they_are(table: list[tuple[str, str, str]]) -> None:
    """Rows with tabs between their fields keep every character."""
    plain = [row for row in table if '"' not in "".join(row) and not row[0].startswith("#")]
    text = "".join(f"{item_id}\t{sample}\t{script}\n" for item_id, sample, script in plain)

    found = items(f"itemID\tTaskID\tTaskScript\n{text}")

    assert plain == [(item.item_id, item.sample, item.tasks[0].script) for item in found]
