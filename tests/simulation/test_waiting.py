"""Whom the death of a simulated worker costs: not an item that only waited there for room."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pyanamo_async.fleet import reclaim
from pyanamo_async.worker.room import Room
from simulation.fleet import simulate
from simulation.laws import Broken
from simulation.schedule import CPUS, Action, Event, Place, Schedule

WAITS = Schedule(
    (("sleep 50",), ("sleep 50",)), (Place(slots=2, cpus=CPUS),), (Event(30, 0, Action.KILL),), wide=frozenset({0, 1})
)
"""The worker is killed while one item runs and the other waits for its CPUs, as the row says by then."""


def test_a_death_costs_nothing_what_only_waited() -> None:
    """Nor does anything else break when its worker is killed, or it has room again."""
    for events in ((), WAITS.events):
        assert simulate(replace(WAITS, events=events)) == {"done": 2}


@pytest.mark.parametrize(
    ("waits", "law"),
    [
        (False, "is charged, and only waited for room in 0-w1"),
        (True, "is charged nothing, and may have run in 0-w1"),
    ],
)
def test_whom_a_death_costs_too_much_or_nothing_is_noticed(
    waits: bool, law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether nobody is let off when the worker is killed, or everybody."""
    monkeypatch.setattr(reclaim, "is_waiting", lambda _, __: waits)

    with pytest.raises(Broken, match=law):
        simulate(WAITS)


def test_an_item_that_starts_while_it_is_named_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that kills its worker a moment later would be let off, again and again."""
    monkeypatch.setattr(Room, "name_wait", lambda room: room.wait)

    with pytest.raises(Broken, match="starts, and its worker's row says that it waits"):
        simulate(replace(WAITS, events=()))
