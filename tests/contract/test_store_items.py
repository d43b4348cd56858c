"""The laws of adding and reading items."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from pyanamo_async.core.items import Item, State, Task, TaskState
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Outcome, Succeeded
from pyanamo_async.core.values import replace
from pyanamo_async.errors import BadRow, ItemMissing
from pyanamo_async.ports import AddResult, Store
from tests.contract.steps import TEXT, a_record, claim_one, settled
from tests.fakes import NOON, an_item
from tests.outcomes import OUTCOMES

ADDED, SKIPPED, REPLACED, LOCKED = AddResult.ADDED, AddResult.SKIPPED, AddResult.REPLACED, AddResult.LOCKED


async def test_items_are_added_once(store: Store) -> None:
    """What exists is left alone, each item for itself, results in order: repeating a call only skips."""
    await store.add([an_item("b", script="first")])

    results = await store.add([an_item("a"), an_item("b", script="second"), an_item("c")])

    assert results == [ADDED, SKIPPED, ADDED]
    assert (await store.read("b")).tasks[0].script == "first"
    assert await store.add([an_item("a"), an_item("b"), an_item("c")]) == [SKIPPED] * 3


async def test_replacing_overwrites_whole(store: Store) -> None:
    """Nothing of a settled item is left behind by its replacement but the number of its attempts."""
    await store.add([an_item("a", sample="old", priority=1)])
    claimed = await claim_one(store)
    await store.save(claimed, settled(claimed))
    fresh = an_item("a", nested=["x", "y"], sample="new")

    assert await store.add([fresh, an_item("b")], replace=True) == [REPLACED, ADDED]
    assert replace(fresh, attempt=1) == await store.read("a")


async def test_attempts_of_a_replaced_item_count_on(store: Store) -> None:
    """However often an item is replaced and runs, no two of its attempts have one number: their output has one name."""
    numbers = []
    for _ in range(3):
        await store.add([an_item("a")], replace=True)
        await store.add([an_item("a")], replace=True)
        claimed = await claim_one(store)
        numbers.append(claimed.attempt)
        await store.save(claimed, settled(claimed))

    assert numbers == [1, 2, 3]


async def test_a_replaced_item_keeps_its_mark(store: Store) -> None:
    """Its attempts count on, so the output of older ones is found under the mark that it was stored with."""
    await store.add([an_item("a", mark="0000aaaa"), an_item("b")])

    await store.add([an_item("a", mark="1111bbbb"), an_item("b", mark="2222cccc")], replace=True)

    assert [(await store.read(item_id)).mark for item_id in ("a", "b")] == ["0000aaaa", "2222cccc"]


async def test_replacing_never_touches_what_a_worker_holds(store: Store) -> None:
    """A locked item stays as it is, and its worker can settle it."""
    await store.add([an_item("a")])
    claimed = await claim_one(store)

    assert await store.add([an_item("a", script="new"), an_item("b")], replace=True) == [LOCKED, ADDED]
    assert await store.add([an_item("a", script="new")]) == [SKIPPED]
    await store.save(claimed, settled(claimed))
    assert await store.read("a") == settled(claimed)


async def test_any_number_of_items_is_added(store: Store) -> None:
    """One call takes none, and more than any batch of any store; the results keep the order."""
    items = [an_item(f"item-{number}") for number in range(1250)]

    assert await store.add([]) == []
    assert await store.add(items[::2]) == [ADDED] * 625
    assert await store.add(items) == [SKIPPED, ADDED] * 625
    assert (await store.counts()).items[State.TODO] == 1250


async def test_an_item_that_is_twice_in_one_call_is_added_once(store: Store) -> None:
    """Each is for itself, in order: the second meets the first."""
    both = [an_item("a", script="first"), an_item("b"), an_item("a", script="second")]

    assert await store.add(both) == [ADDED, ADDED, SKIPPED]
    assert (await store.read("a")).tasks[0].script == "first"
    assert await store.add(both, replace=True) == [REPLACED] * 3
    assert (await store.read("a")).tasks[0].script == "second"


async def test_existing_ids_are_told(store: Store) -> None:
    """Of any number that are asked for; ids are taken literally."""
    await store.add([an_item("a"), an_item("A"), an_item("ü%_"), an_item("locked")])
    await store.add([an_item(f"n{number}") for number in range(300)])
    asked = ["a", "ü%_", "b", "locked", "%", *(f"n{number}" for number in range(100, 400))]

    assert await store.existing(asked) == {"a", "ü%_", "locked", *(f"n{number}" for number in range(100, 300))}
    assert await store.existing([]) == set()


async def test_many_items_are_read_at_once(store: Store) -> None:
    """Those that are there, whole, whatever their number and state."""
    await store.add([an_item(f"n{number}") for number in range(300)])
    [claimed] = await store.claim("w1", limit=1, now=NOON)

    read = {item.item_id: item for item in await store.read_many([f"n{number}" for number in range(400)])}

    assert read.keys() == {f"n{number}" for number in range(300)}
    assert read[claimed.item_id] == claimed
    assert await store.read_many([]) == []


async def test_a_missing_item_is_said_to_be(store: Store) -> None:
    """By its id."""
    with pytest.raises(ItemMissing, match="absent-id"):
        await store.read("absent-id")


@pytest.mark.parametrize("item_id", ["a b", "ä/ö", "🧬", "--", "'; DROP TABLE items; --", "x" * 1000])
async def test_ids_are_any_text(store: Store, item_id: str) -> None:
    """An id is claimed, read and removed as it was given."""
    await store.add([an_item(item_id)])

    claimed = await claim_one(store)

    assert claimed.item_id == item_id
    assert claimed == await store.read(item_id)
    await store.remove(claimed)


@pytest.mark.parametrize(
    "outcome",
    [*OUTCOMES, Failed(detail=TEXT)],
    ids=lambda outcome: str(outcome.reason) or "succeeded",
)
async def test_records_read_back_as_written(store: Store, outcome: Outcome) -> None:
    """Outcome, usage, and both streams with text that no format likes."""
    await store.add([an_item("a", script=TEXT)])
    claimed = await claim_one(store)
    after = settled(claimed, outcome)
    await store.save(claimed, after)

    assert after == await store.read("a")


async def test_a_rich_item_reads_back_as_written(store: Store) -> None:
    """Every field set, nested tasks in every state, in their order."""
    plain = an_item("rich", attempt=7, worker="w")
    endings: list[tuple[TaskState, Outcome]] = [
        (TaskState.DONE, Succeeded()),
        (TaskState.FAILED, Failed(2)),
        (TaskState.TODO, Interrupted(InterruptReason.STOP)),
    ]
    tasks = tuple(
        Task(f"Task_{number}", f"{TEXT} {number}", state, number, number // 2, a_record(outcome, plain))
        for number, (state, outcome) in enumerate(endings * 4)
    )
    item = replace(
        plain,
        sample=TEXT,
        tasks=(*tasks, Task("Task_12", "never ran")),
        nested=True,
        state=State.LOCKED,
        priority=0,
        max_failures=0,
        timeout=timedelta(seconds=0.5),
        token="token",
        locked_at=NOON,
        done_at=NOON + timedelta(milliseconds=1),
        not_before=NOON - timedelta(milliseconds=1),
        crashes=1,
        interruptions=2,
        wall_time_kills=3,
        seconds_lost=0.5,
        mark="5eed0123",
        args_at=3,
        reason=TEXT,
        history=(TEXT, "", "older"),
    )

    await store.add([item])

    assert item == await store.read("rich")


async def test_large_items_read_back_as_written(store: Store) -> None:
    """An item of 300 KB is claimed, settled and read like any other."""
    script = ("echo ä🧬\0'\"\\\n" * 20_000)[:230_000]
    await store.add([an_item("large", script=script)])
    claimed = await claim_one(store)
    assert claimed.tasks[0].script == script
    after = settled(claimed)

    await store.save(claimed, after)

    assert after == await store.read("large")


async def test_held_items_are_told_whole(store: Store) -> None:
    """What a worker holds now, and nothing it once held or another holds."""
    await store.add([an_item(str(number), nested=["x", "y"]) for number in range(3)])
    await store.add([an_item("other")])
    held: list[Item] = []
    for worker in ("w1", "w2", "w1", "w1"):
        held += [item for item in [await claim_one(store, worker)] if worker == "w1"]
    await store.save(held[0], settled(held[0]))

    assert _by_id(held[1:]) == _by_id(await store.held("w1"))
    assert len(await store.held("w2")) == 1
    assert await store.held("w") == []


def _by_id(items: Sequence[Item | BadRow]) -> list[Item]:
    return sorted((item for item in items if isinstance(item, Item)), key=lambda item: item.item_id)
