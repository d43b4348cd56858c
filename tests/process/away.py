"""Programs on a folder that is away, without one: whoever executes a leased file waits until the lease is given up."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Away:
    """A program whose start hangs until it is `back`, in the kernel, as on a network that is down."""

    def __init__(self, program: Path, script: str) -> None:
        self.program = program
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        self._lease = os.open(program, os.O_RDONLY)
        fcntl.fcntl(self._lease, fcntl.F_SETSIG, signal.SIGURG)  # that somebody waits, which nobody needs to hear
        fcntl.fcntl(self._lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)

    def back(self) -> None:
        """Let those who wait go on; harmless when repeated."""
        if self._lease >= 0:
            fcntl.fcntl(self._lease, fcntl.F_SETLEASE, fcntl.F_UNLCK)  # those who hang have a copy of the descriptor
            os.close(self._lease)
            self._lease = -1


@contextmanager
def away(program: Path, script: str) -> Iterator[Away]:
    """Make a program that is away, and comes back in the end."""
    made = Away(program, script)
    try:
        yield made
    finally:
        made.back()
