"""The commands that take the place of the original's methods give what its documentation promises.

Each row of the page is carried out as it stands, on a copy of one table. What is expected is computed from the stored
rows by the original's rules: by the names of attributes and states that it and ours share.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.servers.clients import client
from pyanamo_async import Table, Worker
from pyanamo_async.store.sqlite import SqliteStore
from tests.aws.test_batch import submit
from tests.cli.conftest import Cli, Said, process
from tests.cli.test_changing import lock
from tests.docs.pages import DOCS, codes, rows, section

PAGE = DOCS / "reference" / "from-pyanamo.md"
METHODS = """
check_table create_workflow_table delete_workflow_table import_item import_items import_nested_item itemCounter
getToDoItems monitor_task summarize_nestedTasks monitor_nestedTasks updateItemStates reset_itemState
updateNestedItemState reset_itemNests reset_AllNests delete_singleItem delete_nestedTasks clear_nestedTasks
getItem_JobStates set_hardProvision setAutoScalingTarget putScalingPolicy getCurrentState getLockID import_from_file
handle_DynamoTable set_dynamoProperty readFile read_jsonFile recursiveGet
"""
TABLE = [row for row in rows(section(PAGE, "Its methods")) if not row[0].startswith(("to ", "on AWS", "steps "))]

FILES = {
    "items.txt": "itemID|TaskID|TaskScript\nSeq_Test_11|Task_11|seq 10\nSeq_Test_12|Task_12|seq 12\n"
    "Fails|Sample2|echo no reference >&2; exit 3\n",
    "nests.txt": "itemID|TaskID|TaskScript|TaskArgs\nSeq_Test_7|Task_7|seq|3\nSeq_Test_9|Task_9|seq|15,16,17,3\n"
    "Seq_Test_10|Task_10|seq|3,2,4,6,5\nCalls|Sample1|sh call.sh|chr1,chr2,chr3,chr4\n",
    "call.sh": "[ $1 = chr4 ] && { echo no reads >&2; exit 1; }\nprintf 'PyAnamo:\\t%s\\t%s\\n' $1 ${#1}\n",
    "later.txt": "itemID|TaskID|TaskScript\nTodo_1|Later|seq 1\nHeld_1|Later|seq 1\n",
    "item.txt": "itemID|TaskID|TaskScript\nNew_1|Task_1|seq 10\n",
    "nested.txt": "itemID|TaskID|TaskScript|TaskArgs\nNew_2|Task_2|seq|10,12,14\n",
    "lines.txt": "New_3|Task_3|seq 10\nNew_4|Task_4|seq 12\n",
    "nested-lines.txt": "New_5|Task_5|seq|3\nNew_6|Task_6|seq|8,7\n",
}
Row = dict[str, Any]
Rows = dict[str, Row]


@dataclass
class Done:
    """What the commands of a row printed, and the table before and after them."""

    said: list[Said]
    before: Rows
    after: Rows
    folder: Path

    def json(self, number: int = 0) -> Any:  # noqa: ANN401 - whatever it is
        return self.said[number].json()

    def lines(self, number: int = 0) -> list[Any]:
        assert self.said[number].status == 0, self.said[number].err
        return [json.loads(line) for line in self.said[number].out.splitlines()]


ON_AWS = [
    "`getItem_JobStates(table)`",
    "`set_hardProvision(table, 70, 70)`",
    "`setAutoScalingTarget(table, 70, 70)`, `putScalingPolicy(table, 40, 60, 60)`",
]
LAWS: dict[str, Callable[[Done], None]] = {}


def gives(method: str) -> Callable[[Callable[[Done], None]], Callable[[Done], None]]:
    """Say what a row must give, by the beginning of its first cell."""

    def keep(law: Callable[[Done], None]) -> Callable[[Done], None]:
        LAWS[method] = law
        return law

    return keep


@pytest.fixture(scope="module")
def after_a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of items that are done, failed, and to do."""
    folder = tmp_path_factory.mktemp("original")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    for name in ("items.txt", "nests.txt"):
        assert process("import", name, cwd=folder).status == 0
    assert process("run", "-q", "--max-failures", "1", cwd=folder).status == 3
    assert process("import", "later.txt", cwd=folder).status == 0
    return folder


