"""The folders of one attempt at one task: made before it starts, kept when it ends, removed after its claim has ended.

1. A task that asked for no folder has none, and none of this runs.
2. `done` implies that the results are stored: those that cannot be are a failure that says so.
3. All folders of an attempt are in one, on the fastest disk of the machine.
"""

from __future__ import annotations

from pathlib import Path

from pyanamo_async.core.folders import VARIABLES, Folder, Folders
from pyanamo_async.core.outcomes import Failed, Outcome, Succeeded, detail
from pyanamo_async.core.results import Results
from pyanamo_async.core.values import replace
from pyanamo_async.errors import LaunchRefused, OutputError
from pyanamo_async.host.working_folders import THREADS, remove_folder
from pyanamo_async.ports import Command, ObjectKey
from pyanamo_async.worker.context import Adapters
from pyanamo_async.worker.results import store_results

TMP = "tmp"


class TaskFolders:
    """The folders `wanted` of an attempt at the task of `key`, whose item has the `mark`."""

    def __init__(self, wanted: Folders, adapters: Adapters, key: ObjectKey, *, attempt: int, mark: str) -> None:
        self._wanted, self._key, self._attempt, self._mark = wanted, key, attempt, mark
        self._working_folders, self._objects = adapters.working_folders, adapters.objects
        self._folder: Path | None = None
        self.results = Results()

    async def make(self, command: Command) -> Command:
        """Make the folders, and return a command that finds them.

        Raises:
            LaunchRefused: this machine has no place for them for now.
        """
        names = [*sorted(self._wanted), *([f"{Folder.SCRATCH}/{TMP}"] if Folder.SCRATCH in self._wanted else [])]
        try:
            folder = self._folder = await THREADS.run(self._working_folders.make, *names)
        except OSError as error:
            raise LaunchRefused(
                f"no folder for a task can be made: {error.strerror}", hint="TMPDIR names another disk"
            ) from error
        variables = {variable: str(folder / each) for each, variable in VARIABLES.items() if each in self._wanted}
        if Folder.SCRATCH not in self._wanted:
            return replace(command, env={**command.env, **variables})
        scratch = str(folder / Folder.SCRATCH)
        env = {**command.env, **variables, "PWD": scratch, "TMPDIR": f"{scratch}/{TMP}"}
        return replace(command, env=env, folder=scratch)

    async def keep(self, outcome: Outcome) -> Outcome:
        """Store what the task left, once nothing of its group is left; return its outcome, which that may change."""
        if self._folder is None or not isinstance(outcome, Succeeded) or Folder.RESULTS not in self._wanted:
            return outcome
        try:
            self.results = await store_results(
                self._folder / Folder.RESULTS, self._objects, self._key, attempt=self._attempt, mark=self._mark
            )
        except OutputError as error:
            return Failed(exit_code=0, detail=detail(f"results not stored: {error.what}"))
        return outcome

    async def remove(self) -> None:
        """Remove the folders with all that is in them."""
        if self._folder is not None:
            await THREADS.run(remove_folder, self._folder)
