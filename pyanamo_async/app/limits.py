"""How much a worker takes at a time: of items, open files, CPUs and memory."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from pyanamo_async.app.settings import WorkerSettings
from pyanamo_async.core.memory.admission import Budget
from pyanamo_async.core.memory.budget import Auto, share_bytes
from pyanamo_async.core.platforms import Platform
from pyanamo_async.execution import scripts_at_once
from pyanamo_async.host.cpus import usable_cpus
from pyanamo_async.host.memory_limits import usable_memory
from pyanamo_async.ports import EventLog


class RoomSettings(NamedTuple):
    """How many items run at a time at most, within what, and what a task gets of which nothing is known."""

    items: int
    budget: Budget
    share_bytes: int


def within_limits(how: WorkerSettings, platform: Platform, event_log: EventLog) -> WorkerSettings:
    """Choose how many items run at a time, unless somebody did: as many as there are CPUs, or the platform allows.

    Take no more at a time than this process may open files for: it would claim and put back again and again.
    """
    usable = 0 if isinstance(how.items, int) else usable_cpus()
    wanted = how.items if isinstance(how.items, int) else max(1, min(usable, math.ceil(platform.cpus or usable)))
    nests = min(how.nests, scripts_at_once())
    items = min(wanted, scripts_at_once() // nests)
    if (items, nests) != (wanted, how.nests):
        event_log.note("fewer at a time", items=items, nests=nests, reason="open files are limited. hint: ulimit -n")
    return replace(how, items=items, nests=nests)


def room_for(how: WorkerSettings, asked: WorkerSettings, platform: Platform) -> RoomSettings:
    """Return the room of a worker that runs `how`, within limits, when this was `asked`."""
    items = how.items if isinstance(how.items, int) else 1
    known = [size for size in (usable_memory(), platform.memory_bytes) if size]
    memory_bytes = how.memory_budget(min(known, default=None))
    at_once = items * how.nests
    share = share_bytes(memory_bytes, at_once=at_once, is_careful=isinstance(asked.items, Auto))
    return RoomSettings(items, Budget(memory_bytes, at_once), share)
