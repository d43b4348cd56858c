"""How far nested items are, and counts that are added up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.counts import Counted, Counts, Quarter, count, is_moving, moved, quarter
from pyanamo_async.core.items import Item, State
from pyanamo_async.core.values import replace
from tests.fakes import NOON, an_item


@pytest.mark.parametrize(
    ("done", "how_far"),
    [
        *((0, "todo"), (1, "1-25"), (25, "1-25"), (26, "26-50"), (50, "26-50")),
        *((51, "51-75"), (75, "51-75"), (76, "76-99"), (99, "76-99"), (100, "done")),
    ],
)
def test_quarters_begin_and_end_where_their_names_say(done: int, how_far: str) -> None:
    """In whole percent."""
    assert quarter(done, 100) == how_far


@given(tasks=st.integers(1, 10**9), share=st.floats(0, 1))
def test_only_what_is_whole_counts_as_todo_or_done(tasks: int, share: float) -> None:
    """However many tasks an item has: one of them that is done is at least one percent, one that is not at most 99."""
    done = int(share * tasks)

    assert (quarter(done, tasks) is Quarter.TODO) == (done == 0)
    assert (quarter(done, tasks) is Quarter.DONE) == (done == tasks)


def test_what_is_held_or_settled_is_not_left() -> None:
    """Only states from which an item runs without anybody's doing."""
    counts = Counts.add_up(Counted(state, 1, 3, 1) for state in State)

    assert counts.left == 3
    assert counts.tasks_left == 6
    assert counts.settled == 2


@given(st.lists(st.tuples(st.sampled_from(State), st.sampled_from(State), st.integers(0, 3)), max_size=20))
def test_a_count_with_what_moved_is_the_next_count(items: list[tuple[State, State, int]]) -> None:
    """As long as nothing goes back into the queue, which the next count of everything finds."""
    before: list[Item] = []
    after: list[Item] = []
    for number, (was, becomes, nested) in enumerate(items):
        item = replace(an_item(str(number), nested=["true"] * nested), state=was, done_at=NOON)
        leaves = was is State.TODO or (was is State.LOCKED and becomes is not State.TODO)
        before.append(item)
        after.append(replace(item, state=becomes, done_at=NOON + timedelta(seconds=1)) if leaves else item)

    def moving(items: list[Item]) -> Counts:
        return count(each for each in items if is_moving(each, since=NOON))

    expected = count(after, since=[NOON])
    brought_up = moved(count(before, since=[NOON]), before=moving(before), after=moving(after))
    assert brought_up.items == expected.items
    assert (brought_up.tasks, brought_up.nested) == (expected.tasks, expected.nested)
    assert brought_up.settled_since == expected.settled_since
