"""`asyncio.create_subprocess_shell` on the fast loop: a proper process for a script, uvloop's own for all else."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator
from typing import Any

import pytest

from pyanamo_async.execution.fast_loop import FastLoop
from pyanamo_async.execution.spawn_thread import abandoned_starts
from tests.process.scripts import Children, until

pytestmark = pytest.mark.asyncio(loop_factories=["fast"])


@pytest.fixture
def nowhere() -> Iterator[int]:
    """A descriptor to print to."""
    fd = os.open(os.devnull, os.O_WRONLY)
    yield fd
    os.close(fd)


@pytest.fixture
def script(nowhere: int) -> dict[str, Any]:
    """How the launcher starts scripts."""
    return {"stdin": DEVNULL, "stdout": nowhere, "stderr": nowhere, "close_fds": False, "start_new_session": True}


def fast_loop() -> FastLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, FastLoop)
    return loop


async def test_signals_go_to_the_process(script: dict[str, Any]) -> None:
    """`terminate`, `kill` and `send_signal` end it with that signal; afterwards they say that it is gone."""
    for send, number in (
        (asyncio.subprocess.Process.terminate, signal.SIGTERM),
        (asyncio.subprocess.Process.kill, signal.SIGKILL),
        (lambda process: process.send_signal(signal.SIGHUP), signal.SIGHUP),
    ):
        process = await asyncio.create_subprocess_shell("sleep 60; exit", **script)
        send(process)
        assert await process.wait() == process.returncode == -number
        with pytest.raises(ProcessLookupError):
            process.kill()


async def test_usage_is_told_once(script: dict[str, Any]) -> None:
    """The loop keeps what a process used until it was asked."""
    process = await asyncio.create_subprocess_shell("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done", **script)
    assert fast_loop().usage(process.pid) is None
    await process.wait()
    usage = fast_loop().usage(process.pid)

    assert isinstance(usage, resource.struct_rusage)
    assert usage.ru_utime + usage.ru_stime > 0
    assert fast_loop().usage(process.pid) is None


async def test_transport_closed_early_kills_the_process(script: dict[str, Any]) -> None:
    """As documented for `asyncio.SubprocessTransport.close`."""
    transport, _ = await fast_loop().subprocess_shell(asyncio.SubprocessProtocol, "sleep 60", **script)
    assert not transport.is_closing()
    transport.close()
    transport.close()
    assert transport.is_closing()

    await until(lambda: transport.get_returncode() is not None)
    assert transport.get_returncode() == -signal.SIGKILL


async def test_protocol_hears_everything_in_order(script: dict[str, Any]) -> None:
    """Connected first, then of the exit, lost last."""
    heard: list[str] = []
    lost = asyncio.get_running_loop().create_future()

    class Ear(asyncio.SubprocessProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: ARG002
            heard.append("made")

        def process_exited(self) -> None:
            heard.append("exited")

        def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
            heard.append("lost")
            lost.set_result(None)

    await fast_loop().subprocess_shell(Ear, "true", **script)
    async with asyncio.timeout(300):
        await lost

    assert heard == ["made", "exited", "lost"]


async def test_what_is_missing_raises(script: dict[str, Any]) -> None:
    """`FileNotFoundError`, `PermissionError`: from `exec`, as elsewhere."""
    with pytest.raises(FileNotFoundError):
        await asyncio.create_subprocess_shell("true", **script, executable="/nowhere/sh")
    with pytest.raises(PermissionError):
        await asyncio.create_subprocess_shell("true", **script, executable="/etc/passwd")


async def test_outputs_may_change_places(script: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    """Descriptors that replace each other overlap."""
    process = await asyncio.create_subprocess_shell("echo out; echo err >&2", **{**script, "stdout": 2, "stderr": 1})

    assert await process.wait() == 0
    assert capfd.readouterr() == ("err\n", "out\n")


async def test_other_options_are_left_to_uvloop() -> None:
    """Pipes, say: what goes in comes out, however large, and the outputs stay apart."""
    process = await asyncio.create_subprocess_shell("cat; echo err >&2", stdin=PIPE, stdout=PIPE, stderr=PIPE)
    stdout, stderr = await process.communicate(b"x" * 1_000_000)

    assert (process.returncode, len(stdout), stderr) == (0, 1_000_000, b"err\n")
    assert fast_loop().usage(process.pid) is None


async def test_text_is_refused(script: dict[str, Any]) -> None:
    """Pipes carry bytes, as asyncio has it."""
    with pytest.raises(ValueError, match=r"."):
        await asyncio.create_subprocess_shell("true", **{**script, "text": True})


async def test_cancelled_creation_leaves_no_process(script: dict[str, Any], children: Children) -> None:
    """Whatever moment the cancel comes."""
    for yields in range(5):
        task = asyncio.create_task(asyncio.create_subprocess_shell("sleep 60; exit", **script))
        for _ in range(yields):
            await asyncio.sleep(0)
        task.cancel()
        [created] = await asyncio.gather(task, return_exceptions=True)
        if isinstance(created, asyncio.subprocess.Process):
            created.kill()
            await created.wait()

    assert abandoned_starts() == 0
    assert children() == []
