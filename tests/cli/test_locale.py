"""Scripts, ids and names of files are bytes, whatever encoding the locale has."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PYANAMO, Cli

LOCALE = "en_US.ISO-8859-1"
API = """
import asyncio, sys
from pyanamo_async import open_table, run_on_loop

async def main():
    async with open_table("sqlite:pyanamo.db") as table:
        assert (await table.run()).exit_status == 0

assert sys.getfilesystemencoding() == "iso8859-1"
if sys.argv[1] == "fast":
    run_on_loop(main())
else:
    asyncio.run(main())
"""


@pytest.fixture(scope="module")
def latin1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a locale that is ISO-8859-1."""
    folder = tmp_path_factory.mktemp("locale")
    localedef = shutil.which("localedef")
    made = localedef and subprocess.run([localedef, "-i", "en_US", "-f", "ISO-8859-1", folder / LOCALE], check=False)
    env = {**os.environ, "LOCPATH": str(folder), "LC_ALL": LOCALE}
    env.pop("PYTHONUTF8", None)
    argv = [sys.executable, "-c", "import sys; print(sys.getfilesystemencoding())"]
    said = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    if not made or said.stdout != "iso8859-1\n":
        pytest.skip("needs localedef and the sources of locales")
    return env


def program(env: dict[str, str], *argv: str | bytes) -> bytes:
    """Run the program in a locale, and return what it printed."""
    done = subprocess.run([PYANAMO, *argv], env=env, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_line_takes_and_gives_bytes(latin1: dict[str, str], folder: Path) -> None:
    """In a file, a script, an id, an argument and the environment of a script: UTF-8 in, UTF-8 out."""
    (folder / "dät.txt").write_text(
        "itemID|TaskID|TaskScript\nä日|prøve|printf 'ü日 %s %s' $PYANAMO_ITEM_ID $PYANAMO_SAMPLE"
    )
    program(latin1, "import", "dät.txt")
    program(latin1, "run")

    assert program(latin1, "logs", "ä日").decode() == "ü日 ä日 prøve"
    assert program(latin1, "list", "--sample", "prøve").decode().splitlines()[1].startswith("ä日\tprøve\tdone")


@pytest.mark.parametrize("loop", ["fast", "asyncio"])
def test_a_script_of_the_api_runs_as_it_was_written(latin1: dict[str, str], cli: Cli, folder: Path, loop: str) -> None:
    """On either loop, in a program that keeps its locale."""
    (folder / "t.txt").write_text("itemID|TaskID|TaskScript\nä日|s|printf 'ü日 %s' $PYANAMO_ITEM_ID; true")
    cli("import", "t.txt")
    subprocess.run([sys.executable, "-c", API, loop], env=latin1, check=True, timeout=60)

    assert cli("logs", "ä日").out == "ü日 ä日"


def test_a_terminal_gets_its_own_encoding(latin1: dict[str, str], folder: Path) -> None:
    """UTF-8 would hold bytes that control it."""
    (folder / "t.txt").write_text("itemID|TaskID|TaskScript\nä日|s|true")
    program(latin1, "import", "t.txt")
    ours, theirs = pty.openpty()
    subprocess.run([PYANAMO, "list"], env={**latin1, "TERM": "dumb"}, stdout=theirs, check=True, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 65536).decode("iso8859-1")
    os.close(ours)

    assert "ä\\u65e5" in shown
    assert shown.replace("\r\n", "").isprintable()


def test_a_file_may_have_any_name(cli: Cli, folder: Path) -> None:
    """One that is not UTF-8 is read all the same; an error shows it without sending its bytes."""
    name = os.fsdecode(b"caf\xe9.txt")
    (folder / name).write_text("itemID|TaskID|TaskScript\na|s|true")

    assert cli("import", name).status == 0
    (folder / name).write_text("itemID|TaskID|TaskScript\na|s|")
    assert "caf\\udce9.txt" in cli("import", name).err
