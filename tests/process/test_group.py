"""The process group: ended with its script, and never a stranger's."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import uvloop

from pyanamo_async.execution import ShellLauncher
from tests.process.scripts import LINGER, Collector, is_running, living, run_script, start, tells_usage, until


async def test_daemon_that_holds_the_pipe_does_not_hold_the_script(launcher: ShellLauncher) -> None:
    """The script's own exit ends it; what it left has `linger`, then it is ended too."""
    process = await start(launcher, "sleep 3000 & echo hi; exit 0", out := Collector())
    ended = await process.wait()
    assert (ended.code, bytes(out.data)) == (0, b"hi\n")
    assert len(living(process.pid)) == 1

    begun = time.monotonic()
    await process.finish(linger=LINGER)
    assert LINGER.total_seconds() <= time.monotonic() - begun
    assert living(process.pid) == []


async def test_daemon_without_the_pipe_is_ended_at_once(launcher: ShellLauncher) -> None:
    """A daemon that cannot print gets no time to; stock uvloop lingers, as its children inherit copies of the pipes."""
    stock_uvloop = isinstance(asyncio.get_running_loop(), uvloop.Loop) and not tells_usage()
    linger = LINGER if stock_uvloop else timedelta(hours=1)
    process = await start(launcher, "sleep 3000 >/dev/null 2>&1 & exit 0")
    await process.wait()
    await process.finish(linger=linger)

    assert living(process.pid) == []


async def test_descendants_may_finish_their_output(launcher: ShellLauncher) -> None:
    """What a child prints after the script's exit still belongs to it, and its end ends the linger."""
    ran = await run_script(launcher, "(sleep 0.2; echo late) & echo early", timedelta(hours=1))

    assert ran.stdout == b"early\nlate\n"


async def test_descendant_that_never_stops_printing_is_ended(launcher: ShellLauncher) -> None:
    """An endless writer neither holds `wait` nor outlives `finish`."""
    out = Collector()
    process = await start(launcher, "yes & exit 3", out)
    assert (await process.wait()).code == 3
    await process.finish(linger=timedelta(seconds=0.5))

    assert living(process.pid) == []
    assert out.data[:2] == b"y\n"


async def test_signal_reaches_the_whole_group(launcher: ShellLauncher) -> None:
    """TERM goes to the children as well; one that ignores it is left for KILL."""
    process = await start(launcher, "sleep 60 & (trap '' TERM; echo up; sleep 61) & wait", out := Collector())
    await out.arrived.wait()
    process.signal(signal.SIGTERM)
    ended = await process.wait()
    assert ended.signal == signal.SIGTERM
    assert len(living(process.pid)) >= 1  # the stubborn one

    await process.finish(linger=LINGER)
    assert living(process.pid) == []


async def test_script_that_ignores_term_is_ended_by_kill(launcher: ShellLauncher) -> None:
    """Nothing survives KILL."""
    process = await start(launcher, "trap '' TERM; echo up; while :; do sleep 1; done", out := Collector())
    await out.arrived.wait()
    process.signal(signal.SIGTERM)
    process.signal(signal.SIGKILL)

    assert (await process.wait()).signal == signal.SIGKILL
    await process.finish(linger=LINGER)
    assert living(process.pid) == []


async def test_two_hundred_children_are_ended(launcher: ShellLauncher) -> None:
    """However many a script forked, none is left."""
    process = await start(launcher, "for i in $(seq 200); do sleep 60 & done; echo up; exit 0", out := Collector())
    await process.wait()
    assert out.data == b"up\n"
    await process.finish(linger=timedelta(0))

    assert living(process.pid) == []


async def test_signal_after_the_end_is_harmless(launcher: ShellLauncher) -> None:
    """Nobody has to ask whether a process is still there."""
    process = await start(launcher, "true")
    await process.wait()
    process.signal(signal.SIGKILL)
    await process.finish(linger=LINGER)
    process.signal(signal.SIGKILL)
    await process.finish(linger=LINGER)


async def test_reused_number_is_not_signalled(launcher: ShellLauncher) -> None:
    """A process that bears the number of a script that has ended is a stranger, and so is its group."""
    process = await start(launcher, "true")
    await process.finish(linger=LINGER)
    stranger = await start(launcher, "sleep 60")
    process.pid = stranger.pid  # the kernel has given the number away

    process.signal(signal.SIGKILL)
    await process.finish(linger=LINGER)
    assert is_running(stranger.pid)
    stranger.signal(signal.SIGKILL)
    await stranger.finish(linger=LINGER)


async def test_script_that_leaves_its_session_is_beyond_us(launcher: ShellLauncher, tmp_path: Path) -> None:
    """The documented limit: `setsid` escapes the group, and is not waited for beyond `linger`."""
    pid_file = tmp_path / "pid"
    script = f"setsid sh -c 'echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 60' & exit 0"
    process = await start(launcher, script)
    await process.finish(linger=LINGER)
    await until(pid_file.exists)

    escaped = int(pid_file.read_text())
    assert is_running(escaped)
    os.kill(escaped, signal.SIGKILL)


async def test_cancelled_finish_ends_the_group_all_the_same(launcher: ShellLauncher) -> None:
    """A caller without time to linger leaves nothing behind either."""
    process = await start(launcher, "sleep 60 & exit 0")
    await process.wait()
    finish = asyncio.create_task(process.finish(linger=timedelta(seconds=60)))
    await asyncio.sleep(0)
    finish.cancel()
    await asyncio.wait([finish])

    assert living(process.pid) == []
