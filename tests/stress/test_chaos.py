"""Killed all the time: `make chaos` has 8 workers and 400 items, `make slow` 4 and 60, on both foundations."""

from __future__ import annotations

import os
import random

import pytest

from harness.program import Program
from tests.acceptance.conftest import on_aws, on_sqlite, pyanamo
from tests.stress.chaos import Storm, prepare, rage, witnessed

__all__ = ["on_aws", "on_sqlite", "pyanamo"]  # fixtures

FULL = "PYANAMO_TEST_CHAOS" in os.environ
STORM = Storm(workers=8, items=400, most_killed=1000, within_s=800) if FULL else Storm(workers=4, items=60)


@pytest.mark.timeout(STORM.within_s + 200)
def test_killed_every_second_nothing_is_lost_and_nothing_done_twice(pyanamo: Program) -> None:
    """Every item is done, by exactly one settle, and no two attempts at it ever ran at the same time."""
    rng = random.Random(STORM.items)
    names = prepare(pyanamo, STORM, rng)

    killed = rage(pyanamo, STORM, rng)

    rows, seen = pyanamo.rows(), witnessed(pyanamo)
    assert killed >= 3
    assert set(names) == rows.keys()
    assert {"done"} == {row["ItemState"] for row in rows.values()}
    assert not seen.overlaps
    for name, row in rows.items():
        last = int(row["Attempt"])
        lost = int(row.get("Crashes", 0)) + int(row.get("Interruptions", 0))
        assert last == lost + 1, f"{name}: each attempt is accounted for once, the last by its settle"
        assert sorted(set(seen.started[name])) == seen.started[name], f"{name}: no attempt started twice, or late"
        assert last == seen.started[name][-1] == seen.ended[name][-1] == int(row["Log"]["Attempt"])
