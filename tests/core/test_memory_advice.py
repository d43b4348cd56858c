"""What is said of the memory that a step used, and of what would have fitted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.items import Item, TaskRecord
from pyanamo_async.core.memory.advice import memory_advice, memory_used, size_flag, what_fits
from pyanamo_async.core.memory.budget import USABLE
from pyanamo_async.core.memory.needs import quantile
from pyanamo_async.core.memory.use import MOST_GROUPS, Asked, MemoryCount, MemoryUse, Peaks, Reserved, reserved_by
from pyanamo_async.core.outcomes import Interrupted, InterruptReason, Succeeded
from pyanamo_async.core.platforms import Platform
from pyanamo_async.core.text.byte_sizes import parse_size
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Worker
from tests.fakes import NOON, an_item

GB, MIB = 1 << 30, 1 << 20


PEAKS = Peaks(50, 3 * GB, 3 * GB)
USED = MemoryUse(PEAKS, others=PEAKS, busy_cpus=0.9)


def used(typical_bytes: int) -> MemoryUse:
    """Return that tasks without `Memory` used so much."""
    peaks = Peaks(50, typical_bytes, typical_bytes)
    return replace(USED, used=peaks, others=peaks)


def asked(asked_bytes: int, peaks: Peaks = PEAKS) -> MemoryUse:
    """Return that all tasks asked for so much."""
    group = Asked(asked_bytes, asked_bytes, peaks)
    return replace(USED, used=peaks, asked=group, groups=(group,), others=None, reserved=LARGE)


LARGE = Reserved(cpus=8, memory_bytes=32 * GB, items=2)  # with the reserve, of a larger machine


@pytest.mark.parametrize(
    ("use", "items", "memory_gb", "instance", "fargate"),
    [
        (USED, None, None, "m large", (2, 7)),
        (replace(USED, reserved=LARGE), 8, 27, "m 2xlarge", (8, 28)),
        (replace(USED, reserved=replace(LARGE, memory_bytes=16 * GB)), 4, 14, "m 2xlarge", (8, 28)),
        (replace(USED, reserved=replace(LARGE, memory_bytes=GB)), 1, 4, "m 2xlarge", (8, 28)),
        (replace(USED, reserved=LARGE, cpus=4), 2, 7, "c 2xlarge", (8, 16)),
        (replace(USED, reserved=LARGE, busy_cpus=3.5), 2, 7, "c 2xlarge", (8, 16)),
        (replace(USED, reserved=replace(LARGE, items=8), busy_cpus=0.1), 9, 30, "r 4xlarge", (16, 112)),
        (replace(USED, reserved=LARGE, busy_cpus=0.1, cpus=2), 4, 14, "c 2xlarge", (8, 16)),
        (replace(used(30 * GB), reserved=LARGE), 1, 33, "r 12xlarge", None),
        (replace(used(300 * GB), reserved=LARGE), 1, 330, None, None),
    ],
    ids=[
        *("size unknown", "room for all CPUs", "half", "too small", "many CPUs asked", "many CPUs busy"),
        *("mostly waiting", "CPUs asked in vain", "large", "too large for all"),
    ],
)
def test_what_tasks_used_tells_what_would_have_fitted(
    use: MemoryUse, items: int | None, memory_gb: int | None, instance: str | None, fargate: tuple[int, int] | None
) -> None:
    """How many at a time, with how much memory, on which machine."""
    fit = what_fits(use)

    assert (fit.items, fit.memory_bytes) == (items, memory_gb and memory_gb * GB)
    assert (fit.instance and fit.instance.name) == instance
    assert (fit.fargate and (fit.fargate.cpus, fit.fargate.gigabytes)) == fargate


@given(
    need=st.integers(1, 1 << 45),
    cpus=st.integers(1, 200),
    memory=st.integers(1, 1 << 42),
    slots=st.integers(1, 500),
    each=st.floats(0.25, 64),
)
def test_what_is_said_to_fit_fits(need: int, cpus: int, memory: int, slots: int, each: float) -> None:
    """More than one at a time fit into the worker, and each machine has the CPUs of the worker and room for as many."""
    use = replace(used(need), busy_cpus=each, reserved=Reserved(cpus, memory, slots))

    fit = what_fits(use)

    assert fit.items is not None
    assert fit.items == 1 or fit.items * use.used.need_bytes <= memory
    for machine in filter(None, (fit.instance, fit.fargate)):
        assert machine.cpus >= cpus
        assert machine.gigabytes * GB * USABLE >= use.used.need_bytes * (1 - 1e-9)


@pytest.mark.parametrize(
    ("asked_bytes", "told"),
    [
        (12 * GB, "a lower Memory, 3.3G, "),
        (2 * GB, "a higher Memory, 3.3G, "),
        (4 * GB, "8 at a time "),
    ],
)
def test_a_memory_that_is_far_off_is_named(asked_bytes: int, told: str) -> None:
    """What is asked for should be what is needed, or not much more."""
    assert memory_advice(asked(asked_bytes)).startswith(told)


def test_without_memory_none_is_advised() -> None:
    """Unless a few are large."""
    assert memory_advice(replace(USED, reserved=LARGE)).startswith("8 at a time ")


def test_memory_is_told_in_words() -> None:
    """Asked, used and reserved; what would have fitted the largest as well, and that a few are large."""
    use = asked(12 * GB, Peaks(50, 3 * GB, 30 * GB))

    assert memory_used(use) == (
        "asked for 12 GB, used up to 3.0 GB (95 % of 50 tasks; the largest 30 GB), reserved 16 GB for each item"
    )
    assert memory_advice(use) == (
        "a lower Memory, 3.3G, 8 at a time within 33G, a machine of 8 CPUs with 64 GB (r 2xlarge on EC2) or "
        "8 CPUs with 36 GB on Fargate, a Memory of its own for each of the few large ones"
    )


def test_what_was_asked_for_is_compared_with_what_those_used_that_asked() -> None:
    """Small tasks beside large ones that say what they need are no reason to ask for less."""
    count = MemoryCount()
    for _ in range(6):
        count.add(*a_task(289 * MIB, 400 * MIB))
    for _ in range(150):
        count.add(*a_task(38 * MIB, None))

    use = count.use([])

    assert use
    assert (
        memory_used(use)
        == "asked for 400 MB, used up to 289 MB (95 % of 6 tasks), without Memory up to 38 MB (95 % of 150 tasks)"
    )
    assert what_fits(use).asked_badly == ()
    assert "Memory" not in memory_advice(use)


def test_each_size_that_was_asked_for_is_judged_by_itself() -> None:
    """All together are told as a range; an average would be what nobody asked for."""
    count = MemoryCount()
    for _ in range(3):
        for used_mib, asked_mib in ((850, 900), (20, 100), (60, 50)):
            count.add(*a_task(used_mib * MIB, asked_mib * MIB))
    count.add(*a_task(MIB, 4 * MIB))  # too few to go by

    use = count.use([])

    assert use
    assert memory_used(use) == "asked for 4.0 MB to 900 MB, used up to 850 MB (95 % of 10 tasks)"
    assert memory_advice(use).startswith(
        "a higher Memory, 66M in place of 50M, a lower Memory, 22M in place of 100M, a machine"
    )


def test_of_many_sizes_those_are_named_that_most_tasks_asked_for() -> None:
    """And how many more are far off."""
    count = MemoryCount()
    for number in range(3, 8):
        for _ in range(number):
            count.add(*a_task(MIB, number * MIB))

    use = count.use([])

    assert use
    assert (
        ", ".join(memory_advice(use).split(", ")[::2][:4])
        == "a lower Memory, a lower Memory, a lower Memory, another Memory in place of 2 other sizes"
    )


def test_what_is_said_to_fit_holds_what_tasks_go_on_to_ask_for() -> None:
    """A worker with less would leave them to larger ones."""
    count = MemoryCount()
    for _ in range(6):
        count.add(*a_task(29 * GB, 40 * GB))
    for _ in range(150):
        count.add(*a_task(GB, None))

    use = count.use([sized("w", 64 * GB)])

    assert use
    fit = what_fits(use)
    assert fit.memory_bytes == 40 * GB
    assert fit.instance
    assert fit.instance.gigabytes * USABLE >= 40


def test_more_sizes_than_are_judged_are_told_all_the_same() -> None:
    """And the largest still fits."""
    count = MemoryCount()
    for number in range(1, MOST_GROUPS + 10):
        count.add(*a_task(number * MIB, number * GB))

    use = count.use([])

    assert use
    assert use.asked
    assert (len(use.groups), use.asked.most_bytes) == (MOST_GROUPS, (MOST_GROUPS + 9) * GB)
    assert (fit := what_fits(use)).instance
    assert fit.instance.gigabytes * USABLE >= MOST_GROUPS + 9


@given(kinds=st.lists(st.tuples(st.integers(1, 1 << 42), st.none() | st.integers(1 << 20, 1 << 42)), min_size=3))
def test_advice_is_given_only_to_those_who_asked_badly(kinds: list[tuple[int, int | None]]) -> None:
    """Within a hundredth: of three or more tasks that ask alike 95 % use more, or need two thirds or less of it."""
    count = MemoryCount()
    for used_bytes, asked_bytes in kinds:
        count.add(*a_task(used_bytes, asked_bytes))

    use = count.use([])

    assert use
    assert (
        use.used.tasks
        == len(kinds)
        == (use.asked.used.tasks if use.asked else 0) + (use.others.tasks if use.others else 0)
    )
    for each in what_fits(use).asked_badly:
        alike = [used_bytes for used_bytes, asked_bytes in kinds if asked_bytes == each.most_bytes]
        typical = quantile(alike, 0.95)
        assert len(alike) >= 3
        assert typical * 1.01 > each.most_bytes or each.most_bytes > 1.5 * 1.1 * typical


@pytest.mark.parametrize(
    "told",
    [
        {"max_rss_bytes": None},
        {"max_rss_bytes": None, "at_most_bytes": GB},
        {"seconds": 0.5},
        {"outcome": Interrupted(InterruptReason.STOP)},
    ],
    ids=["unknown", "only a bound", "short", "cut short"],
)
def test_what_tells_nothing_of_memory_does_not_count(told: dict[str, Any]) -> None:
    """Neither in status nor in a report."""
    count, (item, record) = MemoryCount(), a_task(GB, 4 * GB)
    for _ in range(5):
        count.add(item, replace(record, **told))

    assert count.use([]) is None


def test_what_was_reserved_is_that_of_the_workers_that_ran_the_tasks() -> None:
    """Of the size of which most ran; a worker that came later and ran nothing tells nothing."""
    ran, few, idle = sized("ran", 32 * GB), sized("few", 8 * GB), sized("idle", 100 * GB)
    same = replace(sized("same", 32 * GB), done=5)

    assert reserved_by([ran, few, idle], {"ran": 3, "few": 1}) == replace(LARGE, items=1)
    assert reserved_by([few, ran, same], {"few": 3, "ran": 2, "same": 2}) == replace(LARGE, items=1)
    assert reserved_by([same, few, idle], {"forgotten": 9}) == replace(LARGE, items=1)
    assert reserved_by([idle], {"forgotten": 9}) is reserved_by([], {}) is None


def test_the_budget_of_a_worker_is_what_it_was_given_or_its_machine_less_the_reserve() -> None:
    """Of a worker whose size is unknown nothing is told."""
    given_none = sized("w", 0, platform=Platform(cpus=8, memory_bytes=100 * GB))

    assert reserved_by([given_none], {"w": 1}) == Reserved(8, 95 * GB, 1)
    assert reserved_by([replace(given_none, platform=Platform())], {"w": 1}) is None


def a_task(used_bytes: int, asked_bytes: int | None) -> tuple[Item, TaskRecord]:
    """Return a task that ran for a second."""
    item = replace(an_item("a"), memory_bytes=asked_bytes)
    return item, TaskRecord(Succeeded(), NOON, NOON, 1.0, 1, "w", max_rss_bytes=used_bytes, cpu_seconds=0.9)


def sized(name: str, budget_bytes: int, *, platform: Platform | None = None) -> Worker:
    """Return a worker with eight CPUs that runs one item at a time."""
    its = platform or Platform(cpus=8, memory_bytes=200 * GB, budget_bytes=budget_bytes)
    return Worker(name, "h", NOON, NOON, timedelta(seconds=60), slots=1, platform=its)


@given(st.integers(1, 1 << 50))
def test_a_size_as_a_flag_is_no_less(size: int) -> None:
    """And little more: what is typed again fits."""
    read = parse_size(size_flag(size))

    assert size <= read + 1  # a tenth of a GiB is no whole number of bytes
    assert read <= max(size + (1 << 20), 1.11 * size)
