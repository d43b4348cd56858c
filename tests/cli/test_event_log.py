"""What a worker says while it works."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from pyanamo_async import Counts, RunResult, State
from pyanamo_async.cli.event_log import LogLines
from pyanamo_async.cli.progress import CLEAR_LINE, Bar
from pyanamo_async.cli.run_bar import RunBar, remark
from pyanamo_async.cli.run_ending import ending, trouble
from pyanamo_async.core.workers import STOOD_STILL
from tests.cli.conftest import Cli, process


def test_an_event_is_one_line() -> None:
    """Time, event, fields; text with spaces or line ends is quoted, what says nothing is left out."""
    lines: list[object] = []
    LogLines(lines.append).note(
        "item settled", item="a b", state=State.DONE, reason="", seconds=0, worker=None, trouble="x\ny"
    )

    [line] = map(str, lines)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (.*)\n", line)
    assert line.endswith(" item settled item='a b' state=done seconds=0 trouble='x\\ny'\n")


def test_a_stderr_that_is_gone_costs_nothing(cli: Cli) -> None:
    """A worker does not die of a closed pipe or a full disk, and its exit status is about the items."""
    cli("import", "single.txt")
    nobody, pipe = os.pipe()
    os.close(nobody)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with os.fdopen(pipe, "wb") as unread, Path("/dev/full").open("wb") as full:
        kept: dict[str, Any] = {"capture_output": False, "env": env}
        statuses = [process("run", "--max-failures", "1", stderr=gone, **kept).status for gone in (unread, full)]

    assert statuses == [3, 0]


def test_the_bar_counts_and_tells_what_is_out_of_the_ordinary() -> None:
    """Done items move it; failures and retries are lines above it."""
    remarks: list[object] = []
    bar = RunBar(remarks.append, Counts({State.TODO: 3, State.DONE: 2, State.LOCKED: 1}, {}, retrying=1))
    for name in "abc":
        bar.note("item claimed", item=name, attempt=1)
    bar.note("item settled", item="a", state=State.DONE, reason="")
    bar.note("item settled", item="b", state=State.FAILED, reason="attempt 1: exit\x1b[2J status\n3")
    bar.note("store unavailable", trouble="throttled")
    shown = bar.render(remarks, last=True)

    *above, last = shown.removeprefix(CLEAR_LINE).splitlines()
    assert above == ["b: failed, attempt 1: exit␛[2J status 3", "store unavailable trouble=throttled"]
    assert "4/6, 2 running, 1 failed, 1 retrying" in last


def test_an_item_that_waits_for_a_retry_is_called_so_above_the_bar() -> None:
    """As in the bar itself; one that was only put back is to do."""
    settled = {"item": "a", "attempt": 1, "state": State.TODO, "reason": "attempt 1: exit status 3"}

    assert remark("item settled", {**settled, "retrying": True}).text == "a: retrying, attempt 1: exit status 3"
    assert remark("item settled", {**settled, "retrying": None}).text == "a: todo, attempt 1: exit status 3"


def test_a_stop_says_how_many_scripts_have_how_long() -> None:
    """Or that none is running."""
    stopping = {"reason": "SIGINT", "grace": "20s"}

    assert [remark("stopping", {"scripts": scripts, **stopping}).text for scripts in (0, 1, 2)] == [
        "stopping: no script is running",
        "stopping: 1 script has 20s; Ctrl-C again stops now",
        "stopping: 2 scripts have 20s; Ctrl-C again stops now",
    ]


def test_a_bar_that_counts_what_nobody_knows_is_left_out() -> None:
    """At its end: the lines above stay."""
    bar = RunBar(lambda _: None, Counts({State.LOCKED: 2}, {}))
    assert "2 running" in bar.render([], last=False)

    bar.leave_out()

    assert bar.render(["gone\n"], last=True) == f"{CLEAR_LINE}gone\n"


def test_the_bar_takes_a_new_count_of_the_table() -> None:
    """What this worker did before is in it."""
    bar = RunBar(lambda _: None, Counts({State.TODO: 3}, {}))
    bar.note("item claimed", item="a", attempt=1)
    bar.note("item settled", item="a", state=State.DONE, reason="")
    bar.counted(Counts({State.TODO: 5, State.LOCKED: 2, State.DONE: 7}, {}))

    assert "7/14, 2 running" in bar.render([], last=True)


@pytest.mark.parametrize(
    "then", [("item has room", None), ("item settled", State.TODO), ("item lost", None)], ids=lambda then: then[0]
)
def test_what_waits_for_room_does_not_count_as_running(then: tuple[str, State | None]) -> None:
    """Until it has room, is put back, or is lost."""
    bar, (event, state) = RunBar(lambda _: None, Counts({State.TODO: 2}, {})), then
    for item in "ab":
        bar.note("item claimed", item=item, attempt=1)
    bar.note("item waits for room", item="b")
    waiting = bar.render([], last=True)
    bar.note(event, item="b", **({"state": state, "reason": ""} if state else {}))

    assert "0/2, 1 running, 1 waiting for room" in waiting
    assert f"0/2, {2 if event == 'item has room' else 1} running" in bar.render([], last=True)
    assert "waiting" not in bar.render([], last=True)


@pytest.mark.parametrize("columns", [140, 80, 40, 20])
def test_the_bar_is_one_line(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """On a terminal of any width: words that do not fit are left out."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "5")
    bar = RunBar(lambda _: None, Counts({State.TODO: 10**6, State.LOCKED: 8000, State.FAILED: 9}, {}, retrying=700))

    [line] = bar.render([], last=True).removeprefix(CLEAR_LINE).splitlines()

    assert len(line) < columns
    assert "9/1,008,009" in line


