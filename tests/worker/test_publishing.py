"""What a worker publishes for those who follow a task, on virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from pyanamo_async.core.items import State
from pyanamo_async.core.output_tail import TAIL_BYTES, OutputTail, TaskRef
from pyanamo_async.errors import Unavailable
from pyanamo_async.store.memory import MemoryStore
from simulation.crew import Crew
from simulation.virtual_time import NOON, VirtualLoop, run
from tests.fakes import an_item

FEED = TaskRef("a", "Task_0", 1)
LONG_AFTER = NOON + timedelta(days=1)
CHATTY = ";".join(["print tick;sleep 0.1"] * 100)


class Table(MemoryStore):
    """A table that counts; with `only_heartbeats` it tells nothing between them, as DynamoDB."""

    def __init__(self, loop: VirtualLoop, *, only_heartbeats: bool = True) -> None:
        super().__init__()
        self.loop, self.only_heartbeats = loop, only_heartbeats
        self.published_at: list[float] = []
        self.ends: list[int] = []
        self.largest = 0
        self.broken = False

    async def followed(self, worker_id: str, *, now: datetime) -> Sequence[TaskRef] | None:
        return None if self.only_heartbeats else await super().followed(worker_id, now=now)

    async def publish(self, feed: TaskRef, live: OutputTail, *, now: datetime) -> bool:
        self.published_at.append(self.loop.time())
        if self.broken:
            raise Unavailable("throttled")
        self.ends.append(live.stdout.end)
        self.largest = max(self.largest, len(live.stdout.data))
        return await super().publish(feed, live, now=now)

    def ask_later(self, at_s: float, feed: TaskRef = FEED, *, until: datetime | None = LONG_AFTER) -> None:
        """Let somebody ask, or withdraw, at a time."""

        def ask() -> None:
            self.loop.create_task(self.follow("w1", feed, until=until))

        self.loop.call_later(at_s, ask)


async def crew_of(table: Table, *scripts: str) -> Crew:
    """A worker with item `a`, of these scripts."""
    await table.create(shards=1)
    await table.add([an_item("a", script=scripts[0], nested=scripts if len(scripts) > 1 else ())])
    return Crew(table.loop, store=table, nests=2)


def test_without_followers_nothing_is_published() -> None:
    """However much is printed, and however long it takes."""

    async def main(loop: VirtualLoop) -> None:
        table = Table(loop)
        crew = await crew_of(table, CHATTY + ";sleep 1000")
        await crew.pilot().run()

        assert table.published_at == []

    run(main)


@pytest.mark.parametrize(("only_heartbeats", "heard_by_s"), [(True, 21), (False, 11)])
def test_a_follower_is_heard_of_with_the_next_heartbeat_or_sooner(only_heartbeats: bool, heard_by_s: float) -> None:
    """Where a store can tell between beats, within a second; and what was printed before is shown at once."""

    async def main(loop: VirtualLoop) -> None:
        table = Table(loop, only_heartbeats=only_heartbeats)
        crew = await crew_of(table, "print early;sleep 100")
        table.ask_later(10)
        await crew.pilot().run()

        assert 10 <= table.published_at[0] <= heard_by_s
        assert table.ends[0] == len("early\n")

    run(main)


def test_what_is_new_is_published_once_a_second() -> None:
    """Not oftener when there is more, and what is not new no oftener than with each beat."""

    async def main(loop: VirtualLoop) -> None:
        table = Table(loop, only_heartbeats=False)
        crew = await crew_of(table, CHATTY + ";sleep 185")
        table.ask_later(0)
        await crew.pilot().run()

        while_it_printed = [at for at in table.published_at if at <= 11]
        pauses = [later - earlier for earlier, later in pairwise(while_it_printed)]
        assert 10 <= len(while_it_printed) <= 12
        assert min(pauses) > 0.99
        assert len(table.published_at) - len(while_it_printed) == 195 // 20
        assert table.ends == sorted(table.ends)

    run(main)


@pytest.mark.parametrize("only_heartbeats", [True, False])
def test_publishing_ends_with_the_last_wish(only_heartbeats: bool) -> None:
    """Withdrawn or expired: the first refusal ends it, or the first look, and nothing is left."""

    async def main(loop: VirtualLoop) -> None:
        table = Table(loop, only_heartbeats=only_heartbeats)
        crew = await crew_of(table, ";".join([CHATTY] * 6))
        table.ask_later(0)
        table.ask_later(24.3, until=None)
        await crew.pilot().run()

        assert 23 <= table.published_at[-1] <= 25.4
        assert await table.published(FEED) is None

    run(main)


def test_what_is_kept_and_published_is_bounded() -> None:
    """A megabyte at once is shown by its end alone."""

    async def main(loop: VirtualLoop) -> None:
        table = Table(loop, only_heartbeats=False)
        crew = await crew_of(table, f"print {'x' * 2**20};sleep 5;print {'y' * 2**20};sleep 5")
        table.ask_later(2)
        await crew.pilot().run()

        assert table.ends[0] == 2**20 + 1
        assert table.ends[-1] == 2 * (2**20 + 1)
        assert table.largest == TAIL_BYTES

    run(main)


def test_of_a_nested_item_only_the_task_is_published_that_is_followed() -> None:
    """From its start, if it had not begun when somebody asked."""

    async def main(loop: VirtualLoop) -> None:
        table = Table(loop, only_heartbeats=False)
        crew = await crew_of(table, "sleep 10;print noise", "sleep 10;print noise", "print signal;sleep 10")
        table.ask_later(0, TaskRef("a", "Task_2", 1))
        await crew.pilot().run()

        assert {len("signal\n")} == set(table.ends)
        assert table.published_at[0] >= 10

    run(main)


def test_trouble_with_publishing_costs_followers_alone() -> None:
    """The item is done, somebody is told, and nobody is pestered."""

    async def main(loop: VirtualLoop) -> None:
        table = Table(loop)
        table.broken = True
        crew = await crew_of(table, "print hello;sleep 100")
        table.ask_later(0)
        tally = await crew.pilot().run()

        assert tally.settled[State.DONE] == 1
        assert len(crew.notes.named("publishing failed")) == 1 < len(table.published_at) <= 6

    run(main)


def test_feeds_of_others_are_left_alone() -> None:
    """An older attempt, another item, a task there is not."""

    async def main(loop: VirtualLoop) -> None:
        table = Table(loop, only_heartbeats=False)
        crew = await crew_of(table, "print hello;sleep 100")
        for feed in (TaskRef("a", "Task_0", 2), TaskRef("b", "Task_0", 1), TaskRef("a", "Task_1", 1)):
            table.ask_later(0, feed)
        await crew.pilot().run()

        assert table.published_at == []

    run(main)