@pytest.fixture
def copy(folder: Path, after_a_run: Path) -> Path:
    """A copy of it, as the current folder."""
    return Path(shutil.copytree(after_a_run, folder, dirs_exist_ok=True))


def test_every_method_of_the_original_is_named() -> None:
    """Those of its manager and of its client."""
    assert set(METHODS.split()) - set(re.findall(r"\w+", section(PAGE, "Its methods"))) == set()


def test_every_row_has_its_law() -> None:
    """And each law its row."""
    assert sorted([*LAWS, *ON_AWS]) == sorted(row[0] for row in TABLE)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_functions_of_the_page_are_those_of_a_table(row: list[str]) -> None:
    """By name."""
    names = [code.removeprefix("table.").removesuffix("()") for code in codes(row[3])]

    assert names
    assert [name for name in names if not hasattr(Table, name)] == []


def _type(cli: Cli, command: str) -> Said:
    _, *words = shlex.split(command)
    return process(*words) if words[0] == "run" else cli(*words)


def _rows(folder: Path) -> Rows:
    """Read the items as they are stored."""
    if not (folder / "pyanamo.db").exists():
        return {}
    with sqlite3.connect(folder / "pyanamo.db") as connection:
        found = [json.loads(row) for [row] in connection.execute("SELECT Row FROM items")]
    return {row["itemID"]: row for row in found if not row["itemID"].startswith("#")}


def _in_state(table: Rows, state: str) -> set[str]:
    return {item_id for item_id, row in table.items() if row["ItemState"] == state}


def _counts(table: Rows) -> Counter[str]:
    return Counter(row["ItemState"] for row in table.values())


def _ids(listed: list[Row]) -> list[str]:
    return sorted(row["itemID"] for row in listed)


def _same(done: Done, *changed: str) -> None:
    """See that the commands succeeded, and that all other items are as they were."""
    assert [(said.status, said.err) for said in done.said if said.status] == []
    others = done.before.keys() - {*changed}
    assert {name: done.after.get(name) for name in others} == {name: done.before[name] for name in others}


def _runs_again(done: Done, *item_ids: str) -> None:
    """See that items are to do, with all their tasks, and held by nobody."""
    _same(done, *item_ids)
    for item_id in item_ids:
        row = done.after[item_id]
        assert row["ItemState"] == "todo"
        assert [name for name in ("InstanceID", "Lock_Date", "Done_Date") if name in row] == []
        if "Nested_Tasks" in row:
            assert {task["Status"] for task in row["TaskScript"].values()} == {"todo"}
            assert row.get("Log_Length", 0) == 0


def _task_runs_again(done: Done, *item_ids: str, task: str = "Task_0") -> None:
    """See that of items this task alone is to do."""
    _same(done, *item_ids)
    for item_id in item_ids:
        old, new = done.before[item_id], done.after[item_id]
        assert (new["ItemState"], new["TaskScript"][task]["Status"]) == ("todo", "todo")
        rest = old["TaskScript"].keys() - {task}
        assert {name: new["TaskScript"][name] for name in rest} == {name: old["TaskScript"][name] for name in rest}


def _task_is_gone(done: Done, *item_ids: str, task: str = "Task_0") -> None:
    _same(done, *item_ids)
    for item_id in item_ids:
        assert done.after[item_id]["TaskScript"].keys() == done.before[item_id]["TaskScript"].keys() - {task}


def _are_gone(done: Done, *item_ids: str) -> None:
    _same(done, *item_ids)
    assert done.after.keys() == done.before.keys() - {*item_ids}


def _is_held(done: Done, *item_ids: str) -> None:
    _same(done, *item_ids)
    assert {done.after[item_id]["ItemState"] for item_id in item_ids} == {"Pending"}


def _imported(done: Done, **scripts: str | list[str]) -> None:
    """See that these items came in to be done, each with its script or those of its tasks; no other changed."""
    _same(done)
    assert done.after.keys() - done.before.keys() == scripts.keys()
    for item_id, script in scripts.items():
        row = done.after[item_id]
        assert (row["ItemState"], row.get("Log")) == ("todo", None)
        if isinstance(script, str):
            assert row["TaskScript"] == script
            continue
        assert row["Nested_Tasks"] == len(script)
        tasks = {name: (task["Status"], task["Script"]) for name, task in row["TaskScript"].items()}
        assert tasks == {f"Task_{number}": ("todo", each) for number, each in enumerate(script)}


