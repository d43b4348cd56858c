"""Signal the process group of a script as a whole, and never an unrelated process.

The kernel gives no new process a number that is in use as the id of a process or of a group. So the number of a group
is ours until its leader has been reaped and its last member has died. Then it may be reused. Once the leader has been
reaped, a process that has the number as its own id is unrelated: no other member of the group can have it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress

GONE_WITHIN_S = 0.5  # SIGKILL works at once, unless a process waits for a disk or nobody reaps orphans
POLL_S = 0.005


def signal_group(pgid: int, number: int) -> bool:
    """Signal every process of a group whose leader has not been reaped; False when there is none left to signal."""
    try:
        os.killpg(pgid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def signal_leftovers(pgid: int, number: int) -> bool:
    """Signal what is left of a group whose leader has been reaped; False when nothing is left."""
    return not _exists(pgid) and signal_group(pgid, number)


async def kill_leftovers(pgid: int) -> None:
    """Kill what is left of a group whose leader has been reaped, and wait until it is gone."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while signal_leftovers(pgid, signal.SIGKILL) and time.monotonic() < deadline:
        _reap_adopted(pgid)
        await asyncio.sleep(POLL_S)


def kill_child(pid: int) -> None:
    """Kill a child that nobody has reaped, with the group that it leads, and reap it."""
    with suppress(ProcessLookupError, ChildProcessError):  # somebody else reaped it
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as exc:
        return isinstance(exc, PermissionError)
    return True


def _reap_adopted(pgid: int) -> None:
    """Reap orphans of the group that became our children; all do if the worker is PID 1 of a container."""
    with suppress(ChildProcessError):
        while os.waitpid(-pgid, os.WNOHANG)[0]:
            pass
