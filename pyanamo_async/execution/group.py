"""The process group of a script: signal all of it, and never a stranger.

The kernel gives a number to no new process while any process bears it, be it only as its group. So the group is ours
while its leader has not been reaped, or while any member lives. When the leader has been reaped and the last member has
died, the number may be reused. A process that bears it as its own id is then a stranger: no member of ours can.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress

GONE_WITHIN_S = 0.5  # KILL takes effect at once, except on disk waits and where nobody reaps orphans
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
    """Reap orphans of the group that became our children, as all do when the worker is PID 1 of a container."""
    with suppress(ChildProcessError):
        while os.waitpid(-pgid, os.WNOHANG)[0]:
            pass
