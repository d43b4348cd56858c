"""The bar of `run`, which counts the items of the table, whichever workers run them.

It shows the last count of the table, with what this worker has done since. To count a large table of DynamoDB takes
many reads, so the pause between two counts is a hundred times as long as a count.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from pyanamo_async import Counts, PyanamoError, State, Table
from pyanamo_async.cli.background_stderr import BackgroundStderr, PlainText
from pyanamo_async.cli.event_log import line
from pyanamo_async.cli.progress import Bar, Remark
from pyanamo_async.cli.views import RETRYING
from pyanamo_async.core.text.plural import plural

SHOWN_BY_THE_BAR = frozenset({"item claimed", "item waits for room", "item has room", "worker started"})
AGAIN = {"SIGINT": "; Ctrl-C again stops now", "SIGTERM": "; a second SIGTERM stops now"}
LEAST_PAUSE_S, PAUSE_PER_COUNT = 1.0, 100
LAST_COUNT_S = 5.0


def remark(event: str, fields: Mapping[str, Any]) -> Remark:
    """Return an event as a line above the bar."""
    match event:
        case "item settled":
            state = RETRYING if fields.get("retrying") else fields["state"]
            text = f"{fields['item']}: {state}, {fields['reason']}"
        case "stopping" if not fields["scripts"]:
            text = "stopping: no script is running"
        case "stopping":
            have = "has" if fields["scripts"] == 1 else "have"
            text = f"stopping: {plural(fields['scripts'], 'script')} {have} {fields['grace']}"
            text += AGAIN.get(fields["reason"], "")
        case _:
            text = line(event, fields)
    return Remark(text, "red" if fields.get("state") is State.FAILED else "yellow")


class RunBar(Bar):
    """The event log and the display of a worker on a terminal."""

    def __init__(self, put: Callable[[object], None], counts: Counts) -> None:
        super().__init__(counts.total)
        self._put = put
        self._since: Counter[State] = Counter()
        self._waiting = set[object]()  # ids of items that this worker holds and has no room for
        self.counts = counts
        self._sum_up()
        self.start_with(self.ended)

    def counted(self, counts: Counts) -> None:
        """Take a new count of the table."""
        self.counts = counts
        self._since.clear()
        self._sum_up()

    def note(self, event: str, /, **fields: object) -> None:
        """Count the event, and put it above the bar if it is unusual."""
        state = fields.get("state")
        if event == "item claimed":
            self._since[State.LOCKED] += 1
        elif event in {"item settled", "item lost"}:
            self._since[State.LOCKED] -= 1
        if event == "item waits for room":
            self._waiting.add(fields["item"])
        else:
            self._waiting.discard(fields.get("item"))
        if isinstance(state, State):
            self._since[state] += 1
        self._sum_up()
        if event not in SHOWN_BY_THE_BAR and state is not State.DONE:
            self._put(remark(event, fields))

    def words(self) -> Iterator[str]:
        """Yield what runs, waits for room in this worker, retries and failed."""
        yield f"{max(0, self._now(State.LOCKED) - len(self._waiting)):,} running"
        if self._waiting:
            yield f"{len(self._waiting):,} waiting for room"
        if failed := self._now(State.FAILED):
            yield f"{failed:,} failed"
        if self.counts.retrying:
            yield f"{self.counts.retrying:,} retrying"
        if held := self._now(State.PENDING):
            yield f"{held:,} held"

    def _now(self, state: State) -> int:
        return self.counts.items.get(state, 0) + self._since[state]

    def _sum_up(self) -> None:
        self.total = self.counts.total - self.counts.items.get(State.PENDING, 0)
        self.ended = min(self.total, self._now(State.DONE) + self._now(State.FAILED))


@asynccontextmanager
async def counting_bar(table: Table, stderr: BackgroundStderr) -> AsyncIterator[RunBar]:
    """Show a bar, and count the table now and then."""
    bar = RunBar(stderr.put, await table.counts())
    stderr.show(bar)
    counting = asyncio.create_task(_count(table, bar), name="count")
    try:
        yield bar
    finally:
        counting.cancel()
        try:
            async with asyncio.timeout(LAST_COUNT_S):
                bar.counted(await table.counts())
        except (PyanamoError, TimeoutError):
            bar.leave_out()
        await asyncio.wait([counting])
        stderr.show(PlainText())


async def _count(table: Table, bar: RunBar) -> None:
    clock, pause_s = asyncio.get_running_loop().time, LEAST_PAUSE_S
    while True:
        await asyncio.sleep(pause_s)
        began_s = clock()
        with suppress(PyanamoError):  # the worker itself reports that the table is unavailable
            bar.counted(await table.counts())
        pause_s = max(LEAST_PAUSE_S, PAUSE_PER_COUNT * (clock() - began_s))