def _quarters(table: Rows) -> dict[str, set[str]]:
    """Sort nested items by the share of their tasks that are done, as the original bounds it."""
    quarters: dict[str, set[str]] = {name: set() for name in ("todo", "1-25", "26-50", "51-75", "76-99", "done")}
    for item_id, row in table.items():
        if "Nested_Tasks" in row:
            percent = row.get("Log_Length", 0) * 100 // row["Nested_Tasks"]
            bounds = {"todo": 0, "1-25": 25, "26-50": 50, "51-75": 75, "76-99": 99, "done": 100}
            quarters[next(name for name, most in bounds.items() if percent <= most)].add(item_id)
    return quarters


@gives("`check_table(name)`")
def _(done: Done) -> None:
    assert done.said[0].status == 0
    (done.folder / "pyanamo.db").unlink()
    assert process("table", "describe").status == 1


@gives("`check_table(name, output_schema=1)`")
def _(done: Done) -> None:
    seen = done.json()
    assert (seen["keys"], bool(seen["indexes"])) == (["itemID"], True)


@gives("`itemCounter(table)`")
def _(done: Done) -> None:
    listed = done.json()
    for state in ("todo", "locked", "done"):
        assert {row["itemID"] for row in listed if row["ItemState"] == state} == _in_state(done.before, state)
    assert done.json(1) == len(done.before) == len(listed)


@gives("`getToDoItems(state)`")
def _(done: Done) -> None:
    assert _ids(done.json()) == sorted(_in_state(done.before, "done"))


@gives("`getToDoItems(state, fields)`")
def _(done: Done) -> None:
    fields = ("itemID", "taskID", "Nested_Tasks", "Log_Length", "Log", "ItemState")
    for row in done.json():
        assert row == {name: done.before[row["itemID"]].get(name) for name in fields}
    assert _ids(done.json()) == sorted(_in_state(done.before, "done"))


@gives("`getCurrentState(id)`")
def _(done: Done) -> None:
    assert done.json() == [{"ItemState": done.before["Seq_Test_9"]["ItemState"]}]


@gives("`getLockID(id)`")
def _(done: Done) -> None:
    [row] = done.json()
    assert row == {name: done.before["Held_1"][name] for name in ("lockID", "InstanceID", "Lock_Date")}
    assert row["lockID"]


@gives("`monitor_task(table, 3, 1)`")
def _(done: Done) -> None:
    looks = done.lines()
    assert len(looks) == 3
    for look in looks:
        assert {state: count for state, count in look["items"].items() if count} == _counts(done.before)


@gives("`summarize_nestedTasks(table)`")
def _(done: Done) -> None:
    [status] = done.json()
    assert {name: {*of["ids"]} for name, of in status["nested"].items()} == _quarters(done.before)


@gives("`monitor_nestedTasks(table, 2, 1)`")
def _(done: Done) -> None:
    expected = {name: {"items": len(ids)} for name, ids in _quarters(done.before).items()}
    assert [look["nested"] for look in done.lines()] == [expected] * 2


@gives("`create_workflow_table(name)`")
def _(done: Done) -> None:
    assert "exists" in done.said[0].out
    _same(done)
    (done.folder / "pyanamo.db").unlink()
    assert process("table", "create").out.startswith("created")
    assert process("status").status == 0


@gives("`delete_workflow_table(name)`")
def _(done: Done) -> None:
    assert (done.said[0].status, done.after) == (0, {})
    assert process("table", "delete", "--yes").status == 1


@gives("`import_item(...)`")
def _(done: Done) -> None:
    _imported(done, New_1="seq 10")


@gives("`import_nested_item(...)`")
def _(done: Done) -> None:
    _imported(done, New_2=["seq 10", "seq 12", "seq 14"])


@gives("`import_items(list)`")
def _(done: Done) -> None:
    _imported(done, New_3="seq 10", New_4="seq 12")


@gives("`import_items(list, nested_delim)`")
def _(done: Done) -> None:
    _imported(done, New_5=["seq 3"], New_6=["seq 8", "seq 7"])


