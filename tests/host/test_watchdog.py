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
