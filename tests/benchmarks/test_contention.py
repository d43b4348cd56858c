"""Few claims are lost where many workers contend: the smaller version of `python -m benchmarks.contention`."""

from __future__ import annotations

import pytest

from benchmarks.contention import Contest


@pytest.mark.parametrize(("slots", "most_lost"), [(1, 0.02), (8, 0.025)])
def test_few_claims_are_lost_where_many_contend(slots: int, most_lost: float) -> None:
    """A quarter of the workers, items and shards of the full contest, whose bound is 3 %."""
    result = Contest(workers=50, items=2500 if slots == 1 else 5000, slots=slots, seconds=1.0, shards=4).hold()

    assert result.bill.won == result.contest.items  # nobody claims twice, nobody leaves one
    assert result.lost < most_lost
    assert result.bill.reads / result.contest.items < 1.5