@gives("`import_from_file(file)`, `import-items.py`")
def _(done: Done) -> None:
    _same(done)
    (done.folder / "pyanamo.db").unlink()
    assert process("import", "-i", "items.txt", "-d", "|").status == 0
    lines = [line.split("|") for line in FILES["items.txt"].splitlines()[1:]]
    after = _rows(done.folder)
    assert {(row["itemID"], row["taskID"], row["TaskScript"]) for row in after.values()} == {*map(tuple, lines)}


@gives('`updateItemStates(ids, "Pending")`')
def _(done: Done) -> None:
    _is_held(done, "Todo_1", "Calls")
    assert done.after["Calls"]["Log"] == done.before["Calls"]["Log"]


@gives('`updateItemStates(ids, "todo")`')
def _(done: Done) -> None:
    _same(done, "Calls", "Fails")
    assert {done.after[name]["ItemState"] for name in ("Calls", "Fails")} == {"todo"}
    status = {name: task["Status"] for name, task in done.after["Calls"]["TaskScript"].items()}
    assert status == {"Task_0": "done", "Task_1": "done", "Task_2": "done", "Task_3": "todo"}


@gives('`reset_itemState("todo", ids)`')
def _(done: Done) -> None:
    _runs_again(done, "Seq_Test_9", "Seq_Test_11")


@gives('`reset_itemState("Pending", ids)`')
def _(done: Done) -> None:
    _is_held(done, "Seq_Test_9", "Seq_Test_11")
    assert {task["Status"] for task in done.after["Seq_Test_9"]["TaskScript"].values()} == {"todo"}


@gives("`updateNestedItemState(id, task)`")
def _(done: Done) -> None:
    _task_runs_again(done, "Seq_Test_10")


@gives("`reset_itemNests(items)`")
def _(done: Done) -> None:
    _task_runs_again(done, "Seq_Test_9", "Seq_Test_10")


@gives("`reset_AllNests(ids)`")
def _(done: Done) -> None:
    _runs_again(done, "Seq_Test_9", "Seq_Test_10")


@gives("`delete_singleItem(ids)`")
def _(done: Done) -> None:
    _are_gone(done, "Seq_Test_7", "Seq_Test_9")


@gives("`delete_nestedTasks(id, task)`")
def _(done: Done) -> None:
    _task_is_gone(done, "Seq_Test_10")


@gives("`delete_nestedTasks(id)`")
def _(done: Done) -> None:
    _are_gone(done, "Seq_Test_7")


@gives("`clear_nestedTasks(items)`")
def _(done: Done) -> None:
    _task_is_gone(done, "Seq_Test_9", "Seq_Test_10")


@gives("run a worker: `pyanamo.py -i 2 -n 4 -w 60`")
@gives("the time keeper")
def _(done: Done) -> None:
    assert done.said[0].status == 0
    assert _in_state(done.after, "done") == _in_state(done.before, "done") | {"Todo_1", "Held_1"}


@gives("item logs: stdout of each task")
def _(done: Done) -> None:
    printed = [line for line in done.said[0].out.splitlines() if line.isdigit()]
    records = done.before["Seq_Test_10"]["Log"].values()
    assert printed == [line for record in records for line in record["stdout"].splitlines()]


@gives("item logs: stderr of each task")
def _(done: Done) -> None:
    assert done.said[0].out == done.before["Calls"]["Log"]["Task_3"]["stderr"]


@gives("managing item logs: which are complete")
def _(done: Done) -> None:
    found = {(row["itemID"], row["Task"], row["chromosome"], row["lines"]) for row in done.lines()}
    assert found == {("Calls", f"Task_{number}", f"chr{number + 1}", 4) for number in range(3)}


@gives("managing item logs: which failed")
def _(done: Done) -> None:
    assert _ids(done.json()) == ["Calls"]
    assert {group["example"] for group in done.json(1)} == _in_state(done.before, "failed")


@gives("managing item logs: restart those")
def _(done: Done) -> None:
    _task_runs_again(done, "Calls", task="Task_3")


@gives("managing item logs: a database")
def _(done: Done) -> None:
    [row] = [row for row in TABLE if row[0].endswith("a database")]
    again = process(*shlex.split(codes(row[2])[0])[1:])
    assert again.status == done.said[0].status
    with sqlite3.connect(done.folder / "results.db") as connection:
        found = connection.execute("SELECT taskID, chromosome, lines FROM tasks WHERE Status = 'Succeeded'").fetchall()
    assert sorted(found) == [("Sample1", f"chr{number}", 4) for number in (1, 2, 3)]


