"""Do the work of PID 1 in a container: reap orphaned processes, so that they do not pile up as zombies.

A process that left its script's session (`setsid`) becomes a child of PID 1 when its parent ends, and a zombie when it
ends itself. The worker cannot tell such orphans from scripts that it has just started. So a worker that would be PID 1
forks: the child is the worker, and PID 1 only reaps and passes signals on.

1. The child receives each signal once; a signal that was ignored stays ignored.
2. PID 1 exits as the child exited. The kernel then kills everything left in the container.
3. A child that was told to stop and has not ended in time is not waited for: it may be stopped, or hang in the kernel.
"""

from __future__ import annotations

import os
import signal
import time

from pyanamo_async.host.watchdog import NOT_ENDED, say_now

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
STOP = PASSED_ON - {signal.SIGUSR1, signal.SIGTSTP, signal.SIGCONT}
BLOCKED = PASSED_ON | {signal.SIGCHLD}
LAST_CHANCE_S = 0.5  # for the child to say so itself
KILLED = 128  # shells report death by a signal as 128 + its number


def fork_from_pid1(*, ends_within_s: float) -> None:
    """Fork if this process is PID 1 and return in the child; call it while there is only one thread.

    A child that has not ended so many seconds after a signal that stops it is left to the kernel, with status 75.
    """
    if os.getpid() != 1:
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)  # a signal that arrives meanwhile is kept
    child = os.fork()
    if child:
        _supervise(child, ends_within_s + LAST_CHANCE_S)
    os.setpgid(0, 0)  # a terminal sends Ctrl-C to the whole group, and the child would receive it twice
    signal.pthread_sigmask(signal.SIG_SETMASK, before - PASSED_ON)  # what a parent blocked until now was kept for PID 1


def _supervise(child: int, ends_within_s: float) -> None:
    """Pass signals on and reap processes until the child has ended, then exit.

    Signals stay blocked and are waited for: a handler would miss one that arrives just before `waitpid`.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # while it is ignored, no signal announces the child's end
    passed_on = {number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN}
    deadline: float | None = None
    while (status := _reap(child)) is None:
        number = _next_signal({*passed_on, signal.SIGCHLD}, deadline)
        if number is None:
            say_now(NOT_ENDED)
            os._exit(os.EX_TEMPFAIL)
        if number in STOP and deadline is None:
            deadline = time.monotonic() + ends_within_s
        if number != signal.SIGCHLD:
            os.kill(child, number)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else KILLED - code)


def _next_signal(numbers: set[signal.Signals], deadline: float | None) -> int | None:
    """Wait for one of these signals; return None when the deadline has passed."""
    if deadline is None:
        return signal.sigwait(numbers)
    received = signal.sigtimedwait(numbers, max(0.0, deadline - time.monotonic()))
    return None if received is None else received.si_signo


def _reap(child: int) -> int | None:
    """Reap every process that has ended; return the child's wait status if it was among them."""
    pid = -1
    while pid not in {0, child}:
        pid, status = os.waitpid(-1, os.WNOHANG)
    return status if pid else None
