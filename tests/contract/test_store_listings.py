"""The laws of counting and listing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pyanamo_async.core.counts import Counts, Ledgers, Quarter, moved
from pyanamo_async.core.holding import hold
from pyanamo_async.core.items import State, Summary, TaskState
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Succeeded
from pyanamo_async.core.transitions import reclaim, record
from pyanamo_async.core.values import replace
from pyanamo_async.ports import Store
from tests.contract.steps import POLICY, a_record, a_worker, claim, claim_one, failed, listing, one_shard_ids, settled
from tests.fakes import NOON, an_item

SECOND = timedelta(seconds=1)
ONE_OF_EACH = ("todo", "locked", "done", "failed", "ended", "held")


async def test_an_empty_table_counts_nothing(store: Store) -> None:
    """Every state is named, with zero."""
    empty = Counts(items=dict.fromkeys(State, 0), tasks=dict.fromkeys(TaskState, 0))

    assert empty == await store.counts()
    assert empty == await store.moving_counts(since=NOON)
    assert (await store.counts(since=[NOON, NOON + SECOND])).settled_since == (0, 0)
    assert await listing(store) == []


async def test_the_items_that_were_settled_last_are_listed(store: Store) -> None:
    """Done or failed, the latest first; nothing else is progress."""
    await store.add([an_item(each) for each in "abcde"])
    assert await store.last_settled(most=3) == []

    for number in (2, 1, 3, 4):
        [item] = await claim(store, "w1", limit=1)
        after = settled(item, now=NOON + number * SECOND)
        await store.save(item, replace(after, state=State.FAILED) if number == 3 else after)
    await claim(store, "w1", limit=1)

    listed = [(each.since, each.state) for each in await store.last_settled(most=100)]
    assert listed == [(NOON + number * SECOND, State.FAILED if number == 3 else State.DONE) for number in (4, 3, 2, 1)]
    [last] = await store.last_settled(most=1)
    assert last.since == NOON + 4 * SECOND


async def test_items_that_wait_to_be_tried_again_are_listed(store: Store) -> None:
    """Those alone, with why and until when, of all samples or of one."""
    waiting = [replace(an_item(each), not_before=NOON + SECOND, reason="exit status 3") for each in ("b", "c")]
    await store.add([an_item("a"), waiting[0], replace(waiting[1], sample="other"), hold(an_item("d"), now=NOON)])

    listed = {each.item_id: (each.reason, each.not_before) async for each in store.retrying()}
    of_one = [each.item_id async for each in store.retrying(sample="other")]

    assert listed == dict.fromkeys("bc", ("exit status 3", NOON + SECOND))
    assert of_one == ["c"]


async def test_items_and_tasks_are_counted(store: Store) -> None:
    """Items by state; tasks too, those of nested items that are partly done each for itself."""
    await _one_of_each(store)

    counts = await store.counts()

    assert counts.items == dict.fromkeys(State, 1)
    assert counts.tasks == {TaskState.DONE: 2, TaskState.TODO: 6, TaskState.FAILED: 2}
    assert counts.total == 6
    assert counts.retrying == 1
    assert (counts.left, counts.tasks_left) == (3, 5)


async def test_nested_items_are_counted_by_how_far_they_are(store: Store) -> None:
    """By the share of their tasks that are done, whatever their state; single items are none of them."""
    done_of = {
        "todo": (0, 5),
        "first": (1, 100),
        "second": (26, 100),
        "third": (3, 5),
        "last": (99, 100),
        "all": (1, 1),
    }
    for item_id, (done, tasks) in done_of.items():
        item = an_item(item_id, nested=["true"] * tasks)
        finished = tuple(replace(task, state=TaskState.DONE) for task in item.tasks[:done])
        await store.add([replace(item, tasks=(*finished, *item.tasks[done:]))])
    await store.add([an_item("single")])

    counts = await store.counts()

    assert counts.nested == dict.fromkeys(Quarter, 1)
    assert counts.total_nested == 6
    assert {each.item_id for each in await listing(store) if each.nested} == {*done_of}


async def test_ledgers_are_added_up(store: Store) -> None:
    """Of all items, whatever their state, single and nested."""
    await store.add([an_item(f"{number}", crashes=number, interruptions=1) for number in range(4)])
    [task] = an_item("done").tasks
    done = replace(an_item("done", seconds_lost=0.1), tasks=(replace(task, state=TaskState.DONE),))
    await store.add([replace(done, state=State.DONE, done_at=NOON)])
    await store.add(
        [an_item("nested", nested=["x", "y"], interruptions=5, seconds_lost=7200.2, cpus=4), an_item("good")]
    )
    await store.add([an_item("saved", seconds_saved=10.5, cpus=2)])

    counts = await store.counts()

    assert counts.ledgers == Ledgers(6, 9, 7200.3, 10.5, cpu_seconds_lost=28800.9, cpu_seconds_saved=21.0)
    assert (counts.tasks[TaskState.DONE], counts.total_nested) == (1, 1)


async def test_settled_items_are_counted_since_times(store: Store) -> None:
    """Done and failed ones, from that very millisecond on; those that ended without being settled are not."""
    await store.add([an_item(f"{number}", max_failures=1) for number in range(12)])
    for number, item in enumerate(await claim(store, limit=12)):
        outcome = Failed(exit_code=1) if number % 2 else Succeeded()
        await store.save(item, settled(item, outcome, now=NOON + number * SECOND))
    await store.add([an_item("ended", nested=["x", "y"])])
    ended = await claim_one(store)
    later = NOON + 20 * SECOND
    stopped = Interrupted(InterruptReason.WALL_TIME)
    await store.save(ended, settled(ended, stopped, ended=InterruptReason.WALL_TIME, now=later))

    times = [NOON, NOON + 4 * SECOND, NOON + 4.001 * SECOND, NOON + 11 * SECOND, later]

    assert (await store.counts(since=times)).settled_since == (12, 8, 7, 1, 0)
    assert (await store.counts(since=times)).items == (await store.counts()).items


async def test_what_moves_is_counted_alone(store: Store) -> None:
    """Locked items, and those that were settled or ended since a time; items in the queue cost nothing."""
    await _one_of_each(store)
    everything = await store.counts()

    moving = await store.moving_counts(since=NOON)
    assert moving.items == {**everything.items, State.TODO: 0}
    assert moving.nested == everything.nested
    assert (await store.moving_counts(since=NOON + SECOND)).items == dict.fromkeys(State, 0) | {State.LOCKED: 1}


async def test_what_is_held_moved(store: Store) -> None:
    """A person who holds items sees them leave the queue."""
    await store.add([an_item("a"), an_item("b")])
    item = await store.read("a")
    await store.save(item, hold(item, now=NOON, token="t"))

    assert (await store.moving_counts(since=NOON)).items == dict.fromkeys(State, 0) | {State.PENDING: 1}
    assert (await store.counts(since=[NOON])).settled_since == (0,)
    assert (await store.counts()).left == 1


async def test_a_count_is_brought_up_to_date_by_what_moves(store: Store) -> None:
    """What was claimed and settled meanwhile is known without counting what waits."""
    await store.add([an_item(f"{number}", nested=["x", "y"][: number % 3]) for number in range(30)])
    for item in await claim(store, limit=6):
        await store.save(item, settled(item))
    counts, before = await store.counts(since=[NOON]), await store.moving_counts(since=NOON)
    for number, item in enumerate(await claim(store, limit=9)):
        if number % 3:
            await store.save(item, settled(item, now=NOON + SECOND))

    after = await store.moving_counts(since=NOON)

    assert moved(counts, before=before, after=after) == await store.counts(since=[NOON])


async def test_workers_and_the_table_itself_are_not_counted(store: Store) -> None:
    """No listing and no count shows what is not an item."""
    await store.heartbeat(a_worker("w1"))

    assert (await store.counts()).total == 0
    assert await listing(store) == []
    assert await store.next_due() is None


async def test_a_listing_tells_each_item(store: Store) -> None:
    """In the order of states, with what can be told without reading it whole."""
    await _one_of_each(store)

    assert await listing(store) == [
        _summary(
            "todo", "s1", State.TODO, (1, 0), 2, reason="exit status 1: tail", failures=1, not_before=NOON + 5 * SECOND
        ),
        _summary("locked", "s2", State.LOCKED, (3, 1), 1, nested=True, worker="w1"),
        _summary("done", "s1", State.DONE, (1, 1), 2, since=NOON),
        _summary(
            "failed",
            "s2",
            State.FAILED,
            (2, 0),
            0,
            reason="Task_0: exit status 1: tail",
            failures=2,
            nested=True,
            since=NOON,
        ),
        _summary(
            "ended",
            "s1",
            State.WALL_TIME_EXCEEDED,
            (2, 0),
            0,
            nested=True,
            interruptions=1,
            seconds_lost=2.469,
            reason="interrupted: wall time",
            since=NOON,
        ),
        Summary("held", "s2", State.PENDING, 1, 0, since=NOON),
    ]


async def test_a_listing_tells_crashes(store: Store) -> None:
    """How many workers vanished with an item, and what that cost."""
    await store.add([an_item("a")])
    claimed = await claim_one(store)
    await store.save(claimed, reclaim(claimed, now=NOON + 9 * SECOND, policy=POLICY, seen=NOON + 5 * SECOND))

    [listed] = await listing(store)

    assert (listed.crashes, listed.interruptions, listed.seconds_lost) == (1, 0, 5.0)


async def test_a_listing_is_filtered(store: Store) -> None:
    """By state, by sample, by both."""
    await _one_of_each(store)

    for state in State:
        assert [summary.state for summary in await listing(store, state=state)] == [state]
    assert [summary.item_id for summary in await listing(store, sample="s1")] == ["todo", "done", "ended"]
    assert [summary.item_id for summary in await listing(store, sample="s2", state=State.FAILED)] == ["failed"]
    assert await listing(store, sample="s3") == []


async def test_a_listing_of_one_state_is_in_the_order_of_its_queue(store: Store) -> None:
    """Within a shard: best priority first, then what must wait, by its time; what is settled, by its time."""
    ids = await one_shard_ids(store, 6)
    await store.add([an_item(item_id, priority=9 - number) for number, item_id in enumerate(ids)])
    assert ids[::-1] == [summary.item_id for summary in await listing(store, state=State.TODO)]

    claims = await claim(store, limit=6)
    for number, item in enumerate(claims):
        await store.save(item, settled(item, now=NOON + ((number * 7) % 6) * SECOND))
    since = [summary.since for summary in await listing(store, state=State.DONE)]
    assert since == [NOON + number * SECOND for number in range(6)]


async def test_a_listing_goes_on_past_one_megabyte(store: Store) -> None:
    """However much there is, every item is listed and counted once, also when all of it stands in one shard."""
    ids = await one_shard_ids(store, 900, width=1000)
    await store.add([an_item(item_id, sample="s" * 1000) for item_id in ids])

    listed = [summary.item_id for summary in await listing(store, state=State.TODO)]

    assert sorted(ids) == sorted(listed)
    assert ids[:1] == [summary.item_id async for summary in store.summaries() if summary.item_id == ids[0]]
    assert (await store.counts()).items[State.TODO] == 900


async def test_items_are_read_whole(store: Store) -> None:
    """All there are, in any order, or those of a sample; no row of anything else."""
    await _one_of_each(store)
    await store.heartbeat(a_worker("w1"))

    items = {item.item_id: item async for item in store.items()}
    assert items == {item_id: await store.read(item_id) for item_id in ONE_OF_EACH}
    assert {item.item_id async for item in store.items(sample="s1")} == {"todo", "done", "ended"}
    assert [item async for item in store.items(sample="s3")] == []


async def test_reading_items_goes_on_past_one_megabyte(store: Store) -> None:
    """However much there is, every item is read once; matching ones too that stand behind megabytes of others."""
    await store.add([an_item(f"{number}", script="x" * 20_000) for number in range(180)])
    await store.add([an_item("last", sample="other")])

    ids = [item.item_id async for item in store.items()]

    assert sorted(ids) == sorted([*map(str, range(180)), "last"])
    assert [item.item_id async for item in store.items(sample="other")] == ["last"]


async def test_items_that_move_while_they_are_read_are_read_once(store: Store) -> None:
    """Workers go on meanwhile: no item is missed or read twice because it changed its state."""
    await store.add([an_item(f"{number}") for number in range(300)])

    ids = []
    async for item in store.items():
        ids.append(item.item_id)
        if len(ids) % 30 == 0:
            for claimed in await claim(store, limit=10):
                await store.save(claimed, settled(claimed))

    assert sorted(ids) == sorted(map(str, range(300)))


async def test_a_listing_that_is_left_early_disturbs_nothing(store: Store) -> None:
    """Who has seen enough may go; the store works on."""
    await store.add([an_item(str(number)) for number in range(20)])
    async for _ in store.summaries():
        break

    assert len(await claim(store, limit=20)) == 20


async def _one_of_each(store: Store) -> None:
    """Bring one item into each state."""
    await store.add([an_item("todo", sample="s1")])
    item = await claim_one(store)
    await store.save(item, failed(item))

    await store.add([an_item("failed", sample="s2", nested=["x", "y"], max_failures=1)])
    item = await claim_one(store)
    await store.save(item, failed(item))

    await store.add([an_item("ended", sample="s1", nested=["x", "y"])])
    item = await claim_one(store)
    await store.save(item, settled(item, Interrupted(InterruptReason.WALL_TIME), ended=InterruptReason.WALL_TIME))

    await store.add([an_item("done", sample="s1")])
    item = await claim_one(store)
    await store.save(item, settled(item))

    await store.add([an_item("locked", sample="s2", nested=["x", "y", "z"])])
    item = await claim_one(store)
    await store.save(item, record(item, {"Task_1": a_record(Succeeded(), item)}, policy=POLICY))

    await store.add([an_item("held", sample="s2")])
    item = await store.read("held")
    await store.save(item, hold(item, now=NOON, token="t"))


def _summary(
    item_id: str,
    sample: str,
    state: State,
    tasks: tuple[int, int],
    log_length: int,
    *,
    reason: str = "",
    **fields: Any,  # noqa: ANN401 # any field of Summary
) -> Summary:
    reason = f"attempt 1: {reason}" if reason else ""
    return Summary(item_id, sample, state, *tasks, log_length=log_length, attempt=1, reason=reason, **fields)
