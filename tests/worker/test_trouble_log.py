"""Trouble that comes back with every try."""

from __future__ import annotations

import pytest

from pyanamo_async.errors import Denied, PyanamoError, TableMissing, TableReplaced, Unavailable
from pyanamo_async.worker.trouble_log import TroubleLog
from simulation.crew import Notes


def test_each_kind_of_trouble_is_noted_once_until_the_work_succeeds() -> None:
    """A store that is away is left to the heartbeats."""
    notes = Notes()
    log = TroubleLog(notes, "reclaim failed")

    def work(trouble: PyanamoError | None = None) -> None:
        with log.noted():
            if trouble:
                raise trouble

    for trouble in [TableMissing("gone"), Denied("no"), Unavailable("away"), TableMissing("gone"), None, Denied("no")]:
        work(trouble)

    assert [fields["trouble"] for _, fields in notes.taken] == ["gone", "no", "no"]
    with pytest.raises(TableReplaced):
        work(TableReplaced("another"))
