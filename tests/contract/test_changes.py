"""Orders of a person on a selection: what is changed, what is left alone, and what is said of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, cast

import pytest

from pyanamo_async.core.editing import Edits, edit
from pyanamo_async.core.holding import hold
from pyanamo_async.core.items import Item, State, TaskState
from pyanamo_async.core.orders import reset
from pyanamo_async.core.outcomes import Failed, Outcome, Succeeded
from pyanamo_async.core.selection import Selection
from pyanamo_async.core.transitions import settle
from pyanamo_async.core.values import replace
from pyanamo_async.errors import StoreError
from pyanamo_async.operate.changing import Change, ChangeResult, Writer, change
from pyanamo_async.operate.selecting import PAGE, select
from pyanamo_async.ports import Store
from tests.contract.steps import POLICY, a_record, claim, claim_one, failed, settled
from tests.fakes import NOON, FakeClock, an_item

FAILED = Selection(states=["failed"])
EVERYTHING = Selection(all=True)


def retried(item: Item, tasks: Collection[str]) -> Item:
    return reset(item, tasks=tasks, token="order")


def rerun(item: Item, tasks: Collection[str]) -> Item:
    return reset(item, tasks=tasks, all_tasks=True, token="order")


async def order(store: Store, selection: Selection, how: Change = retried, **more: Any) -> ChangeResult:  # noqa: ANN401 # any argument of change
    return await change(Writer(store, FakeClock()), selection, how, **more)


class Meddled:
    """A store in which somebody else is quicker once: just before the first call of one of its methods."""

    def __init__(self, store: Store, method: str, meddle: Callable[[], Awaitable[object]]) -> None:
        self._store, self._method = store, method
        self._meddle: Callable[[], Awaitable[object]] | None = meddle

    def __getattr__(self, name: str) -> object:
        if name != self._method:
            return getattr(self._store, name)

        async def late(*args: object) -> object:
            if self._meddle:
                meddle, self._meddle = self._meddle, None
                await meddle()
            return await getattr(self._store, name)(*args)

        return late


async def test_a_retry_runs_again_what_failed_and_nothing_else(store: Store) -> None:
    """Failed items go back with their ledgers cleared; what is done, waits or runs stays as it is."""
    await _one_of_each(store)
    before = {name: await store.read(name) for name in ("done", "held", "new", "later")}

    result = await order(store, FAILED)

    item = await store.read("failed")
    assert (result.selected, result.changed, result.complete) == (1, 1, True)
    assert (item.state, item.failures, item.attempt, len(item.todo)) == (State.TODO, 0, 1, 1)
    assert before == {name: await store.read(name) for name in before}


async def test_what_tasks_need_is_set(store: Store) -> None:
    """And stored; what a task was found to need before is forgotten."""
    await store.add([an_item("a", memory_need_bytes=9 << 30), an_item("b", memory_need_bytes=9 << 30)])
    edits = Edits(memory_bytes=3 << 30, cpus=4)

    await order(store, Selection(ids=["a"]), lambda item, _: edit(item, [], edits, now=NOON, token="order"))

    changed, other = await store.read("a"), await store.read("b")
    assert (changed.memory_bytes, changed.cpus, changed.memory_need_bytes) == (3 << 30, 4, 0)
    assert (other.memory_bytes, other.cpus, other.memory_need_bytes) == (None, 1, 9 << 30)


async def test_finished_tasks_of_a_nested_item_stay_finished(store: Store) -> None:
    """Two hours of work are not repeated because a sibling failed; its record stays too."""
    finished = await _partly_failed(store)

    await order(store, FAILED)

    item = await store.read("n")
    assert [task.state for task in item.tasks] == [TaskState.DONE, TaskState.TODO, TaskState.TODO]
    assert finished == item.tasks[0]


async def test_a_selection_of_tasks_puts_back_these_only(store: Store) -> None:
    """The others keep their state."""
    await _partly_failed(store)

    await order(store, Selection(ids=["n"], where="exit == 2"))

    assert [task.state for task in (await store.read("n")).tasks] == [TaskState.DONE, TaskState.FAILED, TaskState.TODO]


async def test_a_reset_runs_everything_again(store: Store) -> None:
    """Also what is done; the attempt number counts on."""
    await _one_of_each(store)

    result = await order(store, EVERYTHING, rerun)

    assert (result.selected, result.changed, result.unchanged, result.locked) == (5, 3, 1, ["held"])
    again = await claim(store, "w2", limit=4)
    assert {item.item_id: item.attempt for item in again} == {"done": 2, "failed": 2, "later": 2, "new": 1}


async def test_a_locked_item_is_left_alone_and_named(store: Store) -> None:
    """Its worker goes on, and settles as if nothing had been ordered."""
    await _one_of_each(store)
    held = await store.read("held")

    result = await order(store, Selection(ids=["held"]), rerun)

    assert (result.locked, result.changed, result.complete) == (["held"], 0, False)
    await store.save(held, settled(held))
    assert (await store.read("held")).state is State.DONE


async def test_repeated_an_order_finds_nothing_to_do(store: Store) -> None:
    """Twice is as good as once."""
    await _one_of_each(store)
    selection = Selection(ids=["failed", "done", "new"])
    await order(store, selection, rerun)
    items = [await store.read(name) for name in ("failed", "done", "new")]

    result = await order(store, selection, rerun)

    assert (result.changed, result.unchanged, result.complete) == (0, 3, True)
    assert items == [await store.read(name) for name in ("failed", "done", "new")]


async def test_a_dry_run_names_what_would_change(store: Store) -> None:
    """And changes nothing, and asks nobody."""
    await _one_of_each(store)

    result = await order(store, EVERYTHING, dry_run=True, confirm=lambda _: False)

    assert (sorted(result.item_ids), result.changed, result.locked) == (["failed", "later"], 2, ["held"])
    assert (await store.read("failed")).state is State.FAILED


async def test_who_says_no_changes_nothing(store: Store) -> None:
    """The question comes with the number of items, before the first write."""
    await _one_of_each(store)
    asked: list[int] = []

    def refuse(items: int) -> bool:
        asked.append(items)
        return False

    result = await order(store, EVERYTHING, confirm=refuse)

    assert (asked, result.changed, result.complete) == ([5], 0, False)
    assert (await store.read("failed")).state is State.FAILED


async def test_what_changed_since_it_was_listed_is_left_alone(store: Store) -> None:
    """The selection is asked again with the item as it is now."""
    await _one_of_each(store)

    async def somebody_retries() -> None:
        await order(store, FAILED)
        await claim(store, "w2", limit=2)

    result = await order(_meddled(store, "read_many", somebody_retries), FAILED, rerun)

    assert (result.selected, result.changed, result.no_longer_matching, result.complete) == (1, 0, 1, False)
    assert (await store.read("failed")).state is State.LOCKED


async def test_what_is_deleted_meanwhile_is_left_alone(store: Store) -> None:
    """It counts as no longer matching."""
    await _one_of_each(store)
    item = await store.read("failed")

    result = await order(_meddled(store, "read_many", lambda: store.remove(item)), FAILED)

    assert (result.selected, result.no_longer_matching) == (1, 1)


async def test_who_claims_at_that_moment_keeps_the_item(store: Store) -> None:
    """The write is fenced: no item is taken from a worker."""
    await store.add([an_item("a")])
    await store.save(claimed := await claim_one(store), failed(claimed))
    waiting = await store.read("a")
    assert waiting.not_before

    result = await order(
        _meddled(store, "save", lambda: claim_one(store, "w2", now=waiting.not_before or NOON)), EVERYTHING
    )

    assert (result.locked, result.changed, result.complete) == (["a"], 0, False)
    assert ((await store.read("a")).worker, (await store.read("a")).attempt) == ("w2", 2)


async def test_of_two_orders_at_once_one_is_written(store: Store) -> None:
    """An order never takes the work of another for its own."""
    await _partly_failed(store)

    async def somebody_resets() -> None:
        await order(store, FAILED, lambda item, _: reset(item, all_tasks=True, token="theirs"))

    result = await order(_meddled(store, "save", somebody_resets), FAILED)

    assert (result.no_longer_matching, result.changed) == (1, 0)
    assert len((await store.read("n")).todo) == 3


async def test_who_finds_the_order_carried_out_by_another_is_content(store: Store) -> None:
    """Two at once hold everything: nobody is told that items were left alone."""
    await store.add([an_item("a")])

    def parked(item: Item, _: Collection[str]) -> Item:
        return hold(item, now=NOON, token="ours")

    async def somebody_holds() -> None:
        await order(store, EVERYTHING, lambda item, _: hold(item, now=NOON, token="theirs"))

    result = await order(_meddled(store, "save", somebody_holds), EVERYTHING, parked)

    assert (result.unchanged, result.held, result.complete) == (1, 1, True)


async def test_what_the_table_refuses_is_counted_and_told(store: Store) -> None:
    """One bad row does not end the order."""
    await store.add([an_item("a"), an_item("b")])
    for item in await claim(store, limit=2):
        await store.save(item, _buried(item))

    async def refuse() -> None:
        raise StoreError("too large")

    result = await order(_meddled(store, "save", refuse), FAILED)

    assert (result.changed, result.failed, result.problem, result.complete) == (1, 1, "too large", False)


async def test_many_pages_are_changed(store: Store) -> None:
    """Whatever the change does to the queue that is listed, each item is changed once."""
    names = [f"{number:03}" for number in range(2 * PAGE + 3)]
    await store.add([an_item(name) for name in names])
    for item in await claim(store, limit=len(names)):
        await store.save(item, _buried(item))
    seen: list[int] = []

    result = await order(store, FAILED, progress=lambda result: seen.append(result.seen))

    assert (result.selected, result.changed) == (len(names), len(names))
    assert seen == [PAGE, 2 * PAGE, len(names)]
    assert (await store.counts()).items[State.TODO] == len(names)


async def test_an_id_that_the_table_does_not_have_is_named(store: Store) -> None:
    """The others are changed, if there are any."""
    await _one_of_each(store)

    result = await order(store, Selection(ids=["failed", "nosuch"]))

    assert (result.missing, result.changed, result.complete) == (["nosuch"], 1, False)
    none = await order(store, Selection(ids=["nosuch"]))
    assert (none.missing, none.selected, none.complete) == (["nosuch"], 0, False)


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (EVERYTHING, ["done", "failed", "held", "later", "new"]),
        (Selection(states=["FAILED", "done"]), ["done", "failed"]),
        (Selection(ids=["new", "done"]), ["done", "new"]),
        (Selection(ids=["new", "done"], states=["todo"]), ["new"]),
        (Selection(sample="s2"), ["failed"]),
        (Selection(worker="w1"), ["done", "failed", "held", "later"]),
        (Selection(worker="w1", states=["locked"]), ["held"]),
        (Selection(where="exit == 1"), ["failed", "later"]),
        (Selection(where="exit == 1", states=["todo", "failed"], sample="s2"), ["failed"]),
        (Selection(task="0", states=["todo"]), ["later", "new"]),
        (Selection(where='stderr ~ "^t.il$" and max_rss > 1GiB', states=["done"]), ["done"]),
        (Selection(where="exit == 99"), []),
    ],
)
async def test_a_selection_is_found(store: Store, selection: Selection, names: Sequence[str]) -> None:
    """Whichever way its criteria allow to look for it."""
    await _one_of_each(store)

    found = [summary async for summary in select(store, selection)]

    assert sorted(summary.item_id for summary in found) == names
    listed = [summary async for summary in store.summaries()]
    assert all(summary in listed for summary in found if summary.state is not State.TODO or selection.states)


async def test_a_limit_ends_a_selection(store: Store) -> None:
    """However it is looked for."""
    await store.add([an_item(str(number)) for number in range(7)])

    for selection in (
        Selection(all=True, limit=3),
        Selection(ids=[str(number) for number in range(7)], limit=3),
        Selection(task="0", limit=3),
        Selection(task="0", states=["todo"], limit=3),
    ):
        assert len([each async for each in select(store, selection)]) == 3
    assert [each async for each in select(store, Selection(all=True, limit=0))] == []


def _meddled(store: Store, method: str, meddle: Callable[[], Awaitable[object]]) -> Store:
    return cast("Store", Meddled(store, method, meddle))


def _buried(item: Item) -> Item:
    return failed(replace(item, max_failures=1))


async def _one_of_each(store: Store) -> None:
    """Make items called as what they are: done, failed, held, waiting after a failure, and new."""
    endings: dict[str, Callable[[Item], Item]] = {"done": settled, "failed": _buried, "later": failed}
    await store.add([an_item("failed", sample="s2"), *(an_item(name) for name in ("done", "later", "held"))])
    for item in await claim(store, limit=4):
        if item.item_id in endings:
            await store.save(item, endings[item.item_id](item))
    await store.add([an_item("new")])


async def _partly_failed(store: Store) -> object:
    """Make a nested item of which one task is done and two failed; return the one that is done."""
    await store.add([an_item("n", nested=["x", "y", "z"], max_failures=1)])
    item = await claim_one(store)
    outcomes: dict[str, Outcome] = {"Task_0": Succeeded(), "Task_1": Failed(exit_code=1), "Task_2": Failed(exit_code=2)}
    results = {name: a_record(outcome, item) for name, outcome in outcomes.items()}
    after = settle(item, results, interrupted_by=None, now=NOON, policy=POLICY, jitter=0.5)
    await store.save(item, after)
    return after.tasks[0]
