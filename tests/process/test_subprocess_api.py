"""`asyncio.create_subprocess_*` on our loop is what it is on asyncio's own: same results, same errors."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path

import psutil
import pytest

from tests.process.scripts import tells_usage, until

pytestmark = pytest.mark.asyncio(loop_factories=["fast", "asyncio"])  # the model is asyncio; stock uvloop differs


async def test_communicate_passes_stdin_and_both_outputs() -> None:
    """What goes in comes out, however large, and the outputs stay apart."""
    process = await asyncio.create_subprocess_shell("tee /dev/stderr", stdin=PIPE, stdout=PIPE, stderr=PIPE)
    stdout, stderr = await process.communicate(b"x" * 1_000_000)

    assert (process.returncode, len(stdout), len(stderr)) == (0, 1_000_000, 1_000_000)


async def test_streams_can_be_read_line_by_line() -> None:
    """A conversation with a running process works."""
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    for word in (b"one\n", b"two\n"):
        process.stdin.write(word)
        assert word == await process.stdout.readline()
    process.stdin.close()
    await process.stdin.wait_closed()

    assert await process.wait() == 0


async def test_outputs_can_be_merged_or_thrown_away() -> None:
    """`STDOUT` and `DEVNULL` mean what they mean elsewhere."""
    process = await asyncio.create_subprocess_shell("echo out; echo err >&2", stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
    stdout, stderr = await process.communicate()
    assert stdout == b"out\nerr\n"
    assert not stderr

    process = await asyncio.create_subprocess_shell("echo out; exit 3", stdout=DEVNULL, stderr=DEVNULL)
    assert await process.wait() == 3


async def test_program_that_is_missing_raises() -> None:
    """`FileNotFoundError`, `PermissionError`: from `exec`, not from the event loop's inside."""
    with pytest.raises(FileNotFoundError):
        await asyncio.create_subprocess_exec("/nowhere/tool", stdout=PIPE)
    with pytest.raises(PermissionError):
        await asyncio.create_subprocess_exec("/etc/passwd", stdout=PIPE)
    with pytest.raises(FileNotFoundError):
        await asyncio.create_subprocess_shell("true", executable="/nowhere/sh", stdout=PIPE)


async def test_folder_that_is_missing_raises(tmp_path: Path) -> None:
    """`cwd` is checked as by Popen, and used when it is there."""
    with pytest.raises(FileNotFoundError):
        await asyncio.create_subprocess_shell("true", cwd=tmp_path / "gone")
    process = await asyncio.create_subprocess_shell("pwd; echo $WORD", cwd=tmp_path, env={"WORD": "x"}, stdout=PIPE)
    stdout, _ = await process.communicate()
    assert stdout.decode().splitlines() == [str(tmp_path), "x"]


async def test_error_before_exec_raises() -> None:
    """A `preexec_fn` that fails is our caller's to see."""

    def fail() -> None:
        raise RuntimeError

    with pytest.raises(Exception, match=r"preexec_fn"):
        await asyncio.create_subprocess_shell("true", preexec_fn=fail)


async def test_text_is_refused() -> None:
    """Pipes carry bytes, as asyncio has it."""
    with pytest.raises(ValueError, match=r"."):
        await asyncio.create_subprocess_shell("true", text=True)  # type: ignore[arg-type]


async def test_signals_go_to_the_process() -> None:
    """`terminate`, `kill` and `send_signal` end it with that signal; afterwards they say that it is gone."""
    for send, number in (
        (asyncio.subprocess.Process.terminate, signal.SIGTERM),
        (asyncio.subprocess.Process.kill, signal.SIGKILL),
        (lambda process: process.send_signal(signal.SIGINT), signal.SIGINT),
    ):
        process = await asyncio.create_subprocess_exec("sleep", "60")
        send(process)
        assert await process.wait() == -number
        with pytest.raises(ProcessLookupError):
            process.kill()


async def test_descriptors_can_be_passed() -> None:
    """`pass_fds` works as with Popen, and nothing else is inherited."""
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_shell(f"echo hi >/proc/self/fd/{writing}", pass_fds=[writing])
    await process.wait()
    os.close(writing)

    assert os.read(reading, 10) == b"hi\n"
    os.close(reading)


async def test_transport_closed_early_kills_the_process() -> None:
    """As documented for `asyncio.SubprocessTransport.close`."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.subprocess_exec(asyncio.SubprocessProtocol, "sleep", "60", stdin=None, stdout=None)
    assert not transport.is_closing()
    transport.close()
    assert transport.is_closing()

    await until(lambda: transport.get_returncode() is not None)
    assert transport.get_returncode() == -signal.SIGKILL


async def test_protocol_hears_everything_in_order() -> None:
    """Connected first, lost last; between them data before the end of its pipe, and the exit whenever it comes."""
    heard: list[str] = []
    lost = asyncio.get_running_loop().create_future()

    class Ear(asyncio.SubprocessProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: ARG002
            heard.append("made")

        def pipe_data_received(self, fd: int, data: bytes | str) -> None:
            heard.append(f"data {fd} {data!r}")

        def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
            heard.append(f"end {fd}")

        def process_exited(self) -> None:
            heard.append("exited")

        def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
            heard.append("lost")
            lost.set_result(None)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.subprocess_shell(Ear, "printf hi", stdin=None, stdout=PIPE, stderr=None)
    async with asyncio.timeout(10):
        await lost

    assert (heard[0], heard[-1]) == ("made", "lost")
    assert "exited" in heard
    assert [word for word in heard[1:-1] if word != "exited"] == ["data 1 b'hi'", "end 1"]
    transport.close()


async def test_usage_stands_in_the_transport() -> None:
    """On the fast loop `get_extra_info("usage")` is the rusage of the exited process; on others there is none."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "sum(range(3_000_000))")
    await process.wait()
    usage = process._transport.get_extra_info("usage")  # type: ignore[attr-defined]

    assert (usage is not None) == tells_usage()
    assert usage is None or usage.ru_utime > 0


@pytest.mark.asyncio(loop_factories=["fast"])  # asyncio's own hangs when cancelled while it connects pipes
async def test_cancelled_creation_leaves_no_process() -> None:
    """Whatever moment the cancel comes; the autouse fixture looks for processes left."""
    others = set(psutil.Process().children())  # test servers, say
    for yields in range(5):
        task = asyncio.create_task(asyncio.create_subprocess_shell("sleep 60", stdin=PIPE, stdout=PIPE, stderr=PIPE))
        for _ in range(yields):
            await asyncio.sleep(0)
        task.cancel()
        [created] = await asyncio.gather(task, return_exceptions=True)
        if isinstance(created, asyncio.subprocess.Process):
            created.kill()
            await created.communicate()
    await until(lambda: others >= set(psutil.Process().children()))  # killed ones are reaped when the loop next looks
