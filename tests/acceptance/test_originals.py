"""The task files of the original PyAnamo: a blank first line, single and nested items, `seq` and a script of bash."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from harness.program import ROOT, Program, Row

SCRIPTS = {
    ("Seq_Test_1", "Task_0"): "seq 3",
    ("Seq_Test_2", "Task_0"): "seq 1",
    ("Seq_Test_3", "Task_0"): "seq 2",
    ("Seq_Test_4", "Task_0"): "seq 10",
    **{("Seq_Test_5", f"Task_{k}"): f"seq {last}" for k, last in enumerate((8, 2, 1))},
    **{("Seq_Test_6", f"Task_{k}"): f"seq {last}" for k, last in enumerate((3, 2, 1))},
    **{("Seq_Test_7", f"Task_{k}"): f"seq {last}" for k, last in enumerate((1, 4, 2))},
    **{("Seq_Test_8", f"Task_{k}"): f"seq {last}" for k, last in enumerate((2, 3, 1))},
    **{
        ("Bash_Test_1", f"Task_{k}"): f"bash {ROOT}/examples/original/climb.sh {grade}"
        for k, grade in enumerate(("Easy", "Normal", "Hard"))
    },
}


def test_the_original_task_files_have_one_result_on_both_foundations(pyanamo: Program) -> None:
    """What each task prints when a person runs it is what the table holds of it, on SQLite and on DynamoDB."""
    printed = {key: _printed(script) for key, script in SCRIPTS.items()}

    pyanamo("import", ROOT / "examples/original/single.txt")
    pyanamo("import", "--nested", ROOT / "examples/original/nested.txt")
    pyanamo("run", "-i", "2", "-n", "4")

    rows = pyanamo.rows()
    assert printed == {key: record["stdout"] for key, record in _records(rows).items()}
    assert {"done"} == {row["ItemState"] for row in rows.values()}
    assert {("Succeeded", 0, 1)} == {
        (record["Status"], record["Exit_Code"], record["Attempt"]) for record in _records(rows).values()
    }


def test_a_table_with_the_indexes_of_the_original_answers_its_queries(on_aws: Program) -> None:
    """What its manager asks by state, sample, worker and length of the log, it is told; no row of ours is among it."""
    file = on_aws.folder / "indexes.json"
    file.write_text(json.dumps([_index(name, key) for name, key in INDEXES.items()]))
    on_aws("table", "create", "--indexes", file)
    on_aws.import_rows("a|s1|seq 3", "b|s1|exit 4", "c|s2|seq 5")
    on_aws("run", "--max-failures", "1", code=3)
    on_aws.import_rows("d|s2|seq 1")
    rows = on_aws.rows()

    assert _ids(on_aws, "ItemStateIndex", "done") == ["a", "c"]
    assert _ids(on_aws, "ItemStateIndex", "todo") == ["d"]
    assert _ids(on_aws, "ItemStateIndex", "failed") == ["b"]
    assert _ids(on_aws, "TaskStateIndex", "done", "begins_with(taskID, :of)", {"S": "s2"}) == ["c"]
    assert _ids(on_aws, "LoggingIndex", "done", "Log_Length > :of", {"N": "4"}) == ["c"]
    holder = {"S": rows["a"]["InstanceID"]}
    assert _ids(on_aws, "InstanceStateIndex", "done", "InstanceID = :of", holder) == ["a", "c"]
    assert _query(on_aws, "ItemStateIndex", "done", Select="COUNT")["Count"] == 2


INDEXES = {  # of the original's `workflow-gsi-index.json`: each has the state and this, with everything
    "ItemStateIndex": "itemID",
    "TaskStateIndex": "taskID",
    "InstanceStateIndex": "InstanceID",
    "LoggingIndex": "Log_Length",
}


def _index(name: str, key: str) -> Row:
    keys = [{"AttributeName": "ItemState", "KeyType": "HASH"}, {"AttributeName": key, "KeyType": "RANGE"}]
    units = {"ReadCapacityUnits": 10, "WriteCapacityUnits": 5}
    everything = {"ProjectionType": "ALL"}
    return {"IndexName": name, "KeySchema": keys, "Projection": everything, "ProvisionedThroughput": units}


def _ids(step: Program, index: str, state: str, condition: str = "", of: Row | None = None) -> list[str]:
    return sorted(row["itemID"]["S"] for row in _query(step, index, state, condition, of)["Items"])


def _query(step: Program, index: str, state: str, condition: str = "", of: Row | None = None, **how: Any) -> Row:  # noqa: ANN401 # as boto3 has it
    found: Row = step.client("dynamodb").query(
        TableName=step.table,
        IndexName=index,
        KeyConditionExpression="ItemState = :state" + (f" AND {condition}" if condition else ""),
        ExpressionAttributeValues={":state": {"S": state}} | ({":of": of} if of else {}),
        **how,
    )
    return found


def test_status_counts_items_and_tasks(on_sqlite: Program) -> None:
    """Before the run everything is to do, after it everything is done, and tasks of nested items count one by one."""
    on_sqlite("import", ROOT / "examples/original/single.txt")
    on_sqlite("import", "--nested", ROOT / "examples/original/nested.txt")
    before = on_sqlite.status()
    on_sqlite("run", "-i", "4", "-n", "2")
    after = on_sqlite.status()

    nothing = {"todo": 0, "locked": 0, "done": 0, "failed": 0, "Wall_Time_Exceeded": 0, "Pending": 0}
    assert nothing | {"todo": 9} == before["items"]
    assert nothing | {"done": 9} == after["items"]
    assert (9, len(SCRIPTS), 0) == (before["total"], before["tasks"]["total"], before["tasks"]["done"])
    assert (9, len(SCRIPTS), len(SCRIPTS)) == (after["total"], after["tasks"]["total"], after["tasks"]["done"])


def test_logs_print_what_the_task_printed(on_sqlite: Program) -> None:
    """`logs` gives a task's output back as it was, and nothing else on stdout."""
    on_sqlite("import", "--nested", ROOT / "examples/original/nested.txt")
    on_sqlite("run", "-n", "3")

    assert _printed(SCRIPTS["Bash_Test_1", "Task_2"]) == on_sqlite("logs", "Bash_Test_1", "Task_2")
    assert on_sqlite("logs", "Bash_Test_1", "Task_2", "--stderr") == ""


def _records(rows: dict[str, Row]) -> dict[tuple[str, str], Row]:
    single = {(name, "Task_0"): row["Log"] for name, row in rows.items() if "Status" in row["Log"]}
    nested = {
        (name, task): record
        for name, row in rows.items()
        if "Status" not in row["Log"]
        for task, record in row["Log"].items()
    }
    return single | nested


def _printed(script: str) -> str:
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
