"""The laws of threads for calls that may hang."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pyanamo_async.execution.runner import PlainLoop
from pyanamo_async.host.threads import Threads
from pyanamo_async.outputs import disk, spool
from pyanamo_async.outputs.compression import BLOCK_BYTES, Compressor

LEAVING = """
import time
from pyanamo_async.host.threads import Threads
Threads("stuck", 1).submit(time.sleep, 3000)
"""


async def test_a_call_returns_what_it_returns_and_raises_what_it_raises() -> None:
    """As if it had been made here."""
    threads = Threads("test", 2)
    assert await threads.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 7, 0)


async def test_no_more_threads_than_may_be_and_idle_ones_are_used_again() -> None:
    """Further calls wait for their turn."""
    threads, go_on, seen = Threads("test", 2), threading.Event(), set()

    def note() -> None:
        seen.add(threading.get_ident())
        go_on.wait()

    calls = [asyncio.ensure_future(threads.run(note)) for _ in range(5)]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(*calls)
    await threads.run(note)

    assert len(seen) <= 2


async def test_a_call_whose_caller_was_cancelled_before_its_turn_is_not_made() -> None:
    """One that has begun goes on."""
    threads, go_on, made = Threads("test", 1), threading.Event(), list[str]()
    first = asyncio.ensure_future(threads.run(go_on.wait))
    second = asyncio.ensure_future(threads.run(made.append, "second"))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    go_on.set()
    await first
    await threads.run(made.append, "third")

    assert made == ["third"]


def test_a_process_ends_without_waiting_for_a_call_that_hangs() -> None:
    """Nor for any other."""
    subprocess.run([sys.executable, "-c", LEAVING], check=True, timeout=300)


@pytest.mark.parametrize("pool", [None, disk.FILES, spool.FILES], ids=["default", "output", "temporary"])
def test_a_dead_folder_stops_neither_names_nor_compression(pool: Threads | None, tmp_path: Path) -> None:
    """The heartbeats look up the name of their service while any number of files hang."""
    fifo = tmp_path / "fifo"  # whoever opens it to read hangs until somebody opens it to write
    os.mkfifo(fifo)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stuck = [loop.run_in_executor(pool, lambda: fifo.open().close()) for _ in range(100)]
        assert await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
        assert await Compressor().feed(bytes(BLOCK_BYTES))
        assert not any(each.done() for each in stuck)
        writer = os.open(fifo, os.O_RDWR)
        await asyncio.gather(*stuck)
        os.close(writer)

    with asyncio.Runner(loop_factory=PlainLoop) as runner:
        runner.run(main())
