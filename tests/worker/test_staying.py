"""When a worker that finds nothing to claim goes home, and for whom it stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pyanamo_async.core.items import State
from pyanamo_async.worker.claims import Persistence
from tests.fakes import an_item
from tests.worker.crew import Crew
from tests.worker.virtual import VirtualLoop, run


async def _ghost(loop: VirtualLoop, *, item: str) -> Crew:
    """A worker that beats once, claims an item, and is never heard of again."""
    ghost = Crew(loop, name="ghost")
    await ghost.store.create(shards=1)
    await ghost.store.add([an_item(item)])
    pilot = ghost.pilot()
    await pilot._beats._beat()
    await ghost.store.claim("ghost", limit=1, now=pilot._tools.clock.now())
    return ghost


def test_nobody_goes_home_while_a_silent_worker_holds_an_item() -> None:
    """The last worker there is takes over what a vanished one held, and only then goes home."""

    async def main(loop: VirtualLoop) -> None:
        ghost = await _ghost(loop, item="x")
        tally = await Crew(loop, name="last", store=ghost.store).pilot().run()

        assert tally.settled == {State.DONE: 1}
        assert 180 < loop.time() < 180 + 40

    run(main)


def test_a_holder_that_beats_is_left_to_itself() -> None:
    """Once it has seen that the others live, a worker without work goes home; they finish what they hold."""

    async def main(loop: VirtualLoop) -> None:
        holder = Crew(loop, name="holder")
        await holder.store.create(shards=1)
        await holder.store.add([an_item("long", script="sleep 1000")])
        working = loop.create_task(holder.pilot().run())
        while not (await holder.store.held("holder")):
            await _a_second(loop)
        tally = await Crew(loop, name="other", store=holder.store).pilot().run()
        home_s = loop.time()

        assert not tally.settled
        assert home_s == pytest.approx(3 * 20, abs=20)
        assert (await working).settled == {State.DONE: 1}

    run(main)


def test_idle_exit_is_obeyed_whoever_vanished() -> None:
    """Who was told how long to stay without work stays that long and no longer."""

    async def main(loop: VirtualLoop) -> None:
        ghost = await _ghost(loop, item="x")
        stays = Persistence(idle_exit=timedelta(seconds=60))
        tally = await Crew(loop, name="last", store=ghost.store, persistence=stays).pilot().run()

        assert not tally.settled
        assert loop.time() == pytest.approx(60, abs=25)

    run(main)


async def _a_second(loop: VirtualLoop) -> None:
    passed = loop.create_future()
    loop.call_later(1, passed.set_result, None)
    await passed
