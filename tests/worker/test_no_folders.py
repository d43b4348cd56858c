"""What folders cost the tasks that have none: nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pyanamo_async.core.items import State
from pyanamo_async.store.memory import MemoryStore
from simulation.crew import Crew
from simulation.virtual_time import VirtualLoop, run
from tests.fakes import an_item

ITEMS, NESTED = 20, 5
OF_ITEMS = ("claim", "save")


class Untouched:
    """What must not be asked for anything."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} was asked for")


class CountingStore(MemoryStore):
    """A store that counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    async def claim(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as they come
        claims = await super().claim(*args, **kwargs)
        self.asked["claim"] += len(claims)
        return claims

    async def save(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        self.asked["save"] += 1
        return await super().save(*args, **kwargs)


def test_tasks_without_folders_ask_for_nothing_more() -> None:
    """No folder is made, no object listed, read, written or removed, and an item is one claim and one write."""
    store = CountingStore()

    async def main(loop: VirtualLoop) -> dict[State, int]:
        nothing: Any = Untouched()
        crew = Crew(loop, store=store, objects=nothing, working_folders=nothing)
        await store.create(shards=1)
        await store.add([an_item(f"single-{number}") for number in range(ITEMS)])
        await store.add([an_item(f"nested-{number}", nested=["x", "y"]) for number in range(NESTED)])
        await crew.pilot().run()
        return (await store.counts()).items

    assert run(main)[State.DONE] == ITEMS + NESTED
    assert store.asked == {"claim": ITEMS + NESTED, "save": ITEMS + NESTED}
