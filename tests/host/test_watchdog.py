"""The laws of the watchdog. What it ends, and how, is tested with workers of which something is stuck."""

from __future__ import annotations

from queue import SimpleQueue

from pyanamo_async.host.watchdog import Watchdog


def test_the_earliest_order_stands() -> None:
    """Whoever is told again has no more time than before."""
    exits: SimpleQueue[int] = SimpleQueue()
    watchdog = Watchdog(exits.put)
    watchdog.exit_within(3600, 1)
    watchdog.exit_within(0.05, 75)
    watchdog.exit_within(3600, 2)

    assert exits.get() == 75


def test_a_closed_watchdog_exits_no_more() -> None:
    """The process goes on: a program may run a worker and do something else afterwards."""
    exits: SimpleQueue[int] = SimpleQueue()
    watchdog = Watchdog(exits.put)
    watchdog.exit_within(3600, 1)
    watchdog.close()
    watchdog.exit_within(0, 2)

    assert exits.empty()
