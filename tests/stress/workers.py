"""Workers of the program that run beside a test, with what they say in a file."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.program import PATIENCE_S, Program

Worker = subprocess.Popen[bytes]


@dataclass
class Fleet:
    """Workers that run with the same flags."""

    pyanamo: Program
    flags: tuple[str, ...]
    running: list[Worker] = field(default_factory=list)

    def start(self) -> Worker:
        """Start one more."""
        with self._log.open("ab") as log:
            worker = subprocess.Popen(
                self.pyanamo.command("run", *self.flags),
                cwd=self.pyanamo.folder,
                env=self.pyanamo.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.running.append(worker)
        return worker

    def codes(self) -> list[int]:
        """Wait for all to end, and return their exit statuses."""
        deadline = time.monotonic() + PATIENCE_S
        try:
            return [worker.wait(timeout=max(0.1, deadline - time.monotonic())) for worker in self.running]
        except subprocess.TimeoutExpired:
            raise AssertionError(f"they did not end in {PATIENCE_S} s: {self.said()[-3000:]}") from None

    def pause(self, seconds: float) -> None:
        """Let time go by, while all of them live."""
        time.sleep(seconds)
        assert [worker.poll() for worker in self.running] == [None] * len(self.running), self.said()[-3000:]

    def said(self) -> str:
        """Read what they wrote."""
        return self._log.read_text()

    @property
    def _log(self) -> Path:
        return self.pyanamo.folder / "workers.log"


@contextmanager
def fleet(pyanamo: Program, workers: int, *flags: str) -> Iterator[Fleet]:
    """Start some workers; none is left afterwards."""
    started = Fleet(pyanamo, flags)
    try:
        for _ in range(workers):
            started.start()
        yield started
    finally:
        for worker in started.running:
            worker.kill()
            worker.wait()