def test_what_else_is_written_goes_above_the_bar_line_by_line() -> None:
    """A line that is not complete waits for its end: the bar would be drawn over it. What is the same stays."""
    bar = Bar(1)

    assert "Trace" not in bar.render(["Trace"], last=False)
    assert bar.render(["back\nnext"], last=False).startswith(f"{CLEAR_LINE}Traceback\n")
    assert bar.render([], last=False) == ""
    assert bar.render([], last=True).startswith(f"{CLEAR_LINE}next\n")


def test_a_run_in_a_pipe_says_one_line_for_each_event(cli: Cli) -> None:
    """On stderr; stdout is for data."""
    cli("import", "single.txt")

    said = process("run", "--max-failures", "1")

    events = [line.split(" ", 1)[1] for line in said.err.splitlines()]
    assert said.out == ""
    assert events[0].startswith("worker started ")
    assert "item settled item=b attempt=1 state=failed reason='attempt 1: exit status 3'" in events
    assert events[-2] == "worker ended done=1 failed=1"
    assert said.err.splitlines()[-1] == "1 item is failed (b): pyanamo failures says why, pyanamo retry runs it again"


def test_what_others_run_is_not_left_to_do() -> None:
    """A worker that ends first leaves nothing to start another for."""

    def said(status: int = 0, **left: int) -> list[str]:
        items = {State[name.upper()]: number for name, number in left.items()}
        return [*ending(RunResult(status), [], Counts(items, {}), address="sqlite:pyanamo.db")]

    assert said(locked=1) == ["1 item is being run by another worker"]
    assert said(locked=2, todo=1)[0] == "2 items are being run by other workers"
    assert said(locked=2, todo=1)[1].startswith("1 item is left: pyanamo run")
    assert said(4, todo=2) == []  # `trouble` says so


def test_a_quiet_run_says_nothing_but_errors(cli: Cli) -> None:
    """No event, no bar; the exit status tells the rest."""
    cli("import", "single.txt")

    ran, failed = process("run", "--quiet", "--max-failures", "1"), process("run", "-q", "-t", "sqlite:none.db")

    assert (ran.status, ran.out, ran.err) == (3, "", "")
    assert failed.status == 1
    assert failed.err.startswith("pyanamo: ")


def test_a_quiet_run_that_halts_says_why(cli: Cli) -> None:
    """In one line, and what to type: whoever finds exit status 1 reads the last line on stderr."""
    cli("import", "single.txt")

    ran = process("run", "-q", "-i", "1", "--max-failures", "1", "--max-failed", "1")

    assert (ran.status, ran.out) == (1, "")
    assert re.fullmatch(r"pyanamo: halted.*: .* hint: pyanamo failures says why\n", ran.err)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (RunResult(1, trouble="item 'a' was lost: denied.\nhint: see `max_failed`"), "pyanamo: item 'a' was lost"),
        (RunResult(75, trouble=STOOD_STILL), "pyanamo: this worker stood still"),
        (RunResult(4, out_of_reach=2), "2 items are left that no living worker takes: pyanamo status says"),
    ],
)
def test_every_ending_that_nobody_asked_for_says_why_in_one_line(result: RunResult, said: str) -> None:
    """Those that were asked for say nothing: all is done, items failed, a signal came."""
    [line] = trouble(result, address="sqlite:pyanamo.db")
    nothing = [each for status in (0, 3, 75) for each in trouble(RunResult(status), address="sqlite:pyanamo.db")]

    assert line.startswith(said)
    assert "\n" not in line
    assert nothing == []


def test_a_worker_that_leaves_failed_items_of_others_says_so(cli: Cli) -> None:
    """Its exit status is about what it ran itself; `wait` has that of the whole table."""
    cli("import", "single.txt")
    process("run", "--max-failures", "1")

    ran, waited = process("run"), process("wait")

    assert (ran.status, waited.status) == (0, 3)
    assert ran.err.splitlines()[-2:] == [
        "1 item is failed: pyanamo failures says why, pyanamo retry runs it again",
        "it failed before, or in other workers: this one exits with 0, pyanamo wait with 3",
    ]
