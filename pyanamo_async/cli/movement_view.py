"""What moves in a table, in words: its workers, their pace, and the time left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from pyanamo_async import Pace, State, Status
from pyanamo_async.cli.views import clock_time
from pyanamo_async.core.text.durations import show_duration

MINUTE = timedelta(minutes=1)


def movement_words(seen: Status) -> Iterator[str]:
    """Yield lines on workers, pace and the time left, as long as something is left."""
    if seen.workers:
        waits = f", {seen.waiting_for_room:,} more waiting for room" if seen.waiting_for_room else ""
        yield f"workers: {seen.workers:,}, running {seen.running:,} of {seen.slots:,} at a time{waits}"
    if not seen.counts.left:
        return
    paces = [f"{_rate(pace)} in the last {_roughly(pace.span)}" for pace in _paces(seen)]
    if paces:
        yield f"pace: {', '.join(paces)}"
    elif seen.items_per_second:
        yield f"pace: {seen.items_per_second:.3g} items/s since the workers started"
    if seen.time_left:
        likely, least, most = seen.time_left.likely, seen.time_left.least, seen.time_left.most
        until = f"{show_duration(least)} to {show_duration(most)}" if most else f"at least {show_duration(least)}"
        yield f"left: about {show_duration(likely)} ({until})"
    elif seen.workers and seen.counts.left <= seen.counts.items[State.LOCKED] + seen.counts.retrying:
        waits = (
            f" or waits, until {clock_time(seen.waits_until)} at most"
            if seen.waits_until and seen.waits_until > seen.at
            else ""
        )
        yield f"left: no estimate, because all that is left runs{waits}"


def _paces(seen: Status) -> Iterator[Pace]:
    """Yield the paces that tell something: the second only if it covers more time."""
    if seen.recent.settled:
        yield seen.recent
    if seen.last_hour.settled and seen.last_hour.span > seen.recent.span:
        yield seen.last_hour


def _roughly(span: timedelta) -> str:
    """Return a span in whole minutes, or below two in whole seconds."""
    unit = MINUTE if span >= 2 * MINUTE else timedelta(seconds=1)
    return show_duration(round(span / unit) * unit)


def _rate(pace: Pace) -> str:
    """Return a rate with the unit in which it is a number that people grasp."""
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600)):
        if (rate := pace.per_second * seconds) >= 1 or unit == "h":
            break
    return f"{rate:,.3g} items/{unit}"
