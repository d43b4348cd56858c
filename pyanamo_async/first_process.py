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
from collections.abc import Iterable
from contextlib import suppress

PASSED_ON = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
KILLED = 128  # and the number of the signal, as shells have it


def step_down() -> None:
    """Where this is the first process, return in a child of it alone. To be called while there is one thread."""
    if os.getpid() != 1:
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)  # none is lost that comes meanwhile
    child = os.fork()
    if child:
        _stand_by(child, before)
    os.setpgid(0, 0)  # a terminal tells the whole group of Ctrl-C, and the child would hear of it twice
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stand_by(child: int, mask: Iterable[int]) -> None:
    def pass_on(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    for number in PASSED_ON:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    pid = status = 0
    while pid != child:
        pid, status = os.wait()
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else KILLED - code)
