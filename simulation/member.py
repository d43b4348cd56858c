"""One worker of a simulated fleet: its process, its scripts, its way to the table, and what the laws observe of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from pyanamo_async.core.items import State
from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.ports import Command, Receiver
from pyanamo_async.worker.run_summary import RunSummary
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew, Notes
from simulation.fake_launcher import FakeLauncher, FakeProcess
from simulation.laws import Broken, Laws
from simulation.lives import RunningScript
from simulation.network import NETWORK, Client
from simulation.suspension import Machine, SuspendableLoop, SuspendableProcess

GUARD_LOOKS_S = 3.0  # every two seconds, on a busy machine
NOTICES_S = 0.5  # that it stood still, once it runs again
PUT_AWAY_S = 600.0  # for the end of a worker that is cancelled while the table answers
RESUMES_S = 40.0  # to notice that its machine was suspended: its next heartbeat is answered by then


class ObservedLauncher(FakeLauncher):
    """Starts fake scripts for a worker, as processes of their own that the laws observe."""

    def __init__(self, laws: Laws, worker: SuspendableProcess, scripts: SuspendableProcess) -> None:
        super().__init__()
        self._laws, self._worker, self._scripts = laws, worker, scripts

    async def start(self, command: Command, *, stdout: Receiver, stderr: Receiver) -> FakeProcess:  # noqa: ARG002
        item_id = command.env["PYANAMO_ITEM_ID"]
        attempt = f"{command.env['PYANAMO_ATTEMPT']} {command.env['PYANAMO_TASK']}"
        process = self._scripts.context.run(FakeProcess, command, stdout, self)
        self.running += 1
        self.processes.append(process)
        process._exit.add_done_callback(
            lambda end: self._laws.ended(item_id, attempt, well=end.result().code == 0), context=NETWORK
        )
        self._laws.started(item_id, attempt, RunningScript(self._worker, self._scripts))
        return process

    def kill(self) -> None:
        """Do what the guard does when the worker has vanished."""
        for process in self.processes:
            process.signal(9)


class Guard:
    """Ends scripts when the lease has passed; `stand_still` with them, as a frozen container or a suspended machine."""

    def __init__(self, loop: SuspendableLoop, launcher: ObservedLauncher) -> None:
        self._loop, self._launcher = loop, launcher
        self._next: asyncio.TimerHandle | None = None
        self._stands_still = self._is_due = False

    def lease_until(self, boottime_s: float) -> None:
        """Look a moment after this time, and no more before."""
        if self._next is not None:
            self._next.cancel()
        self._next = self._loop.call_at(boottime_s + GUARD_LOOKS_S, self._look, context=NETWORK)

    def stand_still(self) -> None:
        """Look no more."""
        self._stands_still = True

    def resume(self) -> None:
        """Look again, a moment later."""
        self._stands_still = False
        if self._is_due:
            self._loop.call_later(GUARD_LOOKS_S, self._look, context=NETWORK)

    def _look(self) -> None:
        self._is_due = self._stands_still
        if not self._stands_still:
            self._launcher.kill()


@dataclass
class ObservedNotes(Notes):
    """Reports to the laws what a worker believes, and prints it where that is wanted."""

    laws: Laws = field(kw_only=True)
    speaker: str = ""
    aloud: bool = False

    def note(self, event: str, /, **fields: object) -> None:
        if self.aloud:
            said = (f"{key}={fields[key]}" for key in fields)
            print(f"{self.laws.loop.time():9.1f} {self.speaker:>6} {event}", *said, flush=True)
        match event, fields:
            case "item claimed", {"item": str(item), "attempt": int(attempt)}:
                self.laws.known.add((item, attempt))
            case "item settled", {"item": str(item), "attempt": int(attempt), "state": State() as state}:
                self.laws.believed(item, attempt, state, str(fields["reason"]))
            case "draining", _:
                self.laws.draining(self.speaker)
            case "claims without an answer left to other workers", _:
                self.laws.left_claims(self.speaker)
            case "fenced", _:
                self.laws.fenced(self.speaker)
            case "attempt broke", {"exc": Broken() as law}:
                raise law
            case "attempt broke", _:
                self.laws.broken(f"a fault of ours: {fields['error']}")


@dataclass
class Member:
    """One worker of the fleet, for as long as it lives."""

    crew: Crew
    client: Client
    machine: Machine
    process: SuspendableProcess
    scripts: SuspendableProcess
    launcher: ObservedLauncher
    guard: Guard
    killed: asyncio.Event = field(default_factory=asyncio.Event)
    life: asyncio.Task[RunSummary] | None = None

    def begin(self) -> asyncio.Task[RunSummary]:
        """Start it."""
        self.life = asyncio.get_running_loop().create_task(self._run(), context=self.process.context)
        return self.life

    async def _run(self) -> RunSummary:
        await self.crew.store.existing([])  # opens the table, as `pyanamo run` does before anything else
        return await self.crew.pilot().run()

    def kill(self, *, scripts_end_after_s: float) -> None:
        """End the worker, and a moment later its scripts, as its guard does."""
        self.process.stop()
        asyncio.get_running_loop().call_later(scripts_end_after_s, self.launcher.kill, context=NETWORK)
        self.killed.set()

    def request(self, level: Level) -> None:
        """Order it to stop or to drain, as a signal does."""
        self.process.context.copy().run(self.crew.stop.request, level, str(InterruptReason.STOP))

    def stand_still(self, *, with_scripts: bool) -> None:
        """Stop the worker, perhaps with its scripts."""
        self.process.stop()
        if with_scripts:
            self.scripts.stop()
            self.guard.stand_still()

    def resume(self, loop: SuspendableLoop, *, suspended_s: float = 0.0) -> float:
        """Let it run again; return after how many seconds it must have noticed."""
        if self.killed.is_set():
            return 0.0
        self.machine.suspended_s += suspended_s
        noticed_s = RESUMES_S if suspended_s else NOTICES_S
        self.process.excused_until_s = loop.time() + noticed_s
        if self.scripts.stopped:
            self.scripts.excused_until_s = loop.time() + 2 * GUARD_LOOKS_S
            self.scripts.resume()
            self.guard.resume()
        self.process.resume()
        return max(noticed_s, 2 * GUARD_LOOKS_S)

    async def put_away(self) -> bool:
        """Cancel what is left of it when the schedule is over; return whether it ended."""
        self.client.mend()
        self.scripts.resume()
        self.process.resume()
        if self.life is None:
            return True
        self.life.cancel()
        await asyncio.wait({self.life}, timeout=PUT_AWAY_S)
        return self.life.done()
