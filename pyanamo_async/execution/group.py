"""The process group of a script: signals that reach all of it, and never a stranger.

A number is not given to a new process while any process bears it, be it as its group only. So while the leader is
unreaped, or any member lives, the group is ours. When the leader is reaped and the last member died, the number may be
reused: by a process that bears it itself, which no member of ours can, and that tells it from ours.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress

GONE_WITHIN_S = 0.5  # KILL takes effect at once, except on disk waits and where nobody reaps orphans
GONE_POLL_S = 0.005


def signal_group(pgid: int, number: int) -> bool:
    """Signal every process of the group; False when there was none (or none of ours)."""
    try:
        os.killpg(pgid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def signal_leftovers(pgid: int, number: int) -> bool:
    """Signal what is left of a group whose leader has been reaped; False when nothing is left."""
    return not _exists(pgid) and signal_group(pgid, number)


async def end_leftovers(pgid: int) -> None:
    """Kill what is left of a group whose leader has been reaped, and wait until it is gone."""
    give_up = time.monotonic() + GONE_WITHIN_S
    while signal_leftovers(pgid, signal.SIGKILL) and time.monotonic() < give_up:
        _reap_adopted(pgid)
        await asyncio.sleep(GONE_POLL_S)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _reap_adopted(pgid: int) -> None:
    """Reap orphans of the group that became our children, as all do when the worker is a container's PID 1."""
    with suppress(ChildProcessError):
        while os.waitpid(-pgid, os.WNOHANG)[0]:
            pass
