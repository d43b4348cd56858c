"""Run a server for as long as another process lives: `python harness/servers/guard.py PID COMMAND...`.

Whoever needs a server may be killed at any moment; the server must not stay behind. The guard waits for whichever of
the two ends first, by pidfd where the platform has it, and ends the server.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time

LOOK_EVERY_SECONDS = 0.5


def main(pid: int, command: list[str]) -> int:
    """Run `command` until it ends or process `pid` does."""
    server = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    _first_end(pid, server)
    server.terminate()
    try:
        return server.wait(timeout=5)
    except subprocess.TimeoutExpired:
        server.kill()
        return server.wait()


def _first_end(pid: int, server: subprocess.Popen[bytes]) -> None:
    if not hasattr(os, "pidfd_open"):
        while server.poll() is None and _lives(pid):
            time.sleep(LOOK_EVERY_SECONDS)
        return
    try:
        watched = [os.pidfd_open(pid), os.pidfd_open(server.pid)]
    except ProcessLookupError:
        return
    select.select(watched, [], [])


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
