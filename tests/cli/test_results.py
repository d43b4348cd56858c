"""`pyanamo results`, `export`, `list`, `trace` and `logs` of what several items did."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from pyarrow import parquet

from pyanamo_async.operate.results import FIXED
from tests.cli.conftest import Cli, process
from tests.cli.test_main import on_terminal

TAG = r"printf 'PyAnamo:\t%s\t%s\t%s\n'"
ITEMS = rf"""itemID|TaskID|TaskScript
small|s1|echo noise; {TAG} s1 7 0.5
large|s2|seq 30000; for n in $(seq 200); do {TAG} s2 $n 1.5; done
wrong|s3|{TAG} s3 X 1.0
fails|s4|{TAG} s4 1 1.0; echo no reference >&2; exit 7
"""
NESTED = r"""itemID|TaskID|TaskScript|TaskArgs
nest|s5|sh call.sh|chr2,chr1,7,X
"""
CALL = rf"""case $1 in X) echo broken X >&2; exit 9;; esac
{TAG} s5 "${{1#chr}}" 3.0
"""
NAMES = "SampleID,chromosome:int,depth:float"


@pytest.fixture(scope="module")
def after_a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table whose tasks have reported results, or failed."""
    folder = tmp_path_factory.mktemp("reported")
    (folder / "items.txt").write_text(ITEMS)
    (folder / "nested.txt").write_text(NESTED)
    (folder / "call.sh").write_text(CALL)
    assert process("import", "items.txt", cwd=folder).status == 0
    assert process("import", "-n", "nested.txt", cwd=folder).status == 0
    assert process("run", "--max-failures", "1", cwd=folder).status == 3
    return folder


@pytest.fixture
def reported(cli: Cli, folder: Path, after_a_run: Path) -> Cli:
    """The command line in a copy of that folder."""
    shutil.copytree(after_a_run, folder, dirs_exist_ok=True)
    return cli


def test_results_are_one_table(reported: Cli) -> None:
    """A row for each line, with the argument of its task, wherever the output is; what failed has none."""
    said = reported("results", "--tsv")
    header, *rows = [line.split("\t") for line in said.out.splitlines()]

    assert (said.status, said.err) == (0, "")
    assert header == ["taskID", "itemID", "Task", "Argument", "tag_1", "tag_2", "tag_3"]
    assert len(rows) == 1 + 200 + 1 + 3
    assert ["s1", "small", "Task_0", "", "s1", "7", "0.5"] in rows
    assert ["s2", "large", "Task_0", "", "s2", "200", "1.5"] in rows
    assert ["s5", "nest", "Task_1", "chr1", "s5", "1", "3.0"] in rows
    assert reported("results").out == said.out


def test_results_have_names_and_types(reported: Cli) -> None:
    """What does not fit is named on stderr, and the exit status says so."""
    said = reported("results", "--jsonl", "--tag-names", NAMES)
    rows = [json.loads(line) for line in said.out.splitlines()]

    assert {"taskID": "s5", "itemID": "nest", "Task": "Task_2", "Argument": "7"} | {
        "SampleID": "s5",
        "chromosome": 7,
        "depth": 3.0,
    } in rows
    assert (said.status, len(rows)) == (3, 1 + 200 + 3)
    assert said.err.splitlines()[:2] == [
        "does not fit: wrong Task_0: chromosome is 'X', not of type int",
        "1 result left out. hint: pyanamo reset runs tasks again",
    ]


def test_a_selection_says_what_else_is_shown(reported: Cli) -> None:
    """Tags of failed items, of tasks that an expression means, one row for a task."""
    assert (
        reported("results", "--state", "failed", "--sample", "s4", "--tsv").out.splitlines()[1].endswith("s4\t1\t1.0")
    )
    assert len(reported("results", "--where", 'argument == "chr1" or argument == 7').out.splitlines()) == 1 + 2
    assert len(reported("results", "--wide", "large").out.splitlines()[0].split("\t")) == 4 + 3 * 100
    said = reported("results", "fails")
    assert (said.status, said.out.splitlines()[1:]) == (0, [])
    assert said.err.startswith("no results. hint:")


