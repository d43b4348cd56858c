"""How a script ended, and what it used."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from pathlib import Path

import pytest

from pyanamo_async.core.outcomes import signal_name
from pyanamo_async.execution import ShellLauncher
from pyanamo_async.ports import Exit
from tests.process.scripts import LINGER, Collector, is_running, run_script, start, tells_usage

MIB = 1 << 20


@pytest.mark.parametrize("code", [0, 1, 2, 75, 126, 127, 137, 255])
async def test_exit_status_is_the_scripts_own(launcher: ShellLauncher, code: int) -> None:
    """Any exit status comes back as it is, also one that a shell uses for a signal."""
    ran = await run_script(launcher, f"exit {code}")

    assert (ran.exit.code, ran.exit.signal) == (code, None)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
async def test_script_that_kills_itself_ended_by_that_signal(launcher: ShellLauncher, number: signal.Signals) -> None:
    """A signal is told apart from an exit status."""
    ran = await run_script(launcher, f"kill -{number} $$; sleep 10")

    assert (ran.exit.code, ran.exit.signal) == (None, number), signal_name(ran.exit.signal or 0)


@pytest.mark.parametrize(("script", "code"), [("", 0), ("\n\n", 0), ("/nowhere/tool", 127), ("/etc/passwd", 126)])
async def test_odd_script_ends_as_its_shell_says(launcher: ShellLauncher, script: str, code: int) -> None:
    """Empty, missing and not executable are the shell's to judge, and no errors of ours."""
    ran = await run_script(launcher, script)

    assert ran.exit.code == code


async def test_a_script_that_says_what_runs_it_is_run_by_that(launcher: ShellLauncher) -> None:
    """Its exit status and its signals are its own, whatever shell runs the others; it has no stdin."""
    python = f"#!{sys.executable} -I\nimport os, signal, sys\n"
    for each in (launcher, ShellLauncher("bash -eu"), ShellLauncher(sys.executable)):
        ran = await run_script(
            each, f"{python}print('it\\'s', sys.stdin.read(), os.getpid() == os.getpgid(0)); sys.exit(7)"
        )
        assert (ran.exit.code, ran.stdout, ran.stderr) == (7, b"it's  True\n", b"")
    killed = await run_script(launcher, f"{python}os.kill(os.getpid(), signal.SIGTERM)")
    assert (killed.exit.code, killed.exit.signal) == (None, signal.SIGTERM)
    assert (await run_script(launcher, "#!/nowhere/python\n")).exit.code == 127


async def test_a_shell_may_have_arguments() -> None:
    """As one types them; a program whose path has blanks needs no quotes."""
    ran = await run_script(ShellLauncher("bash -euo pipefail"), "false | true; echo not reached")
    assert (ran.exit.code, ran.stdout) == (1, b"")
    ran = await run_script(ShellLauncher("env GREETING='it is' bash"), "echo \"$GREETING\" 'so'; exit 3")
    assert (ran.exit.code, ran.stdout) == (3, b"it is so\n")


async def test_long_script_runs(launcher: ShellLauncher) -> None:
    """A script of 100 KB is passed whole."""
    ran = await run_script(launcher, ": " + "x" * 100_000 + "\necho end")

    assert (ran.exit.code, ran.stdout) == (0, b"end\n")


async def test_peak_memory_and_cpu_time_are_told(launcher: ShellLauncher) -> None:
    """What the script and the children it waited for used is in its exit; None where the loop cannot tell."""
    hungry = "b = bytearray(200 * 1024 * 1024); b[::4096] = b'x' * len(b[::4096]); sum(range(3_000_000))"
    ran = await run_script(launcher, f'"{sys.executable}" -c "{hungry}"; true')

    if not tells_usage():
        assert ran.exit == Exit(0, None)
        return
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # a smaller peak is hidden: then there is a bound
    peak = ran.exit.max_rss_bytes if ours < 200 * MIB else ran.exit.max_rss_bytes or ran.exit.at_most_bytes
    assert peak is not None
    assert ran.exit.cpu_seconds is not None
    assert 200 * MIB <= peak < max(300 * MIB, ours + MIB)
    assert 0.02 < ran.exit.cpu_seconds < 60
    assert ran.exit.cpu_seconds == round(ran.exit.cpu_seconds, 6)  # microseconds, and no noise behind them to be stored


async def test_peak_memory_of_a_small_script_is_not_the_workers(launcher: ShellLauncher) -> None:
    """Until its exec a child shares our memory, and Linux counts that: the figure is a bound, not a peak."""
    ran = await run_script(launcher, "true")

    assert ran.exit.max_rss_bytes is None
    assert (ran.exit.at_most_bytes or 0) <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert (ran.exit.at_most_bytes is not None) == tells_usage()


async def test_cpu_time_is_not_wall_time(launcher: ShellLauncher) -> None:
    """Sleeping costs nothing."""
    ran = await run_script(launcher, "sleep 0.2")

    assert ran.exit.cpu_seconds is None or ran.exit.cpu_seconds < 0.15


async def test_cancelled_wait_leaves_the_process_alone(launcher: ShellLauncher, tmp_path: Path) -> None:
    """A cancelled wait does not stop the script; it may be waited for again, by several."""
    gate = tmp_path / "gate"
    process = await start(launcher, f"mkfifo {gate}; echo up; read -r word < {gate}; exit 7", out := Collector())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await process.wait()
    assert is_running(process.pid)
    await out.arrived.wait()

    await asyncio.to_thread(gate.write_text, "go\n")
    exits = await asyncio.gather(process.wait(), process.wait())
    await process.finish(linger=LINGER)
    assert [exit_.code for exit_ in exits] == [7, 7]


async def test_stdin_is_empty(launcher: ShellLauncher) -> None:
    """A script that reads stdin is at its end at once, and never takes what the worker's own has."""
    ran = await run_script(launcher, "cat; readlink /proc/self/fd/0")

    assert ran.stdout == b"/dev/null\n"


async def test_script_stands_in_a_session_of_its_own(launcher: ShellLauncher) -> None:
    """Its process id is its group's and its session's."""
    process = await start(
        launcher, "read -r _ _ _ _ group session _ < /proc/$$/stat; echo $$ $group $session", out := Collector()
    )
    await process.finish(linger=LINGER)

    assert bytes(out.data).split() == [str(process.pid).encode()] * 3


async def test_signals_python_ignores_are_the_scripts_again(launcher: ShellLauncher) -> None:
    """Python ignores SIGPIPE and SIGXFSZ; `yes | head` must end all the same, and so must what `ulimit -f` forbids."""
    ran = await run_script(launcher, "yes | head -n 1; grep SigIgn /proc/self/status")
    ignored = int(ran.stdout.split()[-1], 16)

    assert ran.stdout.startswith(b"y\n")
    assert [number.name for number in (signal.SIGPIPE, signal.SIGXFSZ) if ignored & (1 << (number - 1))] == []
