"""`pyanamo hold`, `unhold`, `cancel`, `delete`, `set`, `table clear`, `import --on-exists update`, and `--from`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli, process
from tests.cli.test_changing import failed, lock, states

__all__ = ["failed"]

NESTED = """\
itemID|TaskID|TaskScript|TaskArgs
n|s1|sh -c 'exit $0'|0,7,8
"""


@pytest.fixture
def nested(cli: Cli, folder: Path) -> Cli:
    """A nested item of which one task is done and two failed."""
    (folder / "tasks.txt").write_text(NESTED)
    assert cli("import", "tasks.txt").status == 0
    assert process("run", "--max-failures", "1", "-q").status == 3
    return cli


def test_what_is_held_is_not_claimed_until_it_is_let_go(failed: Cli) -> None:
    """A worker goes home although it waits; let go it is as it was."""
    said = failed("hold", "x1", "x2", "ok", "--yes", "--reason", "the disk is full")

    assert (said.status, said.out, said.err) == (0, "2 items held\n", "1 item done already\n")
    assert states(failed) == {"ok": "done", "x1": "Pending", "x2": "Pending", "-k": "failed"}
    assert failed("retry", "--all", "--yes").out == "1 item will run again\n"
    assert process("run", "--max-failures", "1", "-q").status == 3
    assert states(failed) == {"ok": "done", "x1": "Pending", "x2": "Pending", "-k": "failed"}
    said = failed("unhold", "--all", "--yes")
    assert (said.out, said.err) == ("2 items let go\n", "2 items not held\n")
    assert states(failed)["x1"] == "failed"
    assert failed("show", "x1", "--json").json()["History"][-1] == "attempt 1: the disk is full"


def test_what_is_cancelled_comes_back_only_when_it_is_asked_for(failed: Cli) -> None:
    """With its reason; neither a bare retry nor one that names it restarts it."""
    assert failed("cancel", "--sample", "s1", "-y").status == 2
    said = failed("cancel", "--sample", "s1", "--reason", "withdrawn", "-y")

    assert (said.out, said.err) == ("1 item cancelled\n", "1 item done already\n")
    assert failed("retry", "-y").out == "2 items will run again\n"
    said = failed("retry", "x1", "-y")
    assert said.out == "0 items will run again\n"
    assert said.err == "1 item still held. hint: `pyanamo unhold` lets items go\n"
    [row] = failed("list", "--json", "--state", "pending").json()
    assert (row["itemID"], row["Reason"]) == ("x1", "attempt 1: withdrawn")
    assert failed("reset", "x1", "-y").out == "1 item will run again\n"
    assert states(failed)["x1"] == "todo"


def test_items_are_deleted_and_their_output_stays(failed: Cli, folder: Path) -> None:
    """Unless it is to go too."""
    (folder / "big.txt").write_text("itemID|TaskID|TaskScript\nb1|s|seq 9999\nb2|s|seq 9999\n")
    failed("import", "big.txt")
    process("run", "-q")

    def stored() -> list[str]:
        return sorted(path.parent.parent.name for path in folder.glob("pyanamo-logs/**/*.stdout.gz"))

    assert stored() == ["b1", "b2"]
    assert failed("delete", "b1", "x1", "--yes").out == "2 items deleted\n"
    assert failed("delete", "b2", "--outputs", "--yes").out == "1 item deleted\n"
    assert stored() == ["b1"]
    assert states(failed).keys() == {"ok", "x2", "-k"}


def test_one_task_of_a_nested_item_is_deleted(nested: Cli) -> None:
    """By --task; what an expression is true for is deleted whole."""
    assert nested("delete", "n", "--task", "1", "--yes").out == "the task of 1 item deleted\n"
    row = nested("show", "n", "--json").json()
    assert (row["ItemState"], sorted(row["TaskScript"]), sorted(row["Log"])) == (
        "failed",
        ["Task_0", "Task_2"],
        ["Task_0", "Task_2"],
    )
    assert nested("delete", "--where", "exit == 8", "--yes").out == "1 item deleted\n"
    assert states(nested) == {}


def test_a_table_is_cleared(failed: Cli) -> None:
    """Of what no worker holds; the table stays."""
    lock("x1")

    assert failed("table", "clear").err.startswith("pyanamo: deleting items needs confirmation")
    said = failed("table", "clear", "--yes")
    assert (said.status, said.out) == (3, "3 items deleted\n")
    assert states(failed) == {"x1": "locked"}
    said = failed("table", "clear", "--yes", "--now")
    assert (said.status, said.out) == (0, "1 item deleted\n")
    assert "may go on" in said.err
    assert failed("list", "--count").out == "0\n"


def test_a_worker_that_is_gone_keeps_nobody_waiting(failed: Cli) -> None:
    """Its items can be taken."""
    lock("x1")

    said = failed("reset", "x1", "--yes", "--force")

    assert (said.status, said.out) == (0, "1 item will run again\n")
    waits, ends = said.err.splitlines()
    assert waits == "waiting until workers let 1 item go, usually within 20 s"
    assert ends == "no worker is alive to run them: pyanamo run"
    assert states(failed)["x1"] == "todo"


def test_limits_are_set(failed: Cli) -> None:
    """Of what is selected, which stays as it is; a script puts back what ran."""
    said = failed("set", "x1", "ok", "--priority", "0", "--timeout", "90m", "--max-failures", "9", "--yes")
    needs = failed("set", "x1", "--memory", "1.5G", "--cpus", "4", "--yes")

    assert needs.out == "1 item changed\n"
    assert (said.status, said.out) == (0, "2 items changed\n")
    row = failed("show", "x1", "--json").json()
    assert (row["Priority"], row["Timeout"], row["MaxFailures"], row["ItemState"]) == (0, 5400.0, 9, "failed")
    assert (row["Memory"], row["Cpus"]) == (3 << 29, 4)
    assert failed("set", "x1", "--memory", "none", "--yes").out == "1 item changed\n"
    row = failed("show", "x1", "--json").json()
    assert (row.get("Memory"), row["Cpus"]) == (None, 4)
    assert failed("set", "x1", "--priority", "0", "--yes").err == "1 item already had these values\n"
    assert failed("set", "x1", "--script", "true", "--yes").out == "1 item changed\n"
    assert states(failed)["x1"] == "todo"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (
            ["set", "x1", "--yes"],
            "nothing is to be set. hint: give --priority, --max-failures, --timeout, --memory",
        ),
        (["set", "x1", "--yes", "--memory", "0"], "--memory is 0. hint: give a size from 1 MiB to 1 PiB, as 4G"),
        (["set", "x1", "--yes", "--memory", "lots"], "'lots' is not a size like 64MiB"),
        (["set", "x1", "--yes", "--cpus", "0"], "--cpus is 0"),
        (["set", "x1", "--yes", "--priority", "11"], "--priority is 11"),
        (["set", "--yes", "--priority", "1"], "nothing is selected"),
        (["hold", "--yes"], "nothing is selected"),
        (["delete", "x1"], "deleting items needs confirmation"),
        (["cancel", "x1", "--yes", "--reason", " "], "--reason is empty"),
        (["hold", "--yes", "--from", "nosuch"], "nosuch cannot be read: No such file or directory"),
        (["hold", "--yes", "--from", "empty"], "empty names no items"),
        (["hold", "--yes", "--from", "latin"], "line 2 of latin is not UTF-8"),
        (["hold", "x1", "--yes", "--from", "empty"], "ITEM and --from exclude each other"),
    ],
)
def test_an_order_that_says_nothing_is_refused(failed: Cli, folder: Path, argv: list[str], says: str) -> None:
    """Before anything is changed."""
    (folder / "empty").write_text("\n\r\n")
    (folder / "latin").write_bytes(b"x1\nx\xe9\n")
    before = states(failed)

    said = failed(*argv)

    assert (said.status != 0, said.out) == (True, "")
    assert says in said.err
    assert states(failed) == before


def test_ids_come_from_a_file_or_from_stdin(cli: Cli, folder: Path) -> None:
    """One in a line, whatever characters it has, and as many as there are."""
    ids = ["plain", "with blanks ", "ütf-8 🧬", "-dash", *(f"many-{number}" for number in range(3000))]
    rows = "".join(f"{item_id}|s|true\n" for item_id in ids if not item_id.endswith(" "))
    (folder / "tasks.txt").write_text(f"itemID|TaskID|TaskScript\n{rows}other|s|true\n")
    assert cli("import", "tasks.txt").status == 0
    listed = [item_id for item_id in ids if not item_id.endswith(" ")]
    (folder / "ids").write_text("\n".join([*listed, listed[0]]) + "\r\n")

    assert cli("list", "--from", "ids", "--count").out == f"{len(listed)}\n"
    piped = process("hold", "--from", "-", "--yes", stdin=None, input="\n".join(listed), encoding="utf-8")
    assert (piped.status, piped.out) == (0, f"{len(listed):,} items held\n")
    assert states(cli)["other"] == "todo"
    unasked = process("unhold", "--from", "-", stdin=None, input="plain\n")
    assert "needs confirmation" in unasked.err


def test_an_import_brings_items_in_line(nested: Cli, folder: Path) -> None:
    """What is done of the same scripts stays done; what workers hold is named, and the exit status says so."""
    (folder / "tasks.txt").write_text(NESTED.replace("0,7,8", "9,0").replace("|s1|", "|s2|"))

    assert nested("import", "tasks.txt", "--on-exists", "update", "--dry-run").out == (
        "would be 0 added, 0 skipped, 0 replaced, 1 updated\n"
    )
    said = nested("import", "tasks.txt", "--on-exists", "update")
    assert (said.status, said.out) == (0, "0 added, 0 skipped, 0 replaced, 1 updated\n")
    row = nested("show", "n", "--json").json()
    assert (row["ItemState"], row["taskID"]) == ("todo", "s2")
    assert {name: task["Status"] for name, task in row["TaskScript"].items()} == {"Task_0": "todo", "Task_1": "done"}
    assert nested("import", "tasks.txt", "--on-exists", "update").out == "0 added, 1 skipped, 0 replaced\n"
    lock("n")
    (folder / "tasks.txt").write_text(NESTED)
    said = nested("import", "tasks.txt", "--on-exists", "update")
    assert (said.status, said.out) == (3, "0 added, 0 skipped, 0 replaced, 1 locked\n")
    assert said.err.startswith("1 item stayed, because a worker that vanished holds it: n.")


def test_a_listing_selects_what_it_lists(failed: Cli, folder: Path) -> None:
    """Its header names the column; lines of ids may have blanks around them."""
    (folder / "listed.tsv").write_text(failed("list", "--state", "failed", "--tsv").out)
    (folder / "ids").write_text("  x1 \n\tx2\r\n")

    assert failed("hold", "-y", "--from", "ids").out == "2 items held\n"
    assert failed("unhold", "-y", "--from", "ids").out == "2 items let go\n"
    assert failed("hold", "-y", "--from", "listed.tsv").out == "3 items held\n"


def test_an_unknown_id_is_named_and_the_others_are_changed(failed: Cli) -> None:
    """One stale line of many must not stop the order."""
    said = failed("hold", "-y", "x1", "nosuch", "x2")

    assert (said.status, said.out, said.err) == (3, "2 items held\n", "the table has no item nosuch\n")
    assert '"missing":["nosuch"]' in failed("hold", "-y", "x1", "nosuch", "--json").out


def test_a_task_that_nothing_has_is_told(failed: Cli) -> None:
    """A slip of the pen is no success."""
    said = failed("reset", "--task", "chr2", "-y")

    assert (said.status, said.err) == (3, "no item that is selected has a task chr2\n")


def test_limits_of_what_runs_are_set_by_force(failed: Cli) -> None:
    """Its worker is gone here; the reason is kept."""
    lock("x1")

    assert failed("set", "x1", "--timeout", "3h", "-y").status == 3
    assert failed("set", "x1", "--timeout", "3h", "-y", "--force", "--reason", "too short").out == "1 item changed\n"
    row = failed("show", "x1", "--json").json()
    assert (row["ItemState"], row["Timeout"], row["Reason"]) == ("todo", 10800.0, "attempt 2: too short")
