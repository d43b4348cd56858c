"""`pyanamo list`, `show` and `logs`."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from pyanamo_async.core.memory.room_wait import RoomWait
from pyanamo_async.core.workers import Worker
from pyanamo_async.store.sqlite import SqliteStore
from tests.cli.conftest import PYANAMO, Cli, process
from tests.fakes import an_item


def test_list_in_a_pipe_is_a_header_and_tabs(ran: Cli) -> None:
    """One line for each item."""
    header, *rows = (line.split("\t") for line in ran("list").out.splitlines())

    assert header == ["itemID", "taskID", "state", "tasks", "attempt", "since", "remark"]
    assert {(row[0], row[1], row[2], row[3], row[6]) for row in rows} == {
        ("a", "s1", "done", "1/1", ""),
        ("n", "s1", "done", "2/2", ""),
        ("b", "s2", "failed", "0/1", "attempt 1: exit status 3"),
    }


def test_an_item_that_waits_for_a_retry_is_called_so(cli: Cli, folder: Path) -> None:
    """On a terminal, as the bar and `status` call it; programs find it in `todo`, and so does whoever asks for it."""

    async def put() -> None:
        store = SqliteStore(folder / "pyanamo.db")
        await store.create(shards=1)
        later = datetime.now(UTC) + timedelta(hours=1)
        await store.add([an_item("a", attempt=1, not_before=later, reason="attempt 1: exit status 3")])
        await store.close()

    asyncio.run(put())
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": "80", "TERM": "dumb"}
    subprocess.run([PYANAMO, "list"], stdout=theirs, env=env, check=True)
    os.close(theirs)
    shown = os.read(ours, 65536).decode().splitlines()
    os.close(ours)

    assert shown[-1].split()[:3] == ["a", "sample", "retrying"]
    assert cli("list").out.splitlines()[-1].split("\t")[2] == "todo"
    assert "state     todo, retrying\n" in cli("show", "a").out
    asked = cli("list", "--state", "retrying")
    assert (asked.status, "part of todo" in asked.err) == (2, True)


def test_list_as_json_has_the_stored_names(ran: Cli) -> None:
    """A list, also when it is empty."""
    [failed] = ran("list", "--state", "failed", "--json").json()

    assert {name: failed[name] for name in ("itemID", "taskID", "ItemState", "Attempt", "Reason")} == {
        "itemID": "b",
        "taskID": "s2",
        "ItemState": "failed",
        "Attempt": 1,
        "Reason": "attempt 1: exit status 3",
    }
    assert ran("list", "--state", "todo", "--json").json() == []


def test_list_by_sample(ran: Cli) -> None:
    """All steps of one sample."""
    assert {row["itemID"] for row in ran("list", "--sample", "s1", "--json").json()} == {"a", "n"}


def test_show_tells_all_of_an_item(ran: Cli) -> None:
    """Script, ending, output."""
    text = ran("show", "b").out

    for words in (
        "item      b",
        "sample    s2",
        "state     failed",
        "exit status 3",
        "$ exit 3",
        "so far    1 failure\n",
    ):
        assert words in text


def test_show_tells_what_an_item_waits_for_in_its_worker(cli: Cli, folder: Path) -> None:
    """It looks like one that runs otherwise; of one that runs nothing of it is said, nor where no worker is known."""

    async def hold() -> None:
        store, now = SqliteStore(folder / "pyanamo.db"), datetime.now(UTC)
        await store.create(shards=1)
        await store.add([an_item("a"), an_item("b"), an_item("c")])
        [waiting, _] = await store.claim("w", limit=2, now=now)
        await store.claim("unknown", limit=1, now=now)
        wait = RoomWait(waiting.token, memory_bytes=3 << 30, free_bytes=1 << 30)
        await store.heartbeat(Worker("w", "h", now, now, timedelta(minutes=3), waiting=wait))
        await store.close()

    asyncio.run(hold())
    shown = {item: cli("show", item).out for item in "abc"}

    sentence = "waits     for room in its worker: it needs 3.0 GB of memory, of which 1.0 GB was free\n"
    assert [sentence in text for text in shown.values()].count(True) == 1
    assert ["for room" in text for text in shown.values()].count(True) == 1
    assert "waiting for room\t1" in cli("status").out


def test_show_tells_that_there_is_more(cli: Cli, folder: Path) -> None:
    """Of what it printed a whole line is the first to be seen."""
    (folder / "long.txt").write_text("itemID|TaskID|TaskScript\nlong|s|seq 1000 2999\n")
    cli("import", "long.txt")
    assert process("run").status == 0

    _, _, shown = cli("show", "long").out.partition("  stdout: ")
    told, _, shown = shown.partition("\n")
    lines = [line.strip() for line in shown.splitlines()]

    assert told.startswith("9.8 KB, 2000 lines, of which 2.0 KB here, the whole at ")
    assert lines == [str(number) for number in range(3000 - len(lines), 3000)]


def test_show_as_json_has_the_stored_names(ran: Cli) -> None:
    """Single items have a script and a record, nested ones maps of them."""
    single, nested = ran("show", "a", "--json").json(), ran("show", "n", "--json").json()

    assert (single["TaskScript"], single["Log"]["stdout"]) == ("echo out; echo err >&2", "out\n")
    assert nested["TaskScript"]["Task_1"]["Script"] == "seq 1"
    assert nested["Log"]["Task_0"]["stdout"] == "1\n2\n"


def test_show_makes_control_characters_visible(ran: Cli, folder: Path) -> None:
    """What a script prints does not move the reader's cursor."""
    (folder / "odd.txt").write_text(r"itemID|TaskID|TaskScript" + "\n" + r"odd|s|printf '\033[2Jx\007'" + "\n")
    ran("import", "odd.txt")
    process("run")

    text = ran("show", "odd").out

    assert "\N{SYMBOL FOR ESCAPE}[2Jx\N{SYMBOL FOR BELL}" in text
    assert "\x1b" not in text


