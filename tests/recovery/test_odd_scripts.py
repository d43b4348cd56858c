"""Scripts that do odd things: each ends with the right outcome, in bounded time, and leaves nothing running."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from harness.program import Row
from tests.recovery.processes import Site

MIB = 1 << 20
LONG_LINE_BYTES = 50 * MIB


@dataclass(frozen=True, slots=True)
class Odd:
    """A script, and what its record says afterwards; `log` is what `pyanamo logs` prints, if that matters."""

    script: str
    record: Row
    state: str = "done"
    exit_code: int = 0
    flags: tuple[str, ...] = ()
    log: str | None = None
    holds: Callable[[Site, Row], object] = lambda _site, _record: True
    leaves: bool = False
    files: dict[str, str] = field(default_factory=dict)


SUCCEEDED = {"Status": "Succeeded", "Exit_Code": 0}


def _failed(**ending: object) -> Row:
    return {"Status": "Failed", **ending}


ODD = {
    "exits 0 leaving a daemon in its group": Odd(
        "echo before; (while :; do sleep 0.1; done) & echo after",
        SUCCEEDED,
        flags=("--linger", "300ms"),
        log="before\nafter\n",
    ),
    "exits 0 leaving a daemon that holds the pipe from its own session": Odd(
        "echo mine; setsid sh -c 'sleep 4; echo late' & sleep 0.2",
        SUCCEEDED,
        flags=("--linger", "300ms"),
        log="mine\n",
        leaves=True,  # who leaves the session is out of reach
    ),
    "what a child prints within the linger is kept": Odd(
        "(sleep 0.3; echo late) & echo early", SUCCEEDED, log="early\nlate\n"
    ),
    "closes stdout early": Odd("echo first; exec >&-; sleep 0.5; echo lost; exit 3", _failed(Exit_Code=3), "failed", 3),
    "closes all its outputs, and goes on": Odd("exec >&- 2>&-; sleep 0.5; exit 0", SUCCEEDED, log=""),
    "prints invalid UTF-8": Odd(
        r"printf 'a\377\376b\n'",
        SUCCEEDED | {"stdout": "a\ufffd\ufffdb\n", "stdout_bytes": 5, "stdout_lines": 1},
    ),
    "prints NULs": Odd(r"printf 'a\0b\0\n'", SUCCEEDED | {"stdout": "a\0b\0\n", "stdout_bytes": 5}, log="a\0b\0\n"),
    "prints 50 MB without a newline": Odd(
        f"head -c {LONG_LINE_BYTES} /dev/zero",
        SUCCEEDED | {"stdout_bytes": LONG_LINE_BYTES},
        holds=lambda site, _: len(site.program("logs", "a")) == LONG_LINE_BYTES,
    ),
    "forks 200 children": Odd("for i in $(seq 200); do sleep 0.2 & done; wait; echo ended", SUCCEEDED, log="ended\n"),
    "leaves 200 children behind": Odd(
        "for i in $(seq 200); do sleep 300 & done; echo ended", SUCCEEDED, flags=("--linger", "100ms"), log="ended\n"
    ),
    "is not executable": Odd("./tool", _failed(Exit_Code=126), "failed", 3, files={"tool": "#!/bin/sh\n"}),
    "does not exist": Odd("./no-such-tool", _failed(Exit_Code=127), "failed", 3),
    "is no shell": Odd("if then fi", _failed(Exit_Code=2), "failed", 3),
    "is 100 KB long": Odd(f": {'x' * (100_000 - 20)}; echo long", SUCCEEDED, log="long\n"),
    "kills itself": Odd("kill -9 $$", _failed(Signal=signal.SIGKILL), "failed", 3),
    "kills its whole group": Odd("sleep 300 & kill -9 0", _failed(Signal=signal.SIGKILL), "failed", 3),
    "crashes": Odd("kill -SEGV $$", _failed(Signal=signal.SIGSEGV), "failed", 3),
    "stops itself": Odd("kill -STOP $$", {"Status": "TimedOut", "Limit": 1}, "failed", 3, ("--timeout", "1s")),
    "ignores TERM": Odd(
        "trap '' TERM; echo deaf; while :; do sleep 0.1; done",
        {"Status": "TimedOut", "Limit": 1, "stdout": "deaf\n"},
        "failed",
        3,
        ("--timeout", "1s"),
    ),
    "reads its stdin": Odd("cat; read -r line || echo empty", SUCCEEDED, log="empty\n"),
    "has its working folder removed under it": Odd("mkdir d; cd d; rmdir ../d; echo here", SUCCEEDED, log="here\n"),
    "unsets its environment": Odd("env -i sh -c 'echo bare'", SUCCEEDED, log="bare\n"),
    "floods both outputs": Odd(
        "head -c 3000000 /dev/zero & head -c 3000000 /dev/zero >&2; wait",
        SUCCEEDED | {"stdout_bytes": 3_000_000, "stderr_bytes": 3_000_000},
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_script_ends_as_it_should(site: Site, name: str) -> None:
    """In its time, with its outcome, its output kept, and no process of its group left."""
    odd = ODD[name]
    for file, text in odd.files.items():
        (site.folder / file).write_text(text)
    site.items(f"a|s|{odd.script}")

    worker = site.start("--max-failures", "1", *odd.flags)
    assert worker.exit() == odd.exit_code, worker.said()
    assert bool(site.scripts()) == odd.leaves

    row = site.rows()["a"]
    assert row["ItemState"] == odd.state
    assert {name: row["Log"].get(name) for name in odd.record} == odd.record
    assert odd.holds(site, row["Log"])
    if odd.log is not None:
        assert site.program("logs", "a") == odd.log


def test_an_empty_script_is_refused_at_the_door(site: Site) -> None:
    """The import names its line; nothing is imported."""
    file = site.folder / "items.txt"
    file.write_text("itemID|TaskID|TaskScript\na|s|\n")

    refused = site.program.run("import", file)

    assert refused.returncode == 2
    assert "line 2" in refused.stderr


def test_an_empty_script_that_is_there_all_the_same_does_nothing_and_succeeds(site: Site) -> None:
    """As a shell has it."""
    site.items("a|s|true")
    with closing(sqlite3.connect(site.program.sqlite_file())) as connection, connection:
        connection.execute("UPDATE items SET Row = json_set(Row, '$.TaskScript', '')")

    assert site.start().exit() == 0
    assert site.rows()["a"]["Log"]["Status"] == "Succeeded"