@gives("managing item logs: JSON")
def _(done: Done) -> None:
    written = [json.loads(line) for line in (done.folder / "results.jsonl").read_text().splitlines()]
    tasks = sum(row.get("Nested_Tasks", 1) for row in done.before.values())
    assert len({(row["itemID"], row["Task"]) for row in written}) == len(written) == tasks


@gives("managing item logs: restart what did nothing")
def _(done: Done) -> None:
    assert "Held_1" in done.said[0].err  # a worker holds it: it is left alone, and named
    assert done.before == done.after


@pytest.mark.parametrize("row", [row for row in TABLE if row[0] in LAWS], ids=lambda row: row[0])
def test_a_command_gives_what_the_method_gave(row: list[str], cli: Cli, copy: Path) -> None:
    """As the page shows it."""
    if "pyanamo run" not in row[2]:  # a worker would wait for it
        lock("Held_1")
    before = _rows(copy)
    said = [_type(cli, command) for command in codes(row[2])]

    LAWS[row[0]](Done(said, before, _rows(copy), copy))


def test_capacity_is_given_to_the_table_and_its_indexes(
    cli: Cli, table: str, aws_env: dict[str, str], moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many units for each, and a policy of the original's name for reads and writes of each."""
    for name, value in (aws_env | {"PYANAMO_TABLE": table}).items():
        monkeypatch.setenv(name, value)
    assert cli("table", "create").status == 0
    provision, autoscale = (codes(row[2])[0] for row in TABLE if row[0] in ON_AWS[1:])

    assert _type(cli, provision).status == 0
    policies = _type(cli, autoscale).json()

    seen = client("dynamodb", aws_env["AWS_ENDPOINT_URL_DYNAMODB"]).describe_table(TableName=table)["Table"]
    parts = [seen, *seen["GlobalSecondaryIndexes"]]
    units = [part["ProvisionedThroughput"] for part in parts]
    assert [(each["ReadCapacityUnits"], each["WriteCapacityUnits"]) for each in units] == [(70, 70)] * len(parts)
    names = [table, *(f"{table}_{index['IndexName']}" for index in seen["GlobalSecondaryIndexes"])]
    scaled = {f"{name}_{what}_Capacity_Scaling" for name in names for what in ("Read", "Write")}
    assert {each["policy"] for each in policies} == scaled
    registered = client("application-autoscaling", moto_endpoint).describe_scaling_policies(ServiceNamespace="dynamodb")
    ours = [each for each in registered["ScalingPolicies"] if each["PolicyName"] in scaled]
    targets = [each["TargetTrackingScalingPolicyConfiguration"] for each in ours]
    assert [(each["TargetValue"], each["ScaleInCooldown"], each["ScaleOutCooldown"]) for each in targets] == [
        (40.0, 60, 60)
    ] * len(scaled)


def test_jobs_that_hold_items_are_shown_by_what_batch_says(
    cli: Cli, copy: Path, aws_env: dict[str, str], moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each item with the state of its job; one that Batch forgot has a state of its own."""
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    known, unknown = submit(moto_endpoint), "0a1b2c3d-0000-4000-8000-00000000000a"
    asyncio.run(claim_by_jobs(copy, known, unknown))
    [row] = [row for row in TABLE if row[0] == ON_AWS[0]]

    listed = _type(cli, codes(row[2])[0]).json()

    [job] = client("batch", moto_endpoint).describe_jobs(jobs=[known])["jobs"]
    assert {each["job"]: each["status"] for each in listed} == {known: job["status"], unknown: "no longer known"}
    assert {item for each in listed for item in each["items"]} == {"Todo_1", "Held_1"}


async def claim_by_jobs(folder: Path, *jobs: str) -> None:
    """Let a worker of each job hold an item."""
    store, now = SqliteStore(folder / "pyanamo.db"), datetime.now(UTC)
    for number, job in enumerate(jobs):
        worker = f"{job or 'laptop'}-0000000{number}"
        await store.heartbeat(Worker(worker, "h", now, now, timedelta(hours=1), job=job and f"{job} attempt 1"))
        await store.claim(worker, limit=1, now=now)
    await store.close()