def test_logs_print_nothing_but_the_output(ran: Cli) -> None:
    """Of either stream, of any task."""
    assert ran("logs", "a").out == "out\n"
    assert ran("logs", "a", "--stderr").out == "err\n"
    assert ran("logs", "n", "0").out == "1\n2\n"
    assert ran("logs", "n", "Task_1").out == "1\n"


def test_logs_of_large_output_come_from_where_it_stands(cli: Cli, folder: Path) -> None:
    """Whole, from any folder, and quietly when nobody reads on."""
    (folder / "big.txt").write_text("itemID|TaskID|TaskScript\nbig|s|seq 200000\n")
    cli("import", "big.txt")
    assert process("run").status == 0

    whole = process("logs", "big", "-t", f"sqlite:{folder / 'pyanamo.db'}", cwd="/")
    script = f"{PYANAMO} logs big | head -n 2; echo ${{PIPESTATUS[0]}}"
    head = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)

    assert whole.out == "".join(f"{number}\n" for number in range(1, 200001))
    assert (head.stdout, head.stderr) == ("1\n2\n141\n", "")


@pytest.mark.parametrize(
    ("argv", "status", "says"),
    [
        (["show", "nope"], 1, "nope"),
        (["logs", "nope"], 1, "nope"),
        (["logs", "n"], 2, "has 2 tasks"),
        (["logs", "n", "7"], 2, "has no task 7"),
        (["list", "--state", "asleep"], 2, "asleep"),
    ],
)
def test_what_is_not_there_is_named(ran: Cli, argv: list[str], status: int, says: str) -> None:
    """On stderr, with nothing on stdout."""
    said = ran(*argv)

    assert (said.status, said.out) == (status, "")
    assert says in said.err


def test_reading_commands_end_quietly_on_ctrl_c(ran: Cli, folder: Path) -> None:
    """Status 130 and no traceback."""
    pipe = folder / "never"
    subprocess.run(["mkfifo", pipe], check=True)
    waiting = subprocess.Popen([PYANAMO, "import", str(pipe)], stderr=subprocess.PIPE, text=True)
    with pipe.open("w"):  # opens once the program reads
        waiting.send_signal(2)
        _, err = waiting.communicate(timeout=20)

    assert (waiting.returncode, err) == (130, "")
    assert ran("status").status == 0


@pytest.mark.parametrize("argv", [["--help"], ["run", "--help"], ["status"], ["list", "--json"]])
def test_what_is_heavy_is_imported_where_it_is_used(ran: Cli, argv: list[str]) -> None:
    """Neither AWS nor rich nor uvloop for help, or for what a pipe is told of a SQLite table."""
    assert ran("status").status == 0
    code = (
        "import sys; from pyanamo_async.cli.main import run; status = run(sys.argv[1:]); "
        "heavy = {'aioboto3', 'botocore', 'aiohttp', 'rich', 'uvloop', 'pydantic'} & sys.modules.keys(); "
        "print(heavy or '', file=sys.stderr); sys.exit(status)"
    )

    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, check=True, timeout=60)

    assert done.stderr.strip() == b""


def test_listing_is_streamed(ran: Cli, folder: Path) -> None:
    """Every element of a long list is an element of the JSON list."""
    rows = "".join(f"i{number}|s|true\n" for number in range(3000))
    (folder / "many.txt").write_text(f"itemID|TaskID|TaskScript\n{rows}")
    ran("import", "many.txt")

    assert len(orjson.loads(ran("list", "--json").out)) == 3003


def test_an_item_to_do_shows_no_time_of_its_last_lock(cli: Cli, folder: Path) -> None:
    """`since` is when a state began: nobody knows that of an item that waits."""
    (folder / "retry.txt").write_text("itemID|TaskID|TaskScript\na|s|exit 1\n")
    cli("import", "retry.txt")
    with subprocess.Popen([PYANAMO, "run", "--backoff", "1h..1h", "--wait"], stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr
        next(line for line in run.stderr if "settled" in line)
        run.terminate()
        run.stderr.read()

    assert "state     todo, retrying\n" in cli("show", "a").out


def test_the_usual_priority_is_shown_and_sorted_as_what_it_is(cli: Cli, folder: Path) -> None:
    """It is not stored, and still it lies between the others."""
    (folder / "p.txt").write_text("itemID|TaskID|TaskScript|Priority\na|s|true|9\nb|s|true|\nc|s|true|0\n")
    cli("import", "p.txt")

    listed = cli("list", "--columns", "itemID,Priority", "--sort", "Priority", "--tsv").out.splitlines()[1:]

    assert listed == ["a\t9", "b\t5", "c\t0"]
    assert "limits    priority 5" in cli("show", "b").out
