"""One worker of the fleet in a box: process, machine, line to the table, and what the witness sees of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from pyanamo_async.core.items import State
from pyanamo_async.ports import Command, Receiver
from pyanamo_async.worker.pilot import RunSummary
from tests.stress.network import NETWORK, Line
from tests.stress.suspension import SuspendableLoop, SuspendableProcess
from tests.stress.witness import Broken, Witness
from tests.worker.crew import Crew, Notes
from tests.worker.fake_launcher import FakeLauncher, FakeProcess


class SeenLauncher(FakeLauncher):
    """Starts fake scripts on a machine, for a worker, in sight of the witness."""

    def __init__(self, witness: Witness, worker: SuspendableProcess, machine: SuspendableProcess) -> None:
        super().__init__()
        self._witness, self._worker, self._machine = witness, worker, machine

    async def start(self, command: Command, *, stdout: Receiver, stderr: Receiver) -> FakeProcess:  # noqa: ARG002
        item_id = command.env["PYANAMO_ITEM_ID"]
        attempt = f"{command.env['PYANAMO_ATTEMPT']} {command.env['PYANAMO_TASK']}"
        process = self._machine.context.run(FakeProcess, command, stdout, self)
        self.processes.append(process)
        process._exit.add_done_callback(
            lambda end: self._witness.ended(item_id, attempt, well=end.result().code == 0), context=NETWORK
        )
        self._witness.started(item_id, attempt, self._worker)
        return process

    def kill(self) -> None:
        """Do what the guard does when the worker has vanished."""
        for process in self.processes:
            process.signal(9)


@dataclass
class SeenNotes(Notes):
    """Hears what a worker believes; says it aloud when asked to."""

    witness: Witness = field(default_factory=Witness)
    speaker: str = ""
    loop: SuspendableLoop | None = None

    def note(self, event: str, /, **fields: object) -> None:
        if self.loop:
            print(f"{self.loop.time():9.1f} {self.speaker:>6} {event}", *(f"{key}={fields[key]}" for key in fields))
        match event, fields:
            case "item settled", {"item": str(item), "attempt": int(attempt), "state": State() as state}:
                self.witness.believed(item, attempt, state, str(fields["reason"]))
            case "attempt broke", {"exc": Broken() as law}:
                raise law
            case "attempt broke", _:
                self.witness.broken(f"a fault of ours: {fields['error']}")


@dataclass
class Member:
    """One worker of the fleet, for as long as it lives."""

    crew: Crew
    line: Line
    process: SuspendableProcess
    machine: SuspendableProcess
    launcher: SeenLauncher
    life: asyncio.Task[RunSummary] | None = None

    def begin(self) -> asyncio.Task[RunSummary]:
        self.life = asyncio.get_running_loop().create_task(self.crew.pilot().run(), context=self.process.context)
        return self.life

    async def put_away(self) -> None:
        """End what is left of it when the schedule is over."""
        self.line.mend()
        self.machine.go_on()
        self.process.go_on()
        if self.life is not None:
            self.life.cancel()
            await asyncio.wait({self.life})
