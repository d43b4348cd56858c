"""What each row of `docs/reference/from-pyanamo.md` must give, by its first cell."""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Callable

from tests.cli.conftest import process
from tests.cli.original import (
    FILES,
    Done,
    are_gone,
    counts,
    ids,
    imported,
    in_state,
    is_held,
    quarters,
    runs_again,
    same,
    stored_rows,
    task_is_gone,
    task_runs_again,
)
from tests.docs.pages import DOCS, codes, rows, section

PAGE = DOCS / "reference" / "from-pyanamo.md"
TABLE = [row for row in rows(section(PAGE, "Its methods")) if not row[0].startswith(("to ", "on AWS", "steps "))]
LAWS: dict[str, Callable[[Done], None]] = {}


def gives(method: str) -> Callable[[Callable[[Done], None]], Callable[[Done], None]]:
    """Say what a row must give, by the beginning of its first cell."""

    def keep(law: Callable[[Done], None]) -> Callable[[Done], None]:
        LAWS[method] = law
        return law

    return keep


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
        assert {row["itemID"] for row in listed if row["ItemState"] == state} == in_state(done.before, state)
    assert done.json(1) == len(done.before) == len(listed)


@gives("`getToDoItems(state)`")
def _(done: Done) -> None:
    assert ids(done.json()) == sorted(in_state(done.before, "done"))


@gives("`getToDoItems(state, fields)`")
def _(done: Done) -> None:
    fields = ("itemID", "taskID", "Nested_Tasks", "Log_Length", "Log", "ItemState")
    for row in done.json():
        assert row == {name: done.before[row["itemID"]].get(name) for name in fields}
    assert ids(done.json()) == sorted(in_state(done.before, "done"))


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
        assert {state: count for state, count in look["items"].items() if count} == counts(done.before)


@gives("`summarize_nestedTasks(table)`")
def _(done: Done) -> None:
    [status] = done.json()
    assert {name: {*of["ids"]} for name, of in status["nested"].items()} == quarters(done.before)


@gives("`monitor_nestedTasks(table, 2, 1)`")
def _(done: Done) -> None:
    expected = {name: {"items": len(ids)} for name, ids in quarters(done.before).items()}
    assert [look["nested"] for look in done.lines()] == [expected] * 2


@gives("`create_workflow_table(name)`")
def _(done: Done) -> None:
    assert "exists" in done.said[0].out
    same(done)
    (done.folder / "pyanamo.db").unlink()
    assert process("table", "create").out.startswith("created")
    assert process("status").status == 0


@gives("`delete_workflow_table(name)`")
def _(done: Done) -> None:
    assert (done.said[0].status, done.after) == (0, {})
    assert process("table", "delete", "--yes").status == 1


@gives("`import_item(...)`")
def _(done: Done) -> None:
    imported(done, New_1="seq 10")


@gives("`import_nested_item(...)`")
def _(done: Done) -> None:
    imported(done, New_2=["seq 10", "seq 12", "seq 14"])


@gives("`import_items(list)`")
def _(done: Done) -> None:
    imported(done, New_3="seq 10", New_4="seq 12")


@gives("`import_items(list, nested_delim)`")
def _(done: Done) -> None:
    imported(done, New_5=["seq 3"], New_6=["seq 8", "seq 7"])


@gives("`import_from_file(file)`, `import-items.py`")
def _(done: Done) -> None:
    same(done)
    (done.folder / "pyanamo.db").unlink()
    assert process("import", "-i", "items.txt", "-d", "|").status == 0
    lines = [line.split("|") for line in FILES["items.txt"].splitlines()[1:]]
    after = stored_rows(done.folder)
    assert {(row["itemID"], row["taskID"], row["TaskScript"]) for row in after.values()} == {*map(tuple, lines)}


@gives('`updateItemStates(ids, "Pending")`')
def _(done: Done) -> None:
    is_held(done, "Todo_1", "Calls")
    assert done.after["Calls"]["Log"] == done.before["Calls"]["Log"]


@gives('`updateItemStates(ids, "todo")`')
def _(done: Done) -> None:
    same(done, "Calls", "Fails")
    assert {done.after[name]["ItemState"] for name in ("Calls", "Fails")} == {"todo"}
    status = {name: task["Status"] for name, task in done.after["Calls"]["TaskScript"].items()}
    assert status == {"Task_0": "done", "Task_1": "done", "Task_2": "done", "Task_3": "todo"}


@gives('`reset_itemState("todo", ids)`')
def _(done: Done) -> None:
    runs_again(done, "Seq_Test_9", "Seq_Test_11")


@gives('`reset_itemState("Pending", ids)`')
def _(done: Done) -> None:
    is_held(done, "Seq_Test_9", "Seq_Test_11")
    assert {task["Status"] for task in done.after["Seq_Test_9"]["TaskScript"].values()} == {"todo"}


@gives("`updateNestedItemState(id, task)`")
def _(done: Done) -> None:
    task_runs_again(done, "Seq_Test_10")


@gives("`reset_itemNests(items)`")
def _(done: Done) -> None:
    task_runs_again(done, "Seq_Test_9", "Seq_Test_10")


@gives("`reset_AllNests(ids)`")
def _(done: Done) -> None:
    runs_again(done, "Seq_Test_9", "Seq_Test_10")


@gives("`delete_singleItem(ids)`")
def _(done: Done) -> None:
    are_gone(done, "Seq_Test_7", "Seq_Test_9")


@gives("`delete_nestedTasks(id, task)`")
def _(done: Done) -> None:
    task_is_gone(done, "Seq_Test_10")


@gives("`delete_nestedTasks(id)`")
def _(done: Done) -> None:
    are_gone(done, "Seq_Test_7")


@gives("`clear_nestedTasks(items)`")
def _(done: Done) -> None:
    task_is_gone(done, "Seq_Test_9", "Seq_Test_10")


@gives("run a worker: `pyanamo.py -i 2 -n 4 -w 60`")
@gives("the time keeper")
def _(done: Done) -> None:
    assert done.said[0].status == 0
    assert in_state(done.after, "done") == in_state(done.before, "done") | {"Todo_1", "Held_1"}


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
    assert ids(done.json()) == ["Calls"]
    assert {group["example"] for group in done.json(1)} == in_state(done.before, "failed")


@gives("managing item logs: restart those")
def _(done: Done) -> None:
    task_runs_again(done, "Calls", task="Task_3")


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
