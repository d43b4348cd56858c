"""Plain commands are started without a shell, and nobody can tell but by the time they take."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyanamo_async.execution import ShellLauncher
from pyanamo_async.execution.plain import Programs, words
from tests.process.scripts import Ran, command, run_script

BASH = shutil.which("bash") or "bash"
PLAIN = [
    "true",
    "  sleep 0.1\n",
    "bwa mem -t 8 ref/hg38.fa a_1.fq.gz",
    "./run.sh --in=a:b,c@d +x %y",
    "/bin/ls -l",
    "7z a b",
]
FOR_A_SHELL = [
    "",
    "# nothing",
    "a; b",
    "a && b",
    "a | b",
    "a & ",
    "a > b",
    "a\nb",
    "a 'b'",
    'a "b"',
    "a $b",
    "a `b`",
    "a ~/b",
    "a *.txt",
    "a b?",
    "a [b]",
    "a {b,c}",
    "a \\b",
    "a !b",
    "A=b c",
    "%1",
    "-a",
    "(a)",
    "naïve",
    "echo a",
    "cd /",
    "exit 3",
    "kill -9 1",
    "time sleep 1",
    "test -e a",
    ". a",
    "source a",
    "exec a",
    "true --version",
    "false --help",
]


@pytest.mark.parametrize("script", PLAIN)
def test_plain_commands_are_cut_at_blanks(script: str) -> None:
    """Nothing in them means anything to a shell."""
    assert words(script, {}) == script.split()


@pytest.mark.parametrize("script", FOR_A_SHELL)
def test_whatever_a_shell_may_read_otherwise_is_the_shells(script: str) -> None:
    """Also its own words, for which there may be programs that do something else."""
    assert words(script, {}) is None


@pytest.mark.parametrize("name", ["BASH_ENV", "BASH_FUNC_true%%", "SHELLOPTS"])
def test_an_environment_that_changes_bash_asks_for_bash(name: str) -> None:
    """A file read at its start, a function that has a program's name, or options (`xtrace`)."""
    assert words("true", {"PATH": "/bin", name: "() { :; }"}) is None


@settings(max_examples=60, deadline=None)
@given(st.text("aZ09_./:=@%+,- \t", max_size=30).map(lambda text: f"x {text}"))
def test_a_shell_finds_the_same_words(script: str) -> None:
    """As bash tells."""
    found = words(script, {})
    assert found is not None
    told = subprocess.run([BASH, "-c", f'set -- {script}; printf "%s\\0" "$@"'], capture_output=True, check=True)
    assert told.stdout.decode().split("\0")[:-1] == found


@pytest.mark.skipif(not Path(BASH).exists(), reason="there is no bash")
@pytest.mark.parametrize(
    "script",
    [
        "true",
        "false",
        "seq 3",
        "ls --no-such-option",
        "no-such-command a b",
        "./no-such-file",
        "./not-executable",
        "./without-interpreter a b",
        "./bad-interpreter",
        "./folder",
        "printenv ODD.NAME",
        "sh ./dies",
    ],
)
async def test_what_becomes_of_it_is_what_bash_would_make_of_it(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Output, error messages and exit status; a file without `#!` is a script for bash."""
    for name, mode, text in (
        ("without-interpreter", 0o755, "a=(x y); echo ${a[1]} $2 >&2; exit 7\n"),
        ("bad-interpreter", 0o755, "#!/no/such/interpreter\n"),
        ("not-executable", 0o644, "#!/bin/sh\n"),
        ("dies", 0o644, "kill -9 $$\n"),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)

    async def ran(launcher: ShellLauncher) -> tuple[int | None, int | None, bytes, bytes]:
        made: Ran = await run_script(launcher, command(script, env={**os.environ, "ODD.NAME": "odd"}))
        return made.exit.code, made.exit.signal, made.stdout, made.stderr

    assert await ran(ShellLauncher()) == await ran(ShellLauncher(BASH))


@pytest.mark.asyncio(loop_factories=["fast"])
async def test_no_shell_is_started_for_it(tmp_path: Path) -> None:
    """A program sees no trace of one: bash would have set SHLVL; a shell that was chosen is always taken."""
    chosen = tmp_path / "bash"
    chosen.write_text("#!/bin/sh\necho chosen\n")
    chosen.chmod(0o755)
    bare = command("printenv SHLVL", env={"PATH": os.environ["PATH"]})

    assert (await run_script(ShellLauncher(), bare)).stdout == b""
    assert (await run_script(ShellLauncher(BASH), bare)).stdout != b""
    assert (await run_script(ShellLauncher(str(chosen)), bare)).stdout == b"chosen\n"


async def test_programs_are_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each second: one that was installed, or taken away, meanwhile."""
    now = [0.0]
    monkeypatch.setattr("pyanamo_async.execution.plain.time.monotonic", lambda: now[0])
    programs, env, tool = Programs(), {"PATH": str(tmp_path)}, tmp_path / "tool"

    assert await programs.find("tool", env) is None
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert await programs.find("tool", env) is None
    now[0] = 1.0
    assert await programs.find("tool", env) == str(tool)
    assert await programs.find("tool", {}) is None
    assert await programs.find("./anything", {}) == "./anything"


@pytest.mark.skipif(not Path(BASH).exists(), reason="there is no bash")
@pytest.mark.parametrize("search", ["~/bin", ".", "", "bin", "nowhere:"])
async def test_in_a_path_that_is_not_absolute_bash_looks_itself(
    search: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads `~` there, and calls what is in the current folder by a name of its own."""
    (tmp_path / "bin").mkdir()
    for tool in (tmp_path / "seq", tmp_path / "bin" / "seq"):
        tool.write_text("#!/bin/sh\necho $0\n")
        tool.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    here = command("seq 3", env={"PATH": f"{search}:{os.environ['PATH']}", "HOME": str(tmp_path)})

    told = (await run_script(ShellLauncher(), here)).stdout
    assert told.endswith(b"seq\n")
    assert told == (await run_script(ShellLauncher(BASH), here)).stdout
