"""Nothing that a task can end with is forgotten."""

from __future__ import annotations

from typing import get_args

from pyanamo_async.core.outcomes import DETAIL_BYTES, Outcome, trouble_detail
from pyanamo_async.core.stored import task_record
from tests.outcomes import OUTCOMES


def test_every_outcome_has_an_example_and_a_stored_form() -> None:
    """An outcome that could not be stored would break the attempt that ends with it."""
    outcomes = set(get_args(Outcome))

    assert outcomes == {type(example) for example in OUTCOMES}
    assert {outcome.status for outcome in outcomes} == set(task_record.OUTCOMES)


def test_a_trouble_keeps_its_cause() -> None:
    """Paths are long, and the cause stands behind them."""
    said = trouble_detail(f"results not stored: file /{'é' * 200}: No space left on device")

    assert said.startswith("results not stored: file /é")
    assert said.endswith("é: No space left on device")
    assert len(said.encode()) <= DETAIL_BYTES
    assert trouble_detail("short:  as\nit is") == "short: as it is"
