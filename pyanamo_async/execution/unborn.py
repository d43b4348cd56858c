"""A process that the kernel has made and that is not its program yet: it may hang there, in `exec`, for ever.

`posix_spawn` tells who it is only afterwards, so it is found by the thread that waits for it. Nothing of the script has
run in it, and once it is killed nothing will, not even where what it waits for cannot be interrupted. Source:
proc_pid_stat(5), proc_tid_children(5).
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

FORKED_ONLY = 0x40  # PF_FORKNOEXEC of linux/sched.h: it has not called exec
FLAGS = 6  # the place of that word behind the name, which may itself hold blanks and brackets


def kill_unborn(thread: int) -> bool:
    """Kill the youngest child of a thread (by its native id) unless it is its program; False when there is none such.

    To be called while no other thread may reap children of this one.
    """
    try:
        *_, pid = Path(f"/proc/self/task/{thread}/children").read_text().split()
        pidfd = os.pidfd_open(int(pid))  # before the look, so that the signal goes to whom was looked at
    except (OSError, ValueError):
        return False
    try:
        if not _is_unborn(pid):
            return False
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(pidfd)
    return True


def _is_unborn(pid: str) -> bool:
    _, _, facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    return bool(int(facts.split()[FLAGS]) & FORKED_ONLY)
