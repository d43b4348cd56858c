"""The whole error tree: what *we* could not do.

A script that fails is normal and is never here; it is an `Outcome`. Every error says what and which in one line,
and how to go on in `hint`. The command line prints exactly that and exits with `exit_code`.
"""

from __future__ import annotations

from typing import ClassVar


class PyanamoError(Exception):
    """Something we could not do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}. hint: {self.hint}" if self.hint else self.what


class UsageError(PyanamoError):
    """What was asked for cannot be meant: a flag, an address, a file's content."""

    exit_code = 2


class TaskFileInvalid(UsageError):
    """The task file has lines that cannot become items; `problems` holds one sentence for each."""

    def __init__(self, what: str, problems: list[str], *, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.problems = problems


class StoreError(PyanamoError):
    """The table could not do what was asked."""


class TableMissing(StoreError):
    """There is no such table."""


class SchemaMismatch(StoreError):
    """The table exists and is not one of ours, or of another version."""


class ItemMissing(StoreError):
    """The table has no such item."""


class Fenced(StoreError):
    """The item is no longer as it was seen: another holder, another state. Stop, write nothing."""


class OutputError(PyanamoError):
    """Output could not be kept or found."""


class BucketMissing(OutputError):
    """There is no such bucket or folder."""


class OutputMissing(OutputError):
    """There is no output at that location."""


class Unavailable(PyanamoError):
    """A service or file does not answer for now (throttling, reset, 5xx, lock): the same call may succeed later.

    `retry_after_s` is the service's own wish in seconds, where it gave one. `throttled` tells that it did answer, and
    refused: nothing was done, where without an answer nobody knows.
    """

    def __init__(
        self, what: str, *, hint: str = "", retry_after_s: float | None = None, throttled: bool = False
    ) -> None:
        super().__init__(what, hint=hint)
        self.retry_after_s = retry_after_s
        self.throttled = throttled


class Denied(PyanamoError):
    """Credentials or region are missing, expired, or do not allow it."""


class LaunchFailed(PyanamoError):
    """A script cannot be started, here or anywhere: it holds a NUL byte, or is too long."""


class LaunchRefused(LaunchFailed):
    """This machine cannot start scripts for now: no descriptors, processes, memory, shell. No fault of the script."""
