"""What is said of items that no living worker takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.memory.classes import CLASSES, class_of, largest_class, least_budget
from pyanamo_async.core.queue_lanes import Lane, out_of_reach
from pyanamo_async.core.text.byte_sizes import GIB
from tests.fakes import an_item

MIB = 1 << 20


@pytest.mark.parametrize(
    ("memory_class", "needs", "items", "told"),
    [
        (1024, [900 * GIB], 1, "1 item needs 900 GB of memory, and no living worker has that"),
        (1024, [900 * GIB] * 2, 2, "2 items need 900 GB of memory, and no living worker has that"),
        (1024, [800 * GIB, 900 * GIB], 2, "2 items need 800 to 900 GB of memory, and no living worker has that"),
        (2, [1100 * MIB, 1900 * MIB], 2, "2 items need 1.1 to 1.9 GB of memory, and no living worker has that"),
        (1, [300 * MIB, 900 * MIB], 2, "2 items need 300 to 900 MB of memory, and no living worker has that"),
        (
            1,
            [300 * MIB],
            1,
            "1 item needs 300 MB of memory (a worker with 1 GB or more), and no living worker has that",
        ),
        (64, [20 * GIB], 1, "1 item needs 64 GB of memory, and no living worker has that"),
        (64, [60 * GIB], 9, "9 items need up to 64 GB (one of them 60 GB) of memory, and no living worker has that"),
        (64, [], 9, "9 items need up to 64 GB of memory, and no living worker has that"),
    ],
    ids=[
        *("one", "alike", "from to", "in one unit", "less than a GB", "less than its class takes", "of several tasks"),
        *("one of many", "unread"),
    ],
)
def test_items_that_no_worker_takes_are_told_with_what_they_need(
    memory_class: int, needs: list[int], items: int, told: str
) -> None:
    """Not only with their memory class; and with more, where a worker has to have more to take them."""
    seen = [an_item("a", memory_class=memory_class, memory_bytes=need) for need in needs]

    assert str(out_of_reach(Lane(memory_class), items, seen)) == told


@given(st.integers(1, CLASSES[-1] * GIB))
def test_a_worker_that_has_what_is_said_takes_the_class(need: int) -> None:
    """It may use the need, or what its class takes if that is more."""
    memory_class = class_of(need)

    assert largest_class(max(need, int(least_budget(memory_class)) + 1)) >= memory_class
