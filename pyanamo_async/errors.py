"""The whole error tree.

1. Errors are what this program could not do. A script that fails is normal: that is an `Outcome`, not an error.
2. An error says in one line what failed and for which table, item or file; `hint` says how to go on. The command line
   prints both and exits with `exit_code`.
3. Errors of the API name its arguments; the command line translates them into flags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

SHOWN_PROBLEMS = 3


class PyanamoError(Exception):
    """The base of all errors: `what` failed, and a `hint` how to go on."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}. hint: {self.hint}" if self.hint else self.what


class UsageError(PyanamoError):
    """Invalid usage: an argument, an address, or the content of a file."""

    exit_code = 2


class TaskFileInvalid(UsageError):
    """The task file has invalid lines; `problems` holds one sentence for each."""

    def __init__(self, what: str, problems: list[str], *, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.problems = problems

    def __str__(self) -> str:
        """Return the message with the first problems and how many more there are; `problems` has all of them."""
        named = "; ".join(self.problems[:SHOWN_PROBLEMS])
        more = f"; and {len(self.problems) - SHOWN_PROBLEMS} more" if len(self.problems) > SHOWN_PROBLEMS else ""
        what = f"{self.what}: {named}{more}" if named else self.what
        return f"{what}. hint: {self.hint}" if self.hint else what


class StoreError(PyanamoError):
    """The table refused the operation."""


class TableMissing(StoreError):
    """The table does not exist."""


class SchemaMismatch(StoreError):
    """The table is not one of this program, or has another schema version."""


class ItemMissing(StoreError):
    """The table has no item or worker of that id; of several items, `item_ids` are those that it does not have."""

    def __init__(self, what: str, *, item_ids: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.item_ids = item_ids


class BadRow(StoreError):
    """A stored row cannot be read: `row_id` is its key, `why` what is wrong with it, `row` what it holds.

    `of_worker` tells whether it is one of a worker, or of an item.
    """

    def __init__(self, row: Mapping[str, object], why: str) -> None:
        key = row.get("itemID") or row.get("InstanceID")  # of a worker's row, where those have a table of their own
        self.row_id = key if isinstance(key, str) else repr(key)
        self.of_worker = "itemID" not in row or self.row_id.startswith("#")
        super().__init__(
            f"the row of {self.row_id!r} cannot be read: {why}",
            hint="`pyanamo doctor` lists such rows; an item is mended by importing it again with `on_exists` 'replace'",
        )
        self.row, self.why = row, why


class RowTooLarge(StoreError):
    """A row would outgrow what the table takes; nothing was written."""


class Fenced(StoreError):
    """The item changed since it was read: another holder or state. The claim is lost; write nothing more."""


class TableReplaced(Fenced):
    """The file of the table was replaced by another while it was open: nothing more is read or written."""


class OutputError(PyanamoError):
    """Output could not be stored or read."""


class BucketMissing(OutputError):
    """The bucket or folder does not exist."""


class OutputMissing(OutputError):
    """The location holds no output."""


class Unavailable(PyanamoError):
    """A service or file is unavailable for now (throttling, reset, 5xx, lock): the same call may succeed later.

    `retry_after_s` is the pause in seconds that the service asked for, if it did. `throttled` means that the service
    refused the call and did nothing; otherwise the call may have been carried out.
    """

    def __init__(
        self, what: str, *, hint: str = "", retry_after_s: float | None = None, throttled: bool = False
    ) -> None:
        super().__init__(what, hint=hint)
        self.retry_after_s = retry_after_s
        self.throttled = throttled


class ClockRefused(Unavailable):
    """A service refuses this machine's time: its clock is wrong, or was a moment ago."""


class Denied(PyanamoError):
    """Credentials or region are missing, or the credentials lack a permission."""


class RegionMissing(Denied):
    """No AWS region is known."""


class LaunchFailed(PyanamoError):
    """The script cannot be started on any machine: it holds a NUL byte, or is too long."""


class LaunchRefused(LaunchFailed):
    """This machine cannot start scripts for now: it is out of descriptors, processes or memory, or has no shell."""


class CheckpointRefused(LaunchRefused):
    """The storage does not give what the script is to go on from: other machines may fare no better for now."""


def first_of_ours(error: BaseException) -> PyanamoError | None:
    """Return the first `PyanamoError` in a group of exceptions; None where there is none."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := first_of_ours(inner))), None)
    return error if isinstance(error, PyanamoError) else None
