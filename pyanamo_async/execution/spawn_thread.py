"""Start processes in threads, so that the event loop goes on while the kernel creates them.

If the shell is on a dead mount, a start hangs, and its thread with it.

1. Starts do not wait for each other: if no thread is idle, a new one is started. At most 16 idle threads are kept.
2. A cancelled start returns within about a second; its process is killed, with its group, as soon as it appears. A
   start that still hangs then is abandoned: nothing waits for it. While there are 30 of them, no new thread is started.
3. No thread keeps the worker alive. If the process of an abandoned start appears after that, the guard kills it.
4. If no thread is idle and none can be started, the start fails with the error of a failed fork.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable, Iterable
from fcntl import F_DUPFD_CLOEXEC, fcntl
from functools import partial
from queue import SimpleQueue

from pyanamo_async.execution.group import POLL_S, kill_child
from pyanamo_async.execution.posix_spawn import PreparedSpawn

FIRST_DESCRIPTOR = 3  # behind the standard streams
MAX_ABANDONED = 30
ABANDONED_AFTER_S = 1.0
MAX_IDLE = 16  # starting a thread blocks the event loop for 0.1 to 1 ms

Started = asyncio.Future[int]

_under_way: set[Started] = set()
idle_threads: list[SimpleQueue[Callable[[], None]]] = []  # their queues of jobs
os.register_at_fork(after_in_child=idle_threads.clear)  # threads stay with the parent


async def spawn_in_thread(prepared: PreparedSpawn, outputs: Iterable[int]) -> int:
    """Start a process that prints to copies of `outputs`, and return its id.

    Raises:
        OSError: it could not be started.
    """
    started: Started = asyncio.get_running_loop().create_future()
    copies: list[int] = []  # the caller may close its own whenever it likes
    _under_way.add(started)
    try:
        copies.extend(fcntl(output, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR) for output in outputs)
        _submit(partial(_spawn, prepared, copies, started))
    except OSError:
        _close(copies)
        _under_way.discard(started)
        raise
    try:
        return await started
    except asyncio.CancelledError:
        if not started.cancelled() and not started.exception():  # it succeeded at the same moment
            kill_child(started.result())
        deadline = time.monotonic() + ABANDONED_AFTER_S
        while started in _under_way and time.monotonic() < deadline:  # noqa: ASYNC110 - a thread sets no event
            await asyncio.sleep(POLL_S)
        raise


def abandoned_starts() -> int:
    """Count the cancelled starts that still hang; if one succeeds while this process lives, its process is killed."""
    return sum(start.cancelled() for start in tuple(_under_way))


def _submit(job: Callable[[], None]) -> None:
    try:
        jobs = idle_threads.pop()
    except IndexError:
        jobs = _new_thread()
    jobs.put(job)


def _new_thread() -> SimpleQueue[Callable[[], None]]:
    jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
    try:
        if abandoned_starts() >= MAX_ABANDONED:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        threading.Thread(target=_serve, args=(jobs,), name="spawn", daemon=True).start()
    except RuntimeError as exc:  # how Python reports EAGAIN
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from exc
    return jobs


def _serve(jobs: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        jobs.get()()
        if len(idle_threads) >= MAX_IDLE:
            return
        idle_threads.append(jobs)


def _spawn(prepared: PreparedSpawn, outputs: list[int], started: Started) -> None:
    """Start the process, in the thread, and pass the result to the event loop."""
    result: int | OSError
    try:
        result = prepared.spawn(outputs)
    except OSError as error:
        result = error
    finally:
        _close(outputs)  # before the caller goes on, so that it can tell whether descriptors were left open
    try:
        if not started.cancelled():
            started.get_loop().call_soon_threadsafe(_arrive, started, result)
            return
    except RuntimeError:  # the loop was closed meanwhile
        pass
    _discard(started, result)


def _arrive(started: Started, result: int | OSError) -> None:
    """Deliver the result of a start, unless it was cancelled meanwhile."""
    if started.cancelled():
        _discard(started, result)
        return
    _under_way.discard(started)
    if isinstance(result, OSError):
        started.set_exception(result)
    else:
        started.set_result(result)


def _discard(started: Started, result: int | OSError) -> None:
    """End a process that nobody waits for."""
    if isinstance(result, int):
        kill_child(result)
    _under_way.discard(started)


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
