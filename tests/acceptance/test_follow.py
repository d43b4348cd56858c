"""`logs --follow` on tasks that run: real workers, real readers, both foundations."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from harness.program import PATIENCE_S, SQLITE, Program, until

HEARTBEAT_S = 0.5
LINES = 4
GO = "until [ -e go ]; do sleep 0.1; done; "
PATIENT = f"for i in $(seq {LINES}); do echo $i; until [ -e seen-$i ]; do sleep 0.1; done; done"
WRITER = f"""echo begin >&2
{GO}
for i in $(seq 60); do printf '%0250d\\n' $i >&2; sleep 0.05; done
exit $1
"""
TALKER = f"{GO}until [ -e enough ]; do echo again; sleep 0.2; done"


@contextmanager
def a_worker(of: Program, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Keep a worker while the test runs."""
    worker = of.start(
        "run", "--wait", "-i", "4", "-n", "2", "--grace", "0s", "--heartbeat", f"{HEARTBEAT_S}s", *options
    )
    try:
        yield worker
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(timeout=PATIENCE_S)


def follow(of: Program, *args: str) -> subprocess.Popen[str]:
    """Begin to follow, and return when the reader has found the attempt."""
    reader = subprocess.Popen(
        of.command("logs", *args, "--follow"),
        cwd=of.folder,
        env=of.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in _lines(reader.stderr):
        if " is running on " in line:
            break
    return reader


def _lines(stream: IO[str] | None) -> Iterator[str]:
    assert stream
    return iter(stream.readline, "")


def _left_in_table(of: Program) -> int:
    """Count wishes, and rows of what was published, with nobody's help."""
    if of.table.startswith(SQLITE):
        with sqlite3.connect(of.sqlite_file()) as connection:
            [count] = connection.execute("SELECT count(*) FROM output_tails").fetchone()
            return int(count)
    rows = of.client("dynamodb").scan(TableName=of.table, ConsistentRead=True)["Items"]
    wishes = sum(len(row.get("Following", {"M": {}})["M"]) for row in rows)
    return int(wishes + sum(row["itemID"]["S"].startswith("#tail#") for row in rows))


def test_lines_are_seen_as_they_are_printed_and_it_ends_with_the_task(pyanamo: Program) -> None:
    """The script waits until each line was seen; then comes the outcome, and nothing is left."""
    pyanamo.import_rows(f"a|s|{PATIENT}")
    seen = []
    with a_worker(pyanamo):
        reader = follow(pyanamo, "a")
        for line in _lines(reader.stdout):
            seen.append(line)
            (pyanamo.folder / f"seen-{line.strip()}").touch()
        _, said = reader.communicate(timeout=PATIENCE_S)

    assert (reader.returncode, seen) == (0, [f"{number}\n" for number in range(1, LINES + 1)]), said
    assert said == "pyanamo: attempt 1 succeeded\n"
    assert _left_in_table(pyanamo) == 0


def test_a_nested_task_is_followed_into_storage(pyanamo: Program) -> None:
    """Its stderr alone, live and then from storage, without a gap; a failure is told by exit status 3."""
    folder = pyanamo.folder
    (folder / "talk.sh").write_text(WRITER)
    (folder / "nested.txt").write_text("itemID|TaskID|TaskScript|TaskArgs\nn|s|sh talk.sh|0,7\n")
    pyanamo("import", "--nested", "nested.txt")
    with a_worker(pyanamo, "--max-failures", "1"):
        reader = follow(pyanamo, "n", "1", "--stderr")
        assert next(_lines(reader.stdout)) == "begin\n"
        (folder / "go").touch()
        shown, said = reader.communicate(timeout=PATIENCE_S)

    assert reader.returncode == 3, said
    assert said == "pyanamo: attempt 1 ended: exit status 7\n"
    assert shown == "".join(f"{number:0250}\n" for number in range(1, 61))
    assert pyanamo("logs", "n", "1", "--stderr") == f"begin\n{shown}"
    assert _left_in_table(pyanamo) == 0


def test_who_goes_away_leaves_nothing_behind(pyanamo: Program) -> None:
    """Ctrl-C, TERM, a terminal that closes, `| head`: no wish, no row, nothing on stderr, and the task runs on."""
    pyanamo.import_rows(f"a|s|{TALKER}")
    with a_worker(pyanamo):
        (pyanamo.folder / "go").touch()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            reader = follow(pyanamo, "a")
            assert next(_lines(reader.stdout)) == "again\n"
            reader.send_signal(number)
            _, said = reader.communicate(timeout=PATIENCE_S)
            assert (reader.returncode, said) == (128 + number, "")
            assert _left_in_table(pyanamo) == 0
        reader = follow(pyanamo, "a")
        assert reader.stdout
        reader.stdout.readline()
        reader.stdout.close()
        assert reader.wait(timeout=PATIENCE_S) == 141
        time.sleep(4 * HEARTBEAT_S)  # a worker that has not heard of it would have written again by now
        assert _left_in_table(pyanamo) == 0

        (pyanamo.folder / "enough").touch()
        until(lambda: pyanamo.rows()["a"]["ItemState"] == "done")
    assert pyanamo.rows()["a"]["Attempt"] == 1


def test_it_ends_when_the_worker_is_killed(on_sqlite: Program) -> None:
    """As soon as another one has noticed, it says so; the status is that of a task that did not succeed."""
    on_sqlite.import_rows("a|s|sleep 3000")
    with a_worker(on_sqlite) as doomed:
        reader = follow(on_sqlite, "a")
        doomed.kill()
        with a_worker(on_sqlite):
            _, said = reader.communicate(timeout=PATIENCE_S)

    assert reader.returncode == 3, said
    assert said.startswith("pyanamo: attempt 1 was lost: ")
    assert _left_in_table(on_sqlite) == 0


def test_what_goes_with_follow_and_what_does_not(on_sqlite: Program) -> None:
    """An attempt that is over is printed and ends at once; parts of the past are no business of `--follow`."""
    on_sqlite.import_rows("a|s|echo out; echo err >&2")
    on_sqlite("run")

    assert on_sqlite("logs", "a", "-f", "--both") == "==> stdout <==\nout\n\n==> stderr <==\nerr\n"
    for flags in (("--tail", "1"), ("--attempt", "1")):
        on_sqlite("logs", "a", "-f", *flags, code=2)
