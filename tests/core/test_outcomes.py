"""Nothing that a task can end with is forgotten."""

from __future__ import annotations

from typing import get_args

from pyanamo_async.core.outcomes import Outcome
from pyanamo_async.core.stored import task_record
from tests.outcomes import OUTCOMES


def test_every_outcome_has_an_example_and_a_stored_form() -> None:
    """An outcome that could not be stored would break the attempt that ends with it."""
    outcomes = set(get_args(Outcome))

    assert outcomes == {type(example) for example in OUTCOMES}
    assert {outcome.status for outcome in outcomes} == set(task_record.OUTCOMES)
