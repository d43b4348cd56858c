"""What signals mean to a worker: orders to drain or stop, and to stand still and go on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from pyanamo_async.worker.pilot import Pilot
from pyanamo_async.worker.stop import Level, Stop

WARNINGS = {  # each may come again, and means no more then: a shell and the kernel both send SIGHUP
    signal.SIGUSR1: Level.DRAIN,  # a limit or a suspension is near: Slurm's --signal, Grid Engine's s_rt and -notify
    signal.SIGUSR2: Level.STOP,  # it kills soon: Grid Engine's -notify, LSF
    signal.SIGXCPU: Level.STOP,  # the soft limit of CPU time is over
    signal.SIGHUP: Level.STOP,
    signal.SIGQUIT: Level.NOW,
}


@contextmanager
def orders_by_signal(stop: Stop, stopping: Callable[..., None]) -> Iterator[None]:
    """Take signals for orders; one that is ignored stays so, as `nohup` promises.

    `stopping` hears of those that stop the worker even while the event loop is blocked.
    """
    received: list[int] = []

    def heard(number: int, _: object) -> None:
        level = WARNINGS.get(signal.Signals(number), Level.NOW if received else Level.STOP)  # as `stop` will see it
        if level >= Level.STOP:
            stopping(now=level is Level.NOW)
            received.append(number)

    loop = asyncio.get_running_loop()
    orders = {number: partial(stop.signalled, number.name) for number in (signal.SIGTERM, signal.SIGINT)} | {
        number: partial(stop.request, level, number.name) for number, level in WARNINGS.items()
    }
    taken = [number for number in orders if signal.getsignal(number) is not signal.SIG_IGN]
    for number in taken:
        loop.add_signal_handler(number, orders[number])
        signal.signal(number, heard)  # the loop hears of signals in another way
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


@contextmanager
def job_control_by_signal(pilot: Pilot) -> Iterator[None]:
    """Stop and go on with all scripts, as Ctrl-Z and `fg` of a shell, or a batch system that suspends jobs, ask for."""

    def stop() -> None:
        pilot.suspend()
        os.kill(os.getpid(), signal.SIGSTOP)  # here it stands until SIGCONT

    loop = asyncio.get_running_loop()
    stops = signal.getsignal(signal.SIGTSTP) is not signal.SIG_IGN
    loop.add_signal_handler(signal.SIGCONT, pilot.resume)
    if stops:
        loop.add_signal_handler(signal.SIGTSTP, stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGCONT)
        if stops:
            loop.remove_signal_handler(signal.SIGTSTP)