def test_without_results_there_is_a_header(cli: Cli, folder: Path) -> None:
    """For programs, which find the columns that they named, in files, too; without a table there is none."""
    assert cli("results", "--tag-names", NAMES).out == ""
    cli("table", "create")

    assert cli("results", "--tag-names", NAMES).out.split() == [*FIXED, "SampleID", "chromosome", "depth"]
    assert cli("export", "--to", "x.tsv", "--tag-names", "a:int,b").status == 0
    assert (folder / "x.tsv").read_text().split()[-2:] == ["a", "b"]
    assert cli("export", "--to", "x.parquet", "--tag-names", "a:int").status == 0
    assert parquet.read_schema(folder / "x.parquet").field("a").type == "int64"


def test_a_terminal_shows_results_that_fit(reported: Cli) -> None:
    """As a table; nothing in them moves the cursor."""
    assert reported("status").status == 0
    drawn = on_terminal("results", "--tag-names", NAMES, "--sample", "s5", columns=80)

    assert "chromosome" in drawn
    assert "─────" in drawn


def test_wrong_names_are_refused_by_the_name_of_their_flag(reported: Cli) -> None:
    """And two formats."""
    assert reported("results", "--tag-names", "a,a").err.startswith("pyanamo: --tag-names has 'a' twice")
    assert reported("results", "--tsv", "--jsonl").status == 2


def test_an_export_has_a_row_for_each_task(reported: Cli, folder: Path) -> None:
    """In SQLite with types, and apart what does not fit: the original's log-to-database tutorial."""
    said = reported("export", "--to", "results.db", "--tag-names", NAMES, "--as", "calling")
    with sqlite3.connect(folder / "results.db") as database:
        rows = database.execute(
            "SELECT itemID, Task, Argument, Status, SampleID, chromosome, depth FROM calling"
        ).fetchall()
        misfits = database.execute("SELECT itemID, Task, Why FROM calling_misfits ORDER BY itemID").fetchall()

    assert said.out == "8 rows written to results.db\n"
    assert said.status == 3
    assert ("nest", "Task_1", "chr1", "Succeeded", "s5", 1, 3.0) in rows
    assert ("fails", "Task_0", None, "Failed", None, None, None) in rows
    assert misfits == [("large", "Task_0", "200 tags"), ("wrong", "Task_0", "chromosome is 'X', not of type int")]


def test_a_repeated_export_writes_what_changed(reported: Cli, folder: Path) -> None:
    """Nothing the second time; what ran again in between, the third."""
    export = ("export", "--to", "results.db", "--sample", "s5")
    assert reported(*export).out == "4 rows written to results.db\n"
    assert reported(*export).out == "0 rows written to results.db\n"
    (folder / "call.sh").write_text(f"{TAG} s5 X 9\n")
    assert process("retry", "--yes", "--sample", "s5").status == 0
    assert process("run").status == 0

    assert reported(*export).out == "4 rows written to results.db\n"  # the state of the item changed with one task
    with sqlite3.connect(folder / "results.db") as database:
        assert database.execute("SELECT tag_2 FROM tasks WHERE Argument = 'X'").fetchall() == [("X",)]


def test_a_repeated_export_loses_tasks_that_an_item_lost(reported: Cli, folder: Path) -> None:
    """With what did not fit of them, whichever of its tasks are selected; rows of deleted items stay."""
    export = ("export", "--to", "results.db", "--tag-names", "SampleID,chromosome:int,depth:int")  # 3.0 is no int
    assert reported(*export).status == 3
    assert exported(folder, "nest") == [("Task_0", "chr2"), ("Task_1", "chr1"), ("Task_2", "7"), ("Task_3", "X")]
    assert "Task_1" in misfits(folder, "nest")
    assert process("delete", "--yes", "--task", "1", "nest").status == 0
    assert process("delete", "--yes", "small").status == 0

    said = reported(*export, "--task", "0")
    assert said.out == "0 rows written to results.db, 1 removed, of tasks that no longer exist\n"
    assert exported(folder, "nest") == [("Task_0", "chr2"), ("Task_2", "7"), ("Task_3", "X")]
    assert "Task_1" not in misfits(folder, "nest")
    assert exported(folder, "small") == [("Task_0", None)]


