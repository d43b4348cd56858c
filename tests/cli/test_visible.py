"""Whatever text comes from outside: it controls no terminal, and forges no line."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
import termios
import threading
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pyanamo_async.cli.background_stderr import BackgroundStderr, PlainText
from pyanamo_async.cli.event_log import LogLines
from pyanamo_async.cli.main import run
from pyanamo_async.cli.run_bar import RunBar
from pyanamo_async.core.counts import Counts
from pyanamo_async.core.items import Item, Output, State, Task, TaskRecord, TaskState
from pyanamo_async.core.outcomes import Failed, Succeeded
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Worker
from pyanamo_async.store.sqlite import SqliteStore
from tests.cli.conftest import Cli

EVERYTHING = "a b\t\n\r\x1b[2J\x07\x08\x7f\x84\x85\x9b\u2028\u2029\u200e\u202e\u2066"
FORGED = "\nFORGED"
HOSTILE = st.text(st.sampled_from(EVERYTHING), min_size=1, max_size=12)
COMMANDS = """status|list|list --json|show ID|show ID --json|trace|trace --tsv|trace --jsonl|trace --joblog|logs ID
logs ID --both|workers|workers --json|reclaim --dry-run|reclaim --dry-run --json|doctor|doctor --json|table describe
workers drain --all|show TEXT|logs ID --attempt 9|list --state TEXT|run --lease TEXT|status --TEXT|workers drain TEXT
failures|failures --tasks|results --all|results --all --tsv|results --all --jsonl|results --all --tag-names a,b:int
results --tag-names TEXT|export --to x.db --tag-names a,b:int|export --to TEXT|list --tsv|list --jsonl
list --columns itemID,taskID,Reason,TaskScript,Log|list --columns TEXT|trace --sort reason|trace --sort TEXT
logs --all|logs --all --into TEXT|logs ID TEXT
import TEXT|status -t sqlite:TEXT|import FILE --dry-run|table delete -y""".replace("\n", "|").split("|")


@contextmanager
def terminal() -> Iterator[list[bytes]]:
    """Give stdout and stderr a terminal, as wide as no line is; what it was sent is there at the end."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    termios.tcsetwinsize(theirs, (50, 500))
    sent: list[bytes] = []

    def read() -> None:
        with os.fdopen(ours, "rb", buffering=0) as file:
            try:
                while piece := file.read(65536):
                    sent.append(piece)
            except OSError:  # how Linux says that the other end is closed
                return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with (
            os.fdopen(theirs, "w", encoding="utf-8") as out,
            os.fdopen(os.dup(theirs), "w", encoding="utf-8", buffering=1) as err,
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            yield sent
    finally:
        reader.join()


def is_safe(sent: Sequence[bytes]) -> bool:
    """Tell whether nothing was sent that moves or colours anything, and no line that text from outside began."""
    text = b"".join(sent).decode()
    return text.replace("\n", "").replace("\t", "").isprintable() and FORGED not in text


async def fill(path: Path, text: str) -> str:
    """Put a failed item and a worker into a table in whose every text is what somebody forged; return the item's id."""
    store, now, lease = SqliteStore(path), datetime.now(UTC), timedelta(hours=1)
    output = Output(text=text, size_bytes=len(text.encode()), lines=1, status=text, at=text)
    failed = Failed(exit_code=1, detail=text)
    record = TaskRecord(failed, now, now, 0.1, 1, text, stdout=output, stderr=output)
    task = Task(f"Task_{text}", text, TaskState.FAILED, record=record)
    item = Item(f"1{text}", text, (task,), True, State.FAILED, worker=text, reason=text, history=(text,), done_at=now)
    held = replace(item, item_id=f"2{text}", state=State.LOCKED)
    tagged = replace(
        record, outcome=Succeeded(), stdout=Output(f"PyAnamo:\tx\t{text}".replace("\n", " ")), stderr=Output()
    )
    done = replace(
        item, item_id=f"3{text}", tasks=(replace(task, state=TaskState.DONE, record=tagged),), state=State.DONE
    )
    await store.create(shards=1)
    await store.add([item, held, done])
    await store.heartbeat(Worker(f"w{text}", text, now, now, lease, job=text))
    await store.close()
    return item.item_id


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(EVERYTHING)
@given(HOSTILE)
def test_no_command_lets_text_control_a_terminal(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """In ids, samples, reasons, output, workers, names of files and tables, arguments: on stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "500")
    monkeypatch.setenv("LINES", "50")
    monkeypatch.setenv("TERM", "dumb")  # otherwise colours would have to be told from what text smuggles in
    text += FORGED
    with TemporaryDirectory() as folder:
        monkeypatch.chdir(folder)
        file = Path(folder, f"file{text.replace('/', '')}")
        file.write_text(json.dumps([{"itemID": f"x{text}", "TaskID": text, "TaskScript": text, "Timeout": text}]))
        item_id = asyncio.run(fill(Path(folder, "pyanamo.db"), text))
        for command in COMMANDS:
            words = {"ID": item_id, "TEXT": text, "FILE": str(file), "sqlite:TEXT": f"sqlite:{text}"}
            argv = [words.get(word, word.replace("TEXT", text)) for word in command.split()]
            with terminal() as sent:
                run(argv)

            assert is_safe(sent), (command, b"".join(sent))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE)
def test_no_event_controls_a_terminal(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """As a line of the log, or above the bar; nor what others write to stderr meanwhile."""
    monkeypatch.setenv("TERM", "dumb")
    text += FORGED
    for is_bar in (False, True):
        with terminal() as sent:
            stderr = BackgroundStderr(sys.stderr.fileno())
            log = RunBar(stderr.put, Counts({State.TODO: 3}, {})) if is_bar else LogLines(stderr.put)
            stderr.show(log if isinstance(log, RunBar) else PlainText())
            log.note("item settled", item=text, state=State.FAILED, reason=text)
            log.note("output left behind", item=text, trouble=text)
            stderr.write(f"warned: {text.replace(FORGED, '')}\n")
            stderr.end()

        assert is_safe([b"".join(sent).replace(b"\r\x1b[K", b"")]), b"".join(sent)


def test_a_terminal_shows_output_and_a_pipe_has_it_exactly(cli: Cli, folder: Path) -> None:
    """Of `logs`, too: a pipe gets the bytes."""
    (folder / "odd.txt").write_text("itemID|TaskID|TaskScript\na|s|printf '\\033[2J\\377\\303\\244'\n")
    cli("import", "odd.txt")
    cli("run")
    with (folder / "out").open("w") as out, redirect_stdout(out):
        run(["logs", "a"])
    with terminal() as sent:
        run(["logs", "a"])

    assert (folder / "out").read_bytes() == b"\x1b[2J\xff\xc3\xa4"
    assert b"".join(sent).decode() == "␛[2J\\xffä"
