"""What tasks need of memory, and what may start beside what."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core import transitions
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import Item, State, TaskRecord
from pyanamo_async.core.memory.admission import RESERVES_AFTER_S, Budget, Occupant
from pyanamo_async.core.memory.budget import parse_budget, share_bytes
from pyanamo_async.core.memory.measure import Measure, Peak, best_peak
from pyanamo_async.core.memory.needs import ENOUGH, NOTHING, RECENT, Need, PeakHistory, need_of
from pyanamo_async.core.orders import reset
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Outcome, OutOfMemory
from pyanamo_async.core.values import replace
from pyanamo_async.errors import UsageError
from tests.fakes import NOON, an_item

GB = 1 << 30
NEEDS = st.builds(Need, st.integers(0, 100), st.integers(1, 8), st.integers(0, 4))
RUNNING = st.lists(
    st.builds(Occupant, NEEDS, st.integers(0, 1000), st.integers(0, 200), st.integers(0, 100)), max_size=8
)
BUDGETS = st.builds(Budget, st.none() | st.integers(1, 200), st.integers(1, 8))
SIZES = st.lists(st.integers(1, 100), max_size=2 * RECENT)


def history(*sizes: int, share: int = 10) -> PeakHistory:
    """Return what is known after tasks had these peaks."""
    peaks = PeakHistory(share)
    for each in sizes:
        peaks.observe(each)
    return peaks


PEAKS = st.builds(lambda sizes, share: history(*sizes, share=share), SIZES, st.integers(0, 100))


def taken_by(running: list[Occupant], peaks: PeakHistory) -> Need:
    """Return what several take together."""
    return sum((each.takes(peaks) for each in running), start=NOTHING)


@given(BUDGETS, NEEDS, RUNNING, PEAKS)
def test_nothing_starts_that_would_exceed_the_budget_unless_it_is_alone(
    budget: Budget, need: Need, running: list[Occupant], peaks: PeakHistory
) -> None:
    """Neither that of memory, counting what is used beyond the needs, nor that of CPUs."""
    taken = taken_by(running, peaks)
    if budget.fits(need, taken, peaks) and running:
        assert sum(each.need.cpus for each in running) + need.cpus <= budget.cpus
        if budget.memory_bytes is not None:
            outgrown = [each for each in running if each.has_outgrown(peaks)]
            known = sum(max(each.need.memory_bytes, each.used_bytes) for each in outgrown)
            known += sum(each.need.memory_bytes for each in running if each not in outgrown)
            unknown = need.unknown + sum(each.need.unknown for each in running if each not in outgrown)
            assert known + need.memory_bytes + peaks.together_bytes(unknown) <= budget.memory_bytes


@given(BUDGETS, NEEDS, PEAKS)
def test_anything_starts_alone(budget: Budget, need: Need, peaks: PeakHistory) -> None:
    """So no item waits for ever, however large it is."""
    assert budget.fits(need, NOTHING, peaks)


@given(st.integers(1, 200), st.integers(0, 200), NEEDS, RUNNING, PEAKS)
def test_a_larger_budget_never_starts_less(
    size: int, more: int, need: Need, running: list[Occupant], peaks: PeakHistory
) -> None:
    """What fits into less fits into more."""
    taken = taken_by(running, peaks)
    if Budget(size, 50).fits(need, taken, peaks):
        assert Budget(size + more, 50).fits(need, taken, peaks)


@given(BUDGETS, NEEDS, RUNNING, PEAKS, st.floats(RESERVES_AFTER_S, 1e6))
def test_nothing_starts_before_an_item_that_has_waited_for_a_minute(
    budget: Budget, need: Need, running: list[Occupant], peaks: PeakHistory, waiting_s: float
) -> None:
    """What runs then ends, and what waits is alone at last."""
    assert not budget.may_start(need, taken_by(running, peaks), peaks, waiting_s=waiting_s)


@given(BUDGETS, RUNNING, PEAKS)
def test_what_ends_when_memory_runs_short_is_what_outgrew_its_room_and_never_the_oldest(
    budget: Budget, running: list[Occupant], peaks: PeakHistory
) -> None:
    """As many end as have to, so that the others fit; work goes on, whatever is ended."""
    running = [replace(each, order=number) for number, each in enumerate(running)]

    ending = budget.to_end(running, peaks)

    rest = [each for each in running if each not in ending]
    assert len(rest) >= min(1, len(running))
    assert not ending or min(running, key=lambda each: each.order) in rest
    if budget.memory_bytes is not None:
        assert len(rest) <= 1 or sum(each.used_bytes for each in rest) <= budget.memory_bytes
        if sum(each.soon_bytes(peaks) for each in running) <= budget.memory_bytes:
            assert not ending
        elif sum(each.used_bytes for each in running) <= budget.memory_bytes:
            assert all(each.has_outgrown(peaks) for each in ending)


def test_what_keeps_to_its_need_is_not_ended_for_one_that_outgrew_it() -> None:
    """Even if it started later; and not before memory runs short."""
    outgrew, keeps = Occupant(Need(10), 2, used_bytes=60, grown_bytes=30), Occupant(Need(50), 3, used_bytes=50)
    running = [Occupant(Need(10), 1, used_bytes=10), outgrew, keeps]

    assert Budget(150, 9).to_end(running, history()) == []
    assert Budget(149, 9).to_end(running, history()) == [outgrew]


def test_what_an_item_declares_outranks_what_others_used() -> None:
    """And what it was found to need outranks both; several tasks at a time need several times as much."""
    item, peaks = an_item("a", nested=["x", "y", "z"]), history(7, 7, 7)

    assert need_of(item, peaks, nests=2) == Need(0, 2, unknown=2)
    assert need_of(replace(item, memory_bytes=5, cpus=3), peaks, nests=9) == Need(15, 9)
    assert need_of(replace(item, memory_bytes=5, memory_need_bytes=6), peaks, nests=1) == Need(6, 1)
    assert need_of(replace(item, memory_need_bytes=9), peaks, nests=1) == Need(18, 1)
    assert need_of(replace(item, memory_need_bytes=9, oom_kills=1), peaks, nests=1) == Need(9, 1)


def test_what_has_reached_much_is_likely_to_need_as_much_as_others_that_did() -> None:
    """So nothing starts beside a large one that has only begun to grow, and one that was ended comes back with room."""
    peaks = history(*[50] * 20, 1000, 2000, 3000)

    assert need_of(replace(an_item("a"), memory_need_bytes=100), peaks, nests=1) == Need(2000, 1)
    assert Occupant(Need(unknown=1), 1, used_bytes=50).takes(peaks) == Need(unknown=1)
    assert Occupant(Need(unknown=1), 1, used_bytes=2500).takes(peaks) == Need(3000, 1)
    assert Occupant(Need(unknown=1), 1, used_bytes=3500).takes(peaks) == Need(7000, 1)
    assert Occupant(Need(100), 1, used_bytes=2500).takes(peaks) == Need(2500, 1)


def test_until_a_few_tasks_have_ended_each_gets_its_share() -> None:
    """Then they get what tasks in a row used together, and a tenth more."""
    assert history(100, 100, share=7).together_bytes(40) == 280
    assert history(100, 100, 100, share=7).together_bytes(40) == 4400


def test_room_for_a_few_large_ones_is_kept_once() -> None:
    """One in twenty is large: few rows of seven have two of them."""
    peaks = history(*([50] * 10 + [2000] + [50] * 9) * 10)

    assert peaks.together_bytes(1) == round(1.1 * 50)
    assert peaks.together_bytes(7) == round(1.1 * (2000 + 6 * 50))
    assert peaks.together_bytes(20) == round(1.1 * (2000 + 19 * 50))


@given(st.integers(1, 1000), st.integers(3, 300), st.integers(0, 500))
def test_equal_tasks_fill_the_budget_up_to_the_margin(size: int, seen: int, tasks: int) -> None:
    """However many were seen, and however many run."""
    assert history(*[size] * seen).together_bytes(tasks) == round(1.1 * (tasks * size))


@given(SIZES.filter(lambda sizes: len(sizes) >= ENOUGH), st.integers(0, 3 * RECENT))
def test_more_tasks_never_need_less_and_no_more_than_if_each_were_the_largest(sizes: list[int], tasks: int) -> None:
    """Nor less than if each were the smallest."""
    peaks, recent = history(*sizes), sizes[-RECENT:]

    assert peaks.together_bytes(tasks) <= peaks.together_bytes(tasks + 1)
    assert round(1.1 * (tasks * min(recent))) <= peaks.together_bytes(tasks) <= round(1.1 * (tasks * max(recent)))


@given(SIZES.filter(lambda sizes: len(sizes) >= ENOUGH), st.integers(0, 100))
def test_what_is_likely_is_never_less_than_what_was_reached(sizes: list[int], reached: int) -> None:
    """And it is a peak that was seen, if there is a larger one; only recent ones count."""
    likely, above = history(*sizes).likely_bytes(reached), [each for each in sizes[-RECENT:] if each > reached]

    assert likely in above if above else likely == 2 * reached


@pytest.mark.parametrize(
    ("text", "usable", "budget"),
    [
        ("12G", None, 12 * GB),
        ("90%", 10 * GB, 9 * GB),
        ("95 %", None, None),
        ("100%", 7, 7),
        ("5000000", 10, 5_000_000),
    ],
)
def test_a_budget_is_a_size_or_a_share(text: str, usable: int | None, budget: int | None) -> None:
    """A share of what is unknown is unknown."""
    assert parse_budget(text, usable) == budget


@pytest.mark.parametrize("text", ["", "0", "0%", "101%", "much", "-1", "%", "12", "1000 K"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    """The message names the argument."""
    with pytest.raises(UsageError, match="`memory`"):
        parse_budget(text, GB)


def test_the_first_few_get_room() -> None:
    """Each an equal share; a worker that is to find out by itself begins with few."""
    assert share_bytes(32, at_once=16, is_careful=False) == 2
    assert share_bytes(32, at_once=16, is_careful=True) == 8
    assert share_bytes(None, at_once=16, is_careful=False) == 0


def test_what_was_ended_for_memory_needs_what_it_had_reached() -> None:
    """So it does not circle for ever; a reset keeps that."""
    item = transitions.claim(an_item("a"), worker="w", token="t", now=NOON)
    why = InterruptReason.MEMORY
    ended = TaskRecord(Interrupted(why), NOON, NOON, 1.0, 1, "w", max_rss_bytes=5)

    after = transitions.settle(
        item, {"Task_0": ended}, interrupted_by=why, now=NOON, policy=FailurePolicy(), jitter=0.5
    )

    assert (after.state, after.interruptions, after.failures, after.memory_need_bytes) == (State.TODO, 1, 0, 5)
    assert after.reason.endswith("interrupted: memory ran short")


def settled(item: Item, *outcomes: Outcome) -> Item:
    """Return an item whose tasks ended so, with a peak of 5 bytes."""
    claimed = transitions.claim(item, worker="w", token="t", now=NOON)
    results = {
        task.name: TaskRecord(outcome, NOON, NOON, 1.0, 1, "w", max_rss_bytes=5)
        for task, outcome in zip(claimed.tasks, outcomes, strict=True)
    }
    return transitions.settle(claimed, results, interrupted_by=None, now=NOON, policy=FailurePolicy(), jitter=0.5)


def test_out_of_memory_is_no_failure_and_doubles_the_need() -> None:
    """The item comes back at once."""
    after = settled(an_item("a"), OutOfMemory(signal=9))

    assert (after.state, after.not_before, after.failures, after.oom_kills) == (State.TODO, None, 0, 1)
    assert after.memory_need_bytes == 10
    assert after.reason.endswith("out of memory with 5 bytes; it needs more now")


def test_an_item_that_runs_out_of_memory_too_often_is_buried() -> None:
    """With that reason; a reset begins the count anew and keeps the need."""
    item = an_item("a")
    for _ in range(3):
        assert item.state is State.TODO
        item = settled(item, OutOfMemory(signal=9))

    assert (item.state, item.failures) == (State.FAILED, 0)
    assert item.reason.endswith("ran out of memory 3 times, at last with 5 bytes")
    fresh = reset(item)
    assert (fresh.state, fresh.oom_kills, fresh.memory_need_bytes) == (State.TODO, 0, 10)


def test_a_failure_beside_memory_that_ran_out_is_retried_as_a_failure() -> None:
    """Of a nested item; the backoff is that of the failure."""
    after = settled(an_item("a", nested=["x", "y"]), OutOfMemory(exit_code=137), Failed(exit_code=1))

    assert (after.failures, after.oom_kills, after.memory_need_bytes) == (1, 1, 10)
    assert after.is_retrying


def test_an_item_that_found_no_room_comes_back_after_a_while() -> None:
    """It is not counted against it."""
    item = transitions.claim(an_item("a"), worker="w", token="t", now=NOON)
    again = NOON + timedelta(seconds=5)

    after = transitions.release_unused(item, until=again)

    assert (after.state, after.not_before, after.interruptions) == (State.TODO, again, 0)


@pytest.mark.parametrize(
    ("sampled", "largest", "files", "expected"),
    [
        (None, None, 0, None),
        (None, 50, 0, None),  # less than the worker's own: it says nothing
        (None, 100, 0, None),
        (None, 150, 0, Peak(150)),
        (Peak(30, Measure.RSS), None, 0, Peak(30, Measure.RSS)),
        (Peak(30, Measure.RSS), 90, 0, Peak(30, Measure.RSS)),
        (Peak(30, Measure.RSS), 150, 0, Peak(150)),
        (Peak(30, Measure.RSS), 150, 125, Peak(30, Measure.RSS)),
        (Peak(400, Measure.PSS), 150, 0, Peak(400, Measure.PSS)),
    ],
)
def test_the_larger_of_two_measures_counts(
    sampled: Peak | None, largest: int | None, files: int, expected: Peak | None
) -> None:
    """Of that of the kernel only what tells something of the script."""
    assert best_peak(sampled, largest, file_bytes=files, worker_bytes=100) == expected
