"""Real workers to be stopped, cut off and killed, and a file in which their scripts bear witness."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from harness.program import PATIENCE_S, Program, Row

SHORT_LEASE = ("--heartbeat", "0.5s", "--lease", "6s")  # a busy machine can keep it


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one script; `ended` is None when it did not come to its own end. Times are in nanoseconds."""

    item: str
    attempt: int
    begun: int
    ended: int | None


@dataclass(frozen=True, slots=True)
class Witness:
    """A file to which scripts append when they begin and when they come to their end."""

    file: Path

    def script(self, work: str) -> str:
        """Wrap a script's work in its testimony."""
        line = "$1 $PYANAMO_ITEM_ID $PYANAMO_TASK $PYANAMO_ATTEMPT $at"
        say = f'w() {{ at=$(date +%s%N) && echo "{line}" >> {self.file}; }}'  # none without a time if date is killed
        return f"{say}; w begin; {work}; w end"

    def runs(self) -> list[Run]:
        """Read who ran, in the order of their beginnings."""
        begun, ended = self._at("begin"), self._at("end")
        return [Run(key[0], int(key[2]), at, ended.get(key)) for key, at in begun.items()]

    def begun(self) -> int:
        """Count the runs that began."""
        return len(self._at("begin"))

    def overlaps(self) -> list[tuple[Run, Run]]:
        """List runs of one item that began before the one before had ended; none that was killed has an end."""
        runs = sorted(self.runs(), key=lambda run: (run.item, run.begun))
        return [(one, two) for one, two in pairwise(runs) if one.item == two.item and (one.ended or 0) > two.begun]

    def _at(self, what: str) -> dict[tuple[str, str, str], int]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        words = [line.split() for line in lines]
        return {(item, task, attempt): int(at) for said, item, task, attempt, at in words if said == what}


@dataclass(slots=True)
class Worker:
    """A worker process, and what it says."""

    process: subprocess.Popen[str]
    scribe: subprocess.Popen[bytes]
    log: Path

    def exit(self) -> int:
        """Wait for its exit status."""
        try:
            status = self.process.wait(PATIENCE_S)
            self.scribe.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still there after {PATIENCE_S} s: {self.said()}") from None
        return status

    def said(self) -> str:
        """Read what it said until now."""
        return self.log.read_text()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)


@dataclass(slots=True)
class Site:
    """A program, its workers, and all processes that came of them: each bears the folder of the test as its HOME."""

    program: Program
    workers: list[Worker] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The folder of the test."""
        return self.program.folder

    @property
    def witness(self) -> Witness:
        """What the scripts tell."""
        return Witness(self.folder / "witness")

    def start(self, *flags: str) -> Worker:
        """Start a worker. A process of its own writes down what it says: a full disk shall not silence it."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        with log.open("w") as file:
            scribe = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file, env={"HOME": str(self.folder)})
        process = subprocess.Popen(
            self.program.command("run", *flags),
            cwd=self.folder,
            env=self.program.env,
            stdin=subprocess.DEVNULL,
            stderr=scribe.stdin,
            text=True,
        )
        assert scribe.stdin
        scribe.stdin.close()
        worker = Worker(process, scribe, log)
        self.workers.append(worker)
        return worker

    def items(self, *rows: str, header: str = "itemID|TaskID|TaskScript") -> None:
        """Import items."""
        self.program.import_rows(*rows, header=header)

    def states(self) -> dict[str, str]:
        """Tell where each item stands."""
        return {name: row["ItemState"] for name, row in self.rows().items()}

    def rows(self) -> dict[str, Row]:
        """Read the items as they are stored."""
        return self.program.rows()

    def crew(self) -> list[dict[str, Any]]:
        """List the workers the table knows."""
        listed: list[dict[str, Any]] = json.loads(self.program("workers", "--json"))
        return listed

    def scripts(self, *, attempt: int | None = None) -> list[psutil.Process]:
        """List the processes of scripts, of one attempt or all: these, and what they started that is still there."""
        attempts = [(process, env.get("PYANAMO_ATTEMPT")) for process, env in self._processes()]
        return [process for process, of in attempts if of and attempt in {None, int(of)}]

    def processes(self) -> list[psutil.Process]:
        """List all processes that are still there, those of workers included."""
        return [process for process, _ in self._processes()]

    def end(self) -> None:
        """Leave no process behind, whatever became of the test."""
        for process, _ in self._processes():
            process.kill()
        for worker in self.workers:
            worker.process.wait()
            worker.scribe.wait()

    def _processes(self) -> list[tuple[psutil.Process, dict[str, str]]]:
        found = []
        for process in psutil.process_iter():
            try:
                env = process.environ()
            except psutil.Error:
                continue
            if env.get("HOME") == str(self.folder):
                found.append((process, env))
        return found


def with_env(program: Program, **env: str) -> Program:
    """Give a program more environment."""
    return replace(program, env={**program.env, **env})
