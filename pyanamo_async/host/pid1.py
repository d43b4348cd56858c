"""What the first process of a container owes it: to reap whatever loses its parent.

A script's process that left its session (`setsid`) becomes a child of the first process when its own parent ends, and
when it ends itself stays there as a zombie, for weeks one more with each script. The worker cannot tell such children
from scripts that have just started, so where it would be the first process a child of it does the work.

Laws: the child hears each signal once, and what was ignored stays so. The first process ends as the child ended, and
with it, by the kernel, all that is left in the container.
"""

from __future__ import annotations

import os
import signal

PASSED_ON = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
HEARD = PASSED_ON | {signal.SIGCHLD}
KILLED = 128  # and the number of the signal, as shells have it


def fork_from_pid1() -> None:
    """Where this is the first process, return in a child of it alone. To be called while there is one thread."""
    if os.getpid() != 1:
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)  # none is lost that comes meanwhile
    child = os.fork()
    if child:
        _stand_by(child)
    os.setpgid(0, 0)  # a terminal tells the whole group of Ctrl-C, and the child would hear of it twice
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stand_by(child: int) -> None:
    """Pass signals on and reap, until the child has ended.

    Signals stay blocked, and are waited for: a handler would miss one that comes just before a wait for children.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it was ignored nobody would hear that the child has ended
    passed_on = {number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN}
    while (status := _reap(child)) is None:
        number = signal.sigwait({*passed_on, signal.SIGCHLD})
        if number != signal.SIGCHLD:
            os.kill(child, number)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else KILLED - code)


def _reap(child: int) -> int | None:
    """Reap all that has ended; return the exit status of the child if it has."""
    pid = -1
    while pid not in {0, child}:
        pid, status = os.waitpid(-1, os.WNOHANG)
    return status if pid else None
