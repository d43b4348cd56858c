"""The containers of jobs: processes of this machine, in a folder and a session of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path


class Container:
    """A process that runs for a job; `on_exit` hears of its end, in a thread, with its exit code as Docker tells it."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        on_exit: Callable[[Container, int], None],
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.stopped_by = ""  # why Batch ended it, if it did
        self.had_term = False
        self._kill: threading.Timer | None = None
        self._on_exit = on_exit
        self._waiter = threading.Thread(target=self._wait, daemon=True)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def watch(self) -> None:
        """Wait for its end, in a thread."""
        self._waiter.start()

    def stop(self, why: str, *, kill_after_s: float) -> None:
        """Send SIGTERM, and SIGKILL so many seconds later; none before SIGKILL when that is 0."""
        self.stopped_by = self.stopped_by or why
        if kill_after_s <= 0:
            self.kill()
            return
        self.had_term = True
        self._send(signal.SIGTERM)
        self._kill = threading.Timer(kill_after_s, self.kill)
        self._kill.daemon = True
        self._kill.start()

    def kill(self) -> None:
        """Send SIGKILL to it and to what it started in its session."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def join(self, timeout_s: float) -> None:
        """Wait until `on_exit` has heard of its end."""
        self._waiter.join(timeout_s)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _wait(self) -> None:
        code = self._process.wait()
        if self._kill:
            self._kill.cancel()
        self._on_exit(self, 128 - code if code < 0 else code)
