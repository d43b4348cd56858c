"""Terminal sessions of the documentation, typed again: they print what the pages show.

The `console` blocks of a page are one session in an empty folder. Lines that begin with `$ ` are typed, those with `> `
go on; the others are what the terminal showed. Numbers, names of hosts and the spaces between columns may differ.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.program import PYANAMO
from tests.docs.pages import PAGES, blocks, name

SESSIONS = [page for page in PAGES if blocks(page, "console")]


@pytest.mark.parametrize("page", SESSIONS, ids=name)
def test_a_session_prints_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """What is typed into an empty folder answers as it is written down."""
    for typed, shown in _steps(blocks(page, "console")):
        printed = _type(typed, tmp_path)

        assert _essence(printed) == _essence(shown), f"{typed}\n{printed}"


def test_pages_that_a_newcomer_reads_have_a_session() -> None:
    """The first pages show the program at work."""
    assert {"README.md", "docs/guide/first-table.md", "docs/guide/output.md"} <= {name(page) for page in SESSIONS}


def _steps(sessions: list[str]) -> Iterator[tuple[str, str]]:
    """Cut sessions into what is typed and what it prints; output may begin with `  $ `, commands never do."""
    for step in re.split(r"^\$ ", "\n".join(sessions), flags=re.MULTILINE)[1:]:
        first, *others = step.splitlines()
        typed = [first, *(line[2:] for line in others if line.startswith("> "))]
        yield "\n".join(typed), "\n".join(line for line in others if not line.startswith("> "))


def _type(command: str, folder: Path) -> str:
    """Run a command on a terminal of its own, and return what that shows."""
    ours, theirs = pty.openpty()
    path = f"{Path(PYANAMO).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(folder), "TERM": "dumb", "LANG": "C.UTF-8"}
    with subprocess.Popen(["bash", "-c", command], cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        printed = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    return printed.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says EIO when the last process has closed the terminal
        return b""


def _essence(text: str) -> Counter[str]:
    """Reduce output to what does not change from run to run; workers finish items in any order."""
    for pattern, plain in (
        (r"[\w.-]+-[0-9a-f]{8}\b", "NAME"),
        (r"\d+([.:-]\d+)*", "0"),
        (r"[─━]+", "-"),
        (r"█+", "#"),
        (r"\s*\n\s*", "\n"),
        (r"[ \t]+", " "),
    ):
        text = re.sub(pattern, plain, text)
    return Counter(text.strip().splitlines())
