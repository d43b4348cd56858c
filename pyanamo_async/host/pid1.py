"""Do the work of PID 1 in a container: reap orphaned processes, so that they do not pile up as zombies.

A process that left its script's session (`setsid`) becomes a child of PID 1 when its parent ends, and a zombie when it
ends itself. The worker cannot tell such orphans from scripts that it has just started. So a worker that would be PID 1
forks: the child is the worker, and PID 1 only reaps and passes signals on.

1. The child receives each signal once; a signal that was ignored stays ignored.
2. PID 1 exits as the child exited. The kernel then kills everything left in the container.
"""

from __future__ import annotations

import os
import signal

PASSED_ON = {
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
    signal.SIGTSTP,
    signal.SIGCONT,
}
BLOCKED = PASSED_ON | {signal.SIGCHLD}
KILLED = 128  # shells report death by a signal as 128 + its number


def fork_from_pid1() -> None:
    """Fork if this process is PID 1 and return in the child; call it while there is only one thread."""
    if os.getpid() != 1:
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)  # a signal that arrives meanwhile is kept
    child = os.fork()
    if child:
        _supervise(child)
    os.setpgid(0, 0)  # a terminal sends Ctrl-C to the whole group, and the child would receive it twice
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _supervise(child: int) -> None:
    """Pass signals on and reap processes until the child has ended, then exit.

    Signals stay blocked and are waited for: a handler would miss one that arrives just before `waitpid`.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # while it is ignored, no signal announces the child's end
    passed_on = {number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN}
    while (status := _reap(child)) is None:
        number = signal.sigwait({*passed_on, signal.SIGCHLD})
        if number != signal.SIGCHLD:
            os.kill(child, number)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else KILLED - code)


def _reap(child: int) -> int | None:
    """Reap every process that has ended; return the child's wait status if it was among them."""
    pid = -1
    while pid not in {0, child}:
        pid, status = os.waitpid(-1, os.WNOHANG)
    return status if pid else None