@pytest.mark.parametrize("selection", [(), ("--where", "argument == 5")])
def test_an_argument_that_got_another_number_is_exported_once(
    reported: Cli, folder: Path, selection: tuple[str, ...]
) -> None:
    """The task that had its number before is gone, even if the one that has it now is not selected."""
    export = ("export", "--to", "results.db", "--sample", "s5")
    assert reported(*export).status == 0
    (folder / "nested.txt").write_text(NESTED.replace("chr2,chr1,7,X", "X,5"))
    assert process("import", "-n", "nested.txt", "--on-exists", "update").status == 0

    assert reported(*export, *selection).status == 0
    rows = exported(folder, "nest")
    assert rows == ([("Task_1", "5")] if selection else [("Task_0", "X"), ("Task_1", "5")])


def exported(folder: Path, item_id: str) -> list[tuple[str, str | None]]:
    """Return the tasks of an item in the database, and their arguments."""
    with sqlite3.connect(folder / "results.db") as database:
        query = "SELECT Task, Argument FROM tasks WHERE itemID = ? ORDER BY Task"
        return database.execute(query, [item_id]).fetchall()


def misfits(folder: Path, item_id: str) -> list[str]:
    """Return the tasks of an item that did not fit into the database."""
    with sqlite3.connect(folder / "results.db") as database:
        return [task for (task,) in database.execute("SELECT Task FROM tasks_misfits WHERE itemID = ?", [item_id])]


@pytest.mark.parametrize("to", ["results.tsv", "results.jsonl", "results.parquet"])
def test_files_are_written_anew(reported: Cli, folder: Path, to: str) -> None:
    """With a list beside it of what does not fit, as long as there is any."""
    said = reported("export", "--to", to, "--tag-names", NAMES)
    before = (folder / to).read_bytes()
    listed = [json.loads(line) for line in (folder / "results.misfits.jsonl").read_text().splitlines()]
    again = reported("export", "--to", to, "--state", "done", "--sample", "s1", "--tag-names", NAMES)

    assert (said.status, said.out, again.status) == (3, f"8 rows written to {to}\n", 0)
    assert {row["itemID"] for row in listed} == {"large", "wrong"}
    assert (folder / to).read_bytes() != before
    assert not (folder / "results.misfits.jsonl").exists()
    assert [path.name for path in folder.glob(".pyanamo-*")] == []


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("results.csv", "--to is 'results.csv', whose kind is not known"),
        ("pyanamo.db", "--to pyanamo.db is a table of pyanamo itself"),
        ("missing/results.tsv", "--to missing/results.tsv cannot be written: No such file or directory"),
        ("foreign.db", "--to has a table 'tasks' that is not ours"),
        ("call.sh.db", "--to call.sh.db cannot be written: file is not a database"),
    ],
)
def test_nothing_else_is_written_over(reported: Cli, folder: Path, to: str, says: str) -> None:
    """A database of another program, or the table itself, stays as it is."""
    with sqlite3.connect(folder / "foreign.db") as database:
        database.execute("CREATE TABLE tasks (x)")
    (folder / "call.sh.db").write_text("not a database" * 100)

    said = reported("export", "--to", to)
    assert (said.status, said.err.startswith(f"pyanamo: {says}")) == (2, True), said.err


def test_failed_tasks_are_grouped(reported: Cli) -> None:
    """By their own reason, with what to type for one."""
    groups = reported("failures", "--tasks", "--json").json()
    table = reported("failures", "--tasks").out

    assert sorted((group["tasks"], group["reason"], group["example"], group["example_task"]) for group in groups) == [
        (1, "exit status 7: no reference", "fails", "Task_0"),
        (1, "exit status 9: broken X", "nest", "Task_3"),
    ]
    assert "pyanamo logs --stderr nest Task_3" in table


