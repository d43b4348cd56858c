"""What the original's methods leave in a table, and the table on which they are compared with our commands.

It is computed from stored rows by the original's rules: by the names of attributes and states that it and ours share.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.conftest import Said

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


def stored_rows(folder: Path) -> Rows:
    """Read the items as they are stored."""
    if not (folder / "pyanamo.db").exists():
        return {}
    with sqlite3.connect(folder / "pyanamo.db") as connection:
        found = [json.loads(row) for [row] in connection.execute("SELECT Row FROM items")]
    return {row["itemID"]: row for row in found if not row["itemID"].startswith("#")}


def in_state(table: Rows, state: str) -> set[str]:
    return {item_id for item_id, row in table.items() if row["ItemState"] == state}


def counts(table: Rows) -> Counter[str]:
    return Counter(row["ItemState"] for row in table.values())


def ids(listed: list[Row]) -> list[str]:
    return sorted(row["itemID"] for row in listed)


def same(done: Done, *changed: str) -> None:
    """See that the commands succeeded, and that all other items are as they were."""
    assert [(said.status, said.err) for said in done.said if said.status] == []
    others = done.before.keys() - {*changed}
    assert {name: done.after.get(name) for name in others} == {name: done.before[name] for name in others}


def runs_again(done: Done, *item_ids: str) -> None:
    """See that items are to do, with all their tasks, and held by nobody."""
    same(done, *item_ids)
    for item_id in item_ids:
        row = done.after[item_id]
        assert row["ItemState"] == "todo"
        assert [name for name in ("InstanceID", "Lock_Date", "Done_Date") if name in row] == []
        if "Nested_Tasks" in row:
            assert {task["Status"] for task in row["TaskScript"].values()} == {"todo"}
            assert row.get("Log_Length", 0) == 0


def task_runs_again(done: Done, *item_ids: str, task: str = "Task_0") -> None:
    """See that of items this task alone is to do."""
    same(done, *item_ids)
    for item_id in item_ids:
        old, new = done.before[item_id], done.after[item_id]
        assert (new["ItemState"], new["TaskScript"][task]["Status"]) == ("todo", "todo")
        rest = old["TaskScript"].keys() - {task}
        assert {name: new["TaskScript"][name] for name in rest} == {name: old["TaskScript"][name] for name in rest}


def task_is_gone(done: Done, *item_ids: str, task: str = "Task_0") -> None:
    same(done, *item_ids)
    for item_id in item_ids:
        assert done.after[item_id]["TaskScript"].keys() == done.before[item_id]["TaskScript"].keys() - {task}


def are_gone(done: Done, *item_ids: str) -> None:
    same(done, *item_ids)
    assert done.after.keys() == done.before.keys() - {*item_ids}


def is_held(done: Done, *item_ids: str) -> None:
    same(done, *item_ids)
    assert {done.after[item_id]["ItemState"] for item_id in item_ids} == {"Pending"}


def imported(done: Done, **scripts: str | list[str]) -> None:
    """See that these items came in to be done, each with its script or those of its tasks; no other changed."""
    same(done)
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


def quarters(table: Rows) -> dict[str, set[str]]:
    """Sort nested items by the share of their tasks that are done, as the original bounds it."""
    found: dict[str, set[str]] = {name: set() for name in ("todo", "1-25", "26-50", "51-75", "76-99", "done")}
    for item_id, row in table.items():
        if "Nested_Tasks" in row:
            percent = row.get("Log_Length", 0) * 100 // row["Nested_Tasks"]
            bounds = {"todo": 0, "1-25": 25, "26-50": 50, "51-75": 75, "76-99": 99, "done": 100}
            found[next(name for name, most in bounds.items() if percent <= most)].add(item_id)
    return found
