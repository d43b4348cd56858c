"""Scripts that need no process: `sleep 2`, `print hello`, `exit 3`, `ignore TERM`, `die 9`, joined by `;`.

`tag S1 0.5` prints a tag, `use 200` takes 200 bytes of memory until another `use`, and `grow 200 5` does so little by
little within 5 s; `out of memory` ends it as the kernel does. `cannot start` alone does what it says, and so does
`starts after 2` in the beginning.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from datetime import timedelta

from pyanamo_async.core.values import replace
from pyanamo_async.errors import LaunchFailed
from pyanamo_async.ports import Command, Exit, Receiver

SLOW = "starts after "
SAMPLE_EVERY_S = 0.25
STEPS = 20  # of what grows


class FakeProcess:
    """One run of a fake script."""

    def __init__(self, command: Command, stdout: Receiver, launcher: FakeLauncher) -> None:
        self.command = command
        self.signals: list[int] = []
        self._deaf = "ignore TERM" in command.script
        self._stdout = stdout
        self._launcher = launcher
        self.used_bytes = self.peak_bytes = 0
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._play: asyncio.Task[None] = asyncio.create_task(self._run())

    @property
    def pid(self) -> int:
        return id(self)

    async def wait(self) -> Exit:
        return await asyncio.shield(self._exit)

    def resume(self) -> None:
        pass

    def signal(self, number: int) -> None:
        self.signals.append(number)
        if number == signal.SIGKILL or (number == signal.SIGTERM and not self._deaf):
            self._over(Exit(None, number))

    async def finish(self, *, linger: timedelta) -> None:  # noqa: ARG002 # nobody holds a pipe here
        self._play.cancel()
        await asyncio.wait([self._play])

    async def _run(self) -> None:
        for words in (line.split() for line in self.command.script.split(";")):
            match words:
                case ["sleep", seconds]:
                    await asyncio.sleep(float(seconds))
                case ["use", size]:
                    self._use(int(size))
                case ["grow", size, seconds]:
                    before = self.used_bytes
                    for step in range(1, STEPS + 1):
                        await asyncio.sleep(float(seconds) / STEPS)
                        self._use(before + (int(size) - before) * step // STEPS)
                case ["print", text]:
                    self._stdout.feed(text.encode() + b"\n")
                case ["tag", *fields]:
                    self._stdout.feed("\t".join(["PyAnamo:", *fields]).encode() + b"\n")
                case ["exit", code]:
                    return self._over(Exit(int(code), None))
                case ["die", number]:
                    return self._over(Exit(None, int(number)))
                case ["out", "of", "memory"]:
                    return self._over(Exit(None, signal.SIGKILL, out_of_memory=True))
        return self._over(Exit(0, None))

    def _use(self, size: int) -> None:
        self._launcher.memory_changed(size - self.used_bytes)
        self.used_bytes = size
        self.peak_bytes = max(self.peak_bytes, size)

    def _over(self, exit_: Exit) -> None:
        if not self._exit.done():
            self._use(0)
            self._exit.set_result(replace(exit_, max_rss_bytes=self.peak_bytes or None))
            self._launcher.running -= 1


class FakeLauncher:
    """Starts fake scripts and remembers how many ran at a time, and which item ran how often."""

    def __init__(self) -> None:
        self.running = self.most_running = 0
        self.started: Counter[str] = Counter()
        self.processes: list[FakeProcess] = []
        self.used_bytes = self.most_used_bytes = 0

    def memory_changed(self, by_bytes: int) -> None:
        """Keep the most that was ever used at a time."""
        self.used_bytes += by_bytes
        self.most_used_bytes = max(self.most_used_bytes, self.used_bytes)

    async def sample(self) -> dict[int, int]:
        """Return after a while what each script uses, by its process id."""
        await asyncio.sleep(SAMPLE_EVERY_S)
        return {each.pid: each.used_bytes for each in self.processes if each.used_bytes}

    async def start(self, command: Command, *, stdout: Receiver, stderr: Receiver) -> FakeProcess:  # noqa: ARG002
        if command.script == "cannot start":
            raise LaunchFailed("no such shell")
        if command.script.startswith(SLOW):
            await asyncio.sleep(float(command.script.removeprefix(SLOW).partition(";")[0]))
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        self.started[command.env["PYANAMO_ITEM_ID"]] += 1
        process = FakeProcess(command, stdout, self)
        self.processes.append(process)
        return process
