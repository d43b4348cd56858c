"""How the peak memory of a task was measured, and which of several figures is taken.

1. Anonymous and shared memory count. Pages of files do not: the kernel takes those back whenever it needs memory.
2. `wait4` gives the exact peak of the largest process that was waited for, but never less than the worker's own:
   scripts are started by vfork, and the kernel counts the parent's memory until the `exec`. So the figure is a peak
   only when it is larger. Otherwise the peak was at most that much, which is no figure to store, to count or to draw.
"""

from __future__ import annotations

from enum import StrEnum

from pyanamo_async.core.values import Value


class Measure(StrEnum):
    """What a peak of memory is the peak of, by its stored name."""

    PROCESS = "process"  # the largest process
    RSS = "rss"  # all processes of the task, added up; what they share counts once for each
    PSS = "pss"  # all processes of the task; what they share counts once


class Peak(Value):
    """The peak memory of a task, and what it is the peak of."""

    size_bytes: int
    measure: Measure = Measure.PROCESS


def best_peak(
    sampled: Peak | None, largest_process_bytes: int | None, *, file_bytes: int, worker_bytes: int
) -> Peak | None:
    """Return the peak of a task that has ended; None if it is unknown.

    `sampled` is the peak of the samples of all its processes, `largest_process_bytes` what `wait4` gives. Of
    that, `file_bytes` count as pages of files: the most that a sample showed for one process. `worker_bytes` is the
    worker's own peak.
    """
    if largest_process_bytes is None or largest_process_bytes <= worker_bytes:
        return sampled
    own_bytes = largest_process_bytes - file_bytes
    return Peak(own_bytes) if sampled is None or own_bytes > sampled.size_bytes else sampled
