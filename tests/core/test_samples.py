"""Samples by steps."""

from __future__ import annotations

from functools import reduce

import pytest

from pyanamo_async.core.items import State
from pyanamo_async.core.samples import NOTHING, SampleStep, sample_rows, with_item

DONE, TODO, FAILED = State.DONE, State.TODO, State.FAILED


def a_step(*states: State) -> SampleStep:
    """Make a sample's items in a step."""
    return reduce(with_item, states, NOTHING)


@pytest.mark.parametrize(
    ("states", "word", "is_through"),
    [
        ((), "", False),
        ((DONE, DONE), "done", True),
        ((DONE, TODO), "todo", False),
        ((DONE, State.WALL_TIME_EXCEEDED), "todo", False),
        ((TODO, State.LOCKED), "running", False),
        ((State.LOCKED, FAILED, DONE), "failed", False),
        ((DONE, State.PENDING, State.LOCKED), "held", False),
    ],
)
def test_a_step_is_told_by_what_matters_most(states: tuple[State, ...], word: str, is_through: bool) -> None:
    """A failure before what runs, that before what waits; through is only what is done with all its items."""
    step = a_step(*states)

    assert (step.state, step.is_through) == (word, is_through)


def test_rows_are_chosen_by_steps() -> None:
    """Through all that are named, through none of the others, failed in all of the third kind."""
    align = {"a": a_step(DONE), "b": a_step(DONE, DONE), "c": a_step(DONE, FAILED), "d": a_step(TODO)}
    call = {"a": a_step(DONE), "c": a_step(FAILED)}

    def chosen(**by: list[int]) -> list[str]:
        return [row.sample for row in sample_rows([align, call], **by)]

    assert chosen() == ["a", "b", "c", "d"]
    assert chosen(through=[0]) == ["a", "b"]
    assert chosen(through=[0], not_through=[1]) == ["b"]
    assert chosen(not_through=[0]) == ["c", "d"]
    assert chosen(failed_in=[0, 1]) == ["c"]
