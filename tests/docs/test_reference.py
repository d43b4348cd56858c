"""Reference pages say what the program does: attributes, variables, exit statuses, settings for S3."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import pyanamo_async
from harness.program import ROOT, Program, program
from pyanamo_async.app.script_environment import REPLACEMENTS, WITHHELD
from pyanamo_async.app.settings import DEFAULT_KEY
from pyanamo_async.cli.main import DEBUG
from pyanamo_async.core import trace
from pyanamo_async.core.expressions.fields import DERIVED, FIELDS
from pyanamo_async.core.expressions.parser import parse_expression
from pyanamo_async.core.folders import Folder
from pyanamo_async.core.items import Held, Item, Output, State, Task, TaskRecord
from pyanamo_async.core.memory.measure import Measure
from pyanamo_async.core.outcomes import InterruptReason, Outcome
from pyanamo_async.core.output_tail import OutputTail, TailChunk, TaskRef
from pyanamo_async.core.results import CheckpointUse, Results
from pyanamo_async.core.stored.record import encode
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Desired
from pyanamo_async.store.dynamodb import schema
from pyanamo_async.store.dynamodb.rows import place
from pyanamo_async.store.sqlite import SqliteStore
from tests.contract.steps import a_worker
from tests.docs.cli_reference import leaves, options, root, variables
from tests.docs.pages import DECISIONS, DOCS, blocks, codes, rows, section
from tests.fakes import NOON, an_item
from tests.outcomes import OUTCOMES

TABLE = DOCS / "reference" / "table.md"
EXPRESSIONS = DOCS / "reference" / "expressions.md"
ENVIRONMENT = DOCS / "reference" / "environment.md"
EXIT_STATUSES = DOCS / "reference" / "exit-statuses.md"
CLEANING_UP = DOCS / "guide" / "cleaning-up.md"
ON_AWS = DOCS / "guide" / "aws.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"

MEANINGS = {
    "0": "nothing is left",
    "3": "`failed`",
    "75": "interrupted",
    "2": "invalid usage",
    "1": "worker itself failed",
}
ITEM_SHAPED = {"TaskScript", "Log"}  # maps whose members have tables of their own


def _documented(page: Path, heading: str) -> set[str]:
    """Return what stands as code in the first cells of the tables of a section."""
    return {word for row in rows(section(page, heading))[1:] for word in codes(row[0])}


def _a_record(outcome: Outcome) -> TaskRecord:
    stream = Output(text="end\n", at="s3://bucket/key", size_bytes=10_000, lines=100, status="not stored: a reason")
    return TaskRecord(
        outcome=outcome,
        started=NOON,
        finished=NOON,
        seconds=1.0,
        attempt=1,
        worker="w1",
        max_rss_bytes=1,
        max_rss_by=Measure.PSS,
        cpu_seconds=1.0,
        stdout=replace(stream, tags=2, tags_cut=1),
        stderr=stream,
        results=Results("s3://bucket/results/", 1, 1),
        checkpoint=CheckpointUse("2/1", 1, 1, 1.0, "1/1", 1.0, True),
    )


def _full_items() -> Iterable[Item]:
    """Make items with nothing left at its default, single and nested."""
    fields: dict[str, Any] = {
        "sample": "s",
        "priority": 0,
        "max_failures": 1,
        "timeout": timedelta(seconds=9),
        "memory_bytes": 1,
        "cpus": 2,
        "folders": frozenset(Folder),
        "memory_need_bytes": 1,
        "oom_kills": 1,
        "memory_class": 1,
        "evictions": 1,
        "last_attempts": True,
        "attempt": 1,
        "token": "t",
        "worker": "w1",
        "locked_at": NOON,
        "done_at": NOON,
        "not_before": NOON,
        "held": Held(),
        "crashes": 1,
        "interruptions": 1,
        "wall_time_kills": 1,
        "seconds_lost": 1.5,
        "seconds_saved": 1.5,
        "mark": "5eed0123",
        "args_at": 1,
        "reason": "a reason",
        "history": ("older",),
    }
    for outcome in OUTCOMES:
        task = Task("Task_0", "true", attempts=1, failures=1, record=_a_record(outcome), checkpoint_from=1)
        yield Item(item_id="single", tasks=(task,), **fields)
        yield Item(item_id="nested", tasks=(task,), nested=True, **fields)


def test_item_attributes_are_documented() -> None:
    """Exactly those that an item row may have."""
    stored = {name for item in _full_items() for name in encode(item) | place(item, shards=1, tiebreak="x")}

    assert stored == _documented(TABLE, "Item rows")


def test_attributes_of_nested_tasks_are_documented() -> None:
    """Exactly those of a member of `TaskScript`."""
    stored = {name for item in _full_items() if item.nested for name in encode(item)["TaskScript"]["Task_0"]}

    assert stored == _documented(TABLE, "Tasks of a nested item")


def test_record_attributes_are_documented() -> None:
    """Exactly those of a record, whatever the outcome; each outcome and each reason by name."""
    records = [encode(item)["Log"] for item in _full_items() if not item.nested]

    assert {name for record in records for name in record} == _documented(TABLE, "Task records")
    text = section(TABLE, "Task records")
    words = {record["Status"] for record in records} | {str(why) for why in InterruptReason}
    assert [word for word in words if f"`{word}`" not in text] == []


def test_states_are_documented() -> None:
    """Each state that an item can be in."""
    [row] = [row for row in rows(section(TABLE, "Item rows")) if "`ItemState`" in row]

    assert {str(state) for state in State} == set(codes(row[2]))


async def test_rows_of_workers_and_of_the_table_are_documented(dynamodb_endpoint: str) -> None:
    """Exactly what DynamoDB holds after a worker was ordered, followed, and told of new items."""
    from harness.dynamodb import dynamo_client, dynamo_store

    task = TaskRef("a", "Task_0", 1)
    async with dynamo_store(dynamodb_endpoint) as store, dynamo_client(dynamodb_endpoint) as dynamodb:
        worker = a_worker("w1", job="job", process="boot ns 7 99")
        await store.heartbeat(worker)
        await store.order("w1", Desired.DRAIN)
        await store.order_release("w1", ["token"])
        await store.follow("w1", task, until=NOON + timedelta(seconds=9))
        await store.publish(task, OutputTail(TailChunk(b"x", 1), TailChunk()), now=NOON)
        await store.mark_dead(worker)
        await store.add([an_item("a", memory_class=1)])
        await store.notify(now=NOON)
        await store.leave_last_attempts(3)
        scanned = await dynamodb.scan(TableName=(await store.describe()).table)
        stored = {row["itemID"]["S"]: row.keys() - {"itemID"} for row in scanned["Items"]}

    assert stored["#worker#w1"] == _documented(TABLE, "Worker rows")
    assert stored["#table"] == _documented(TABLE, "The table row")
    [live] = [names for item_id, names in stored.items() if item_id.startswith("#tail#")]
    assert [name for name in live if f"`{name}`" not in section(TABLE, "Worker rows")] == []


async def test_columns_of_a_sqlite_file_are_documented(tmp_path: Path) -> None:
    """Each column of each table, by name; those of workers are the attributes of a worker row."""
    import sqlite3

    store = SqliteStore(tmp_path / "step.db")
    await store.create(shards=1)
    await store.close()
    known = set(codes(section(TABLE, "A SQLite file"))) | _documented(TABLE, "Worker rows")

    with sqlite3.connect(tmp_path / "step.db") as connection:
        columns = connection.execute(
            "SELECT found.name, its.name FROM sqlite_master found, pragma_table_info(found.name) its"
            " WHERE found.type = 'table'"
        ).fetchall()
    assert [f"{table}.{column}" for table, column in columns if not {table, column} <= known] == []


def test_the_form_of_a_table_is_the_one_that_is_created() -> None:
    """Whoever creates it with other tools creates the same."""
    [form] = blocks(TABLE, "json")

    assert json.loads(form) == {name: value for name, value in schema.creation("t").items() if name != "TableName"}


def test_columns_of_a_trace_are_documented() -> None:
    """All of them, and those of a joblog."""
    text = section(TABLE, "Rows of `pyanamo trace`")

    assert [name for name in (*trace.COLUMNS, *trace.JOBLOG_COLUMNS) if f"`{name}`" not in text] == []


def test_fields_of_expressions_are_documented() -> None:
    """Exactly those that exist, with what they hold and mean."""
    fields = [(field.name, field.kind, field.about) for field in FIELDS]

    assert [[f"`{name}`", str(kind), about] for name, kind, about in (*fields, *DERIVED)] == rows(
        section(EXPRESSIONS, "Fields")
    )[1:]


def test_expressions_of_the_page_are_expressions() -> None:
    """Those in code blocks, and those in the first column of comparisons."""
    comparisons = rows(section(EXPRESSIONS, "Comparisons"))[1:]

    for text in [*blocks(EXPRESSIONS, "text"), *(code for row in comparisons for code in codes(row[0]))]:
        assert parse_expression(text).text == text


def test_variables_that_commands_read_are_documented() -> None:
    """Exactly those of all options, each beside its option."""
    read = {
        (variable, option.opts[-1])
        for _, command in leaves(root())
        for option in options(command)
        for variable in variables(option)
    }
    told = {
        (variable, option)
        for row in rows(section(ENVIRONMENT, "What commands read"))[1:]
        for variable in codes(row[0])
        for option in codes(row[1]) or [""]
    }

    assert read | {(DEBUG, "")} == told


def test_variables_that_scripts_get_are_documented(tmp_path: Path) -> None:
    """Exactly those that a script finds and that begin with PYANAMO_."""
    on_sqlite: Program = program(tmp_path, table="sqlite:step.db", bucket="file:logs", env={})
    on_sqlite.import_rows("a|s|env # PYANAMO_RESULTS PYANAMO_CHECKPOINT")
    on_sqlite("run")

    got = set(re.findall(r"^(PYANAMO_\w+)=", on_sqlite("logs", "a"), re.MULTILINE))
    assert got == _documented(ENVIRONMENT, "What scripts see")


def test_variables_that_are_withheld_are_documented() -> None:
    """Whoever relies on `--no-task-credentials` reads exactly what it does."""
    told = set(codes(section(ON_AWS, "Credentials of scripts")))

    assert WITHHELD | REPLACEMENTS.keys() <= told


def test_exit_statuses_of_run_are_documented() -> None:
    """The table has those of `run --help`, each with what it means."""
    told = {row[0]: row[1] for row in rows(section(EXIT_STATUSES, "Exit statuses")) if row[0].isdigit()}
    [run] = [command for path, command in leaves(root()) if path == ("run",)]

    assert set(re.findall(r"^ +(\d+) ", run.epilog, re.MULTILINE)) == told.keys()
    assert {status: word for status, word in MEANINGS.items() if word not in told[status]} == {}


def test_the_lifecycle_rule_is_one_that_s3_takes(tmp_path: Path, bucket: str, moto_endpoint: str) -> None:
    """As it is documented; it covers what the default `--bucket-key` is the beginning of."""
    [rules] = blocks(CLEANING_UP, "json")
    s3 = program(tmp_path, table="t", bucket=bucket, env={"AWS_ENDPOINT_URL_S3": moto_endpoint}).client("s3")

    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=json.loads(rules))

    [rule] = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (rule["Status"], rule["Filter"]["Prefix"]) == ("Enabled", f"{DEFAULT_KEY}/")
    assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7


def test_the_map_names_every_room() -> None:
    """Exactly the folders of the package."""
    rooms = {f"{path.parent.name}/" for path in (ROOT / "pyanamo_async").glob("*/__init__.py")}

    assert rooms == {
        word for row in rows(section(CONTRIBUTING, "The map"))[1:] for word in codes(row[0]) if word.endswith("/")
    }


def test_the_map_beside_the_code_names_every_room_and_module() -> None:
    """Exactly the folders and the modules at the top of the package."""
    package = ROOT / "pyanamo_async"
    folders = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    modules = {path.name for path in package.glob("*.py") if not path.name.startswith("__")}

    named = re.findall(r"^(\w+(?:/|\.py)) +\w", pyanamo_async.__doc__ or "", re.MULTILINE)
    assert sorted(folders | modules) == sorted(named)


def test_every_page_is_in_the_menu() -> None:
    """Decisions are found by their index, all others by the menu."""
    menu = (ROOT / "mkdocs.yml").read_text()
    pages = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if page not in DECISIONS]

    assert [page for page in pages if f": {page}\n" not in menu] == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_json_of_a_page_is_json(page: Path) -> None:
    """A document, or one for each line."""
    for block in blocks(page, "json"):
        try:
            json.loads(block)
        except ValueError:
            for line in block.splitlines():
                json.loads(line)
