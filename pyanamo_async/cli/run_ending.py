"""What `run` says at its end: what failed or is left, what went wrong, and what to type.

The last line tells why it ended with another status than it was asked for, also with `--quiet`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyanamo_async import Counts, EventLog, PyanamoError, RunResult, State, Table
from pyanamo_async.cli.flags import name_flags
from pyanamo_async.cli.options import flag_of
from pyanamo_async.core.halting import is_halted
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.text.visible import one_line

SHOWN_IDS = 3
OUT_OF_REACH = 4  # an exit status


class Failures:
    """An event log that passes events on and keeps the ids of the first items that failed."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.first: list[str] = []

    def note(self, event: str, /, **fields: object) -> None:
        """Pass the event on."""
        if fields.get("state") is State.FAILED and len(self.first) < SHOWN_IDS:
            self.first.append(str(fields["item"]))
        self._log.note(event, **fields)


class Quiet:
    """An event log that writes nothing, and keeps which rows cannot be read: those are errors."""

    def __init__(self) -> None:
        self._unreadable: list[str] = []

    def note(self, event: str, /, **fields: object) -> None:
        """Take the event."""
        if event == "row cannot be read":
            self._unreadable.append(str(fields["row"]))

    def errors(self, address: str) -> Iterator[str]:
        """Yield the line that tells of such rows, if there are any."""
        count = len(self._unreadable)
        if count:
            names = ", ".join(self._unreadable[:SHOWN_IDS]) + (", ..." if count > SHOWN_IDS else "")
            yield (
                f"pyanamo: {plural(count, 'row')} cannot be read ({names}). "
                f"hint: {_command('doctor', address)} says why"
            )


def ending(result: RunResult, failed_ids: Sequence[str], counts: Counts | None, *, address: str) -> Iterator[str]:
    """Yield lines for a person: what the table holds by `counts`, or without a count what this worker saw."""
    failed = counts.items.get(State.FAILED, 0) if counts else result.failed
    left = counts.left if counts else 0
    if failed:
        names = ", ".join(failed_ids) + (", ..." if failed > len(failed_ids) > 0 else "")
        yield failed_items(failed, address, names=names)
        if result.exit_status == 0 and not result.failed:
            they, step = "it" if failed == 1 else "they", _command("wait", address)
            yield f"{they} failed before, or in other workers: this one exits with 0, {step} with 3"
    if held := counts.items.get(State.PENDING, 0) if counts else 0:
        yield f"{_are(held)} held: {_command('list --state Pending', address)}"
    running = counts.items.get(State.LOCKED, 0) if counts else 0  # by others: this worker has ended
    if running:
        yield f"{_are(running)} being run by {'another worker' if running == 1 else 'other workers'}"
    if left > running and result.exit_status != OUT_OF_REACH:
        yield f"{_are(left - running)} left: {_command('run', address)}"


def failed_items(failed: int, address: str, *, names: str = "") -> str:
    """Return how many items are failed, and what to type about them."""
    why, again = _command("failures", address), _command("retry", address)
    them = "it" if failed == 1 else "them"
    return f"{_are(failed)} failed{f' ({names})' if names else ''}: {why} says why, {again} runs {them} again"


def trouble(result: RunResult, *, address: str) -> Iterator[str]:
    """Yield a line that tells what went wrong, or that what is left is not for workers like this one."""
    if result.trouble:
        hint = f". hint: {_command('failures', address)} says why" if is_halted(result.trouble) else ""
        yield f"pyanamo: {name_flags(one_line(result.trouble))}{hint}"
    elif result.exit_status == OUT_OF_REACH:
        told = _command("status", address)
        yield f"{_are(result.out_of_reach)} left that no living worker takes: {told} says what they need"


async def free_counts(table: Table) -> Counts | None:
    """Count the table where that costs nothing; None elsewhere, or where it cannot be counted."""
    if not table.address.startswith("sqlite:"):
        return None
    try:
        return await table.counts()
    except PyanamoError:
        return None


def _are(count: int) -> str:
    return f"{plural(count, 'item')} {'is' if count == 1 else 'are'}"


def _command(words: str, address: str) -> str:
    return f"pyanamo {words}{flag_of(address)}"