def test_a_trace_is_sorted_and_selected(reported: Cli) -> None:
    """The longest first; --limit counts rows."""
    rows = [
        json.loads(line)
        for line in reported("trace", "--jsonl", "--sort", "stdout_bytes", "--limit", "2").out.splitlines()
    ]

    assert rows[0]["itemID"] == "large"
    assert [
        json.loads(row)["Argument"] for row in reported("trace", "--jsonl", "nest", "--task", "3").out.splitlines()
    ] == ["X"]
    assert len(rows) == 2
    assert len(reported("trace", "--jsonl", "--where", "exit == 0").out.splitlines()) == 3 + 3
    assert len(reported("trace", "--jsonl", "nest", "--task", "3").out.splitlines()) == 1
    assert (
        "--sort is 'second', which no attempt has. hint: did you mean Seconds?"
        in reported("trace", "--sort", "second").err
    )
    assert reported("trace", "--joblog", "--sort", "seconds").status == 2


def test_a_list_has_the_columns_that_are_named(reported: Cli) -> None:
    """Any stored field, in any case, in any order, for people and programs."""
    said = reported("list", "--columns", "ITEMID,Failures,state", "--sort", "itemid")
    rows = reported(
        "list", "--columns", "id,Failures,Log", "--jsonl", "--state", "failed", "--sort", "id"
    ).out.splitlines()

    assert said.out.splitlines() == [
        "itemID\tFailures\tItemState",
        "fails\t1\tfailed",
        "large\t\tdone",
        "nest\t1\tfailed",
        "small\t\tdone",
        "wrong\t\tdone",
    ]
    assert [json.loads(row)["Failures"] for row in rows] == [1, 1]
    assert json.loads(rows[0])["Log"]["Exit_Code"] == 7
    assert [
        row["itemID"] for row in reported("list", "--json", "--sort", "id", "--reverse", "--limit", "1").json()
    ] == ["wrong"]
    assert len(reported("list", "--tsv").out.splitlines()) == len(reported("list", "--jsonl").out.splitlines()) + 1
    assert reported("list", "--columns", "Prioritty").err.startswith(
        "pyanamo: --columns has 'Prioritty', which no item has. hint: did you mean Priority? the fields are itemID"
    )
    assert reported("list", "--json", "--count").status == 2


def test_a_task_is_named_by_its_argument(reported: Cli) -> None:
    """Or by its number; a bare number that may be either is refused."""
    assert reported("logs", "nest", "chr1").out == "PyAnamo:\ts5\t1\t3.0\n"
    assert reported("logs", "nest", "1").out == "PyAnamo:\ts5\t1\t3.0\n"
    assert reported("logs", "nest", "7").out == "PyAnamo:\ts5\t7\t3.0\n"
    assert reported("logs", "nest", "chr9").status == 2


def test_logs_of_several_items_stand_below_headings(reported: Cli, folder: Path) -> None:
    """Or each in a file of its own."""
    said = reported("logs", "--state", "failed", "--where", "exit != 0", "--stderr")
    saved = reported("logs", "--sample", "s5", "--both", "--into", "out/logs")

    assert sorted(each.strip() for each in said.out.split("\n\n")) == [
        "==> fails <==\nno reference",
        "==> nest Task_3 <==\nbroken X",
    ]
    assert (saved.status, saved.out, saved.err) == (0, "", "8 files written to out/logs\n")
    assert (folder / "out/logs/nest/Task_1.stdout").read_text() == "PyAnamo:\ts5\t1\t3.0\n"
    assert (folder / "out/logs/nest/Task_3.stderr").read_text() == "broken X\n"
    assert sorted(path.suffix for path in (folder / "out/logs/nest").iterdir()) == [".stderr"] * 4 + [".stdout"] * 4


@pytest.mark.parametrize(
    "argv",
    [(), ("small", "--sample", "s1"), ("small", "--into", "x"), ("--all", "--follow"), ("--all", "--attempt", "1")],
)
def test_one_item_or_several_is_plain(reported: Cli, argv: tuple[str, ...]) -> None:
    """No item, or both an item and flags for several, is an error."""
    assert reported("logs", *argv).status == 2
