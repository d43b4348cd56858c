"""Few claims are lost where many workers contend: the smaller version of `python -m benchmarks.contention`."""

from __future__ import annotations

import pytest

from benchmarks.contention import Contest


@pytest.mark.parametrize("slots", [1, 8])
def test_few_claims_are_lost_where_many_contend(slots: int) -> None:
    """An eighth of the workers and items of the benchmark, and its bound; with other seeds 1.2 to 2.7 % are lost."""
    result = Contest(workers=25, items=1000 if slots == 1 else 2500, slots=slots, seconds=1.0, shards=4).measure()

    assert result.bill.won == result.contest.items  # each is claimed once, none is left
    assert result.lost < 0.03
    reads = result.bill.reads - result.contest.workers  # each asks once which memory classes there are
    assert reads / result.contest.items < 1.5
