"""How much a worker takes at a time: of items, open files, CPUs and memory."""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path
from typing import NamedTuple

from pyanamo_async.app.settings import WorkerSettings
from pyanamo_async.core.memory.admission import Budget
from pyanamo_async.core.memory.budget import Auto, share_bytes
from pyanamo_async.core.platforms import Platform
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.values import replace
from pyanamo_async.execution import scripts_at_once
from pyanamo_async.host.limits import usable_cpus, usable_memory
from pyanamo_async.ports import EventLog


class RoomSettings(NamedTuple):
    """How many items run at a time at most, within what, and what a task gets of which nothing is known."""

    items: int
    budget: Budget
    share_bytes: int


def with_own_limits(platform: Platform) -> Platform:
    """Complete what the platform says that a worker may use by what this process may."""
    cpus, memory_bytes = usable_cpus(), usable_memory()
    return replace(
        platform,
        cpus=min(platform.cpus or cpus, cpus),
        memory_bytes=min((size for size in (platform.memory_bytes, memory_bytes) if size), default=None),
    )


def within_limits(how: WorkerSettings, platform: Platform, event_log: EventLog) -> WorkerSettings:
    """Choose how many items run at a time, unless somebody did: as many as there are CPUs, or the platform allows.

    Take no more at a time than this process may open files for: it would claim and put back again and again.
    """
    wanted = how.items if isinstance(how.items, int) else max(1, math.ceil(platform.cpus or 1))
    nests = min(how.nests, scripts_at_once())
    items = min(wanted, scripts_at_once() // nests)
    if (items, nests) != (wanted, how.nests):
        event_log.note("fewer at a time", items=items, nests=nests, reason="open files are limited. hint: ulimit -n")
    return dataclasses.replace(how, items=items, nests=nests)


def room_for(how: WorkerSettings, asked: WorkerSettings, platform: Platform, event_log: EventLog) -> RoomSettings:
    """Return the room of a worker that runs `how`, within limits, when this was `asked`.

    More memory than there is is noted: scripts may be killed for it, but that is no reason to do nothing.
    """
    items = how.items if isinstance(how.items, int) else 1
    memory_bytes = how.memory_budget(platform.memory_bytes)
    if memory_bytes and platform.memory_bytes and memory_bytes > platform.memory_bytes:
        there_is, reason = show_size(platform.memory_bytes), "scripts may be killed when it runs out"
        event_log.note("more memory than there is", memory=show_size(memory_bytes), there_is=there_is, reason=reason)
    at_once = items * how.nests
    share = share_bytes(memory_bytes, at_once=at_once, is_careful=isinstance(asked.items, Auto))
    return RoomSettings(items, Budget(memory_bytes, at_once), share)


def rss_bytes() -> int:
    """Return the memory that this process has now; 0 where nobody tells."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:  # not Linux
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
