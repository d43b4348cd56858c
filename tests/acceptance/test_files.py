"""Folders of tasks: results that are stored, and a fresh place to work in."""

from __future__ import annotations

import json

from harness.program import Program
from tests.recovery.processes import with_env

RESULTS = 'cd "$PYANAMO_RESULTS" && mkdir deep && printf 123 > deep/a.txt && : > deep/none && ln -s deep/a.txt link'
HOSTILE = 'cp -P /proc/self/cwd "$PYANAMO_RESULTS"/out'


def test_results_travel_from_script_to_person(pyanamo: Program) -> None:
    """They are stored before the task is done, listed, fetched, and deleted with the item; links out are refused."""
    rows = [
        {"itemID": "one", "TaskID": "s", "TaskScript": RESULTS},
        {"itemID": "none", "TaskID": "s", "TaskScript": 'test -z "$(ls "$PYANAMO_RESULTS")"'},
        {"itemID": "no folder", "TaskID": "s", "TaskScript": 'test "$(env | grep -c ^PYANAMO_RES)" = 0'},
        {"itemID": "bad", "TaskID": "s", "TaskScript": HOSTILE, "MaxFailures": 1},
        {"itemID": "many", "TaskID": "s", "TaskScript": ["echo $PYANAMO_TASK > $PYANAMO_RESULTS/x"] * 2},
    ]
    (pyanamo.folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pyanamo("import", "items.jsonl")
    pyanamo("run", "-i", "4", code=3)

    listed = json.loads(pyanamo("files", "--all", "--json"))
    assert sorted((each["itemID"], each["Task"], each["Path"], each["Bytes"]) for each in listed if each["Task"]) == [
        ("many", "Task_0", "x", 7),
        ("many", "Task_1", "x", 7),
    ]
    assert {each["Path"] for each in listed if each["itemID"] == "one"} == {"deep/a.txt", "deep/none", "link"}
    shown = [line.split("\t") for line in pyanamo("files", "one").splitlines()]
    assert {tuple(line[1:4]) for line in shown if "none" in line[2]} == {("", "deep/none", "0")}
    assert "results not stored: 'out' is a link that leads out of the folder" in pyanamo("show", "bad")
    pyanamo("files", "one", "many", "--into", "here")
    assert (pyanamo.folder / "here/one/deep/a.txt").read_text() == "123"
    assert (pyanamo.folder / "here/one/link").read_text() == "123"
    assert (pyanamo.folder / "here/many/Task_1/x").read_text() == "Task_1\n"
    pyanamo("delete", "--all", "--outputs", "--yes")
    if (pyanamo.folder / "logs").exists():
        assert not [path for path in (pyanamo.folder / "logs").rglob("*") if path.is_file()]


def test_a_scratch_folder_is_fresh_and_gone_afterwards(on_sqlite: Program) -> None:
    """Each attempt starts in one of its own on the disk that TMPDIR names, and its TMPDIR is inside."""
    script = (
        'test -z "$(ls -A | grep -v tmp)" && touch left && mktemp && case "$TMPDIR" in "$PWD"/*) pwd;; *) false; esac'
    )
    (on_sqlite.folder / "disk").mkdir()
    rows = [{"itemID": str(number), "TaskID": "s", "TaskScript": script} for number in range(3)]
    (on_sqlite.folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    on_sqlite("import", "items.jsonl")
    with_env(on_sqlite, TMPDIR=str(on_sqlite.folder / "disk"))("run", "--scratch")

    places = {on_sqlite("logs", str(number)).split()[-1] for number in range(3)}
    assert len(places) == 3
    assert all(place.startswith(str(on_sqlite.folder / "disk")) for place in places)
    assert list((on_sqlite.folder / "disk").iterdir()) == []


def test_a_column_asks_for_the_folders_of_a_task(on_sqlite: Program) -> None:
    """Although its script, here in a file, names none of them; the others have none."""
    work = (
        'echo 1 > "$PYANAMO_RESULTS/one"; test "$PWD" = "${PYANAMO_RESULTS%results}scratch" -a -z "$PYANAMO_CHECKPOINT"'
    )
    (on_sqlite.folder / "work.sh").write_text(work)
    script = f"sh {on_sqlite.folder}/work.sh"
    rows = [{"itemID": "all", "TaskID": "s", "TaskScript": [script] * 2, "Folders": ["results", "scratch"]}]
    rows += [{"itemID": "none", "TaskID": "s", "TaskScript": 'test "$(env | grep -c ^PYANAMO_RES)" = 0'}]
    (on_sqlite.folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    on_sqlite("import", "items.jsonl")
    on_sqlite("run", "-i", "2")

    assert [line.split() for line in on_sqlite("show", "all").splitlines() if line.startswith("folders")] == [
        ["folders", "results,", "scratch"]
    ]
    assert {(each["Task"], each["Path"]) for each in json.loads(on_sqlite("files", "all", "--json"))} == {
        ("Task_0", "one"),
        ("Task_1", "one"),
    }
    rows[0]["Folders"] = ""
    (on_sqlite.folder / "items.jsonl").write_text(json.dumps(rows[0]) + "\n")
    on_sqlite("import", "items.jsonl", "--on-exists", "update")
    assert "folders" not in on_sqlite("show", "all")
