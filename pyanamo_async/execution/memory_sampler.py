"""Sample the memory of running scripts, each with all its processes, in one thread beside the event loop.

1. A sample is taken every 2 s, or more often while that costs less than half a percent of a core. One is taken at once
   when the machine's free memory has fallen by a quarter of what the scripts had left of `budget_bytes`. Free memory is
   read from a small file, ten times a second.
2. Between two samples the kernel keeps the peak of each process (`VmHWM`). The largest rise of one process is added to
   what all of them use.
3. If processes share memory, it is read page by page (PSS). That, too, may cost half a percent of a core, so it hardly
   slows the scripts. Until the next reading, the amount of shared memory is assumed to be the same.
4. When memory runs out, the kernel kills a process of a script rather than the worker: each process is marked for that
   when it is first seen. Marking it when it starts would slow short scripts by 5 %.
5. An internal error ends the sampling, not the worker. Peaks are then those that `wait4` reports.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

from pyanamo_async.core.memory.measure import Measure, Peak
from pyanamo_async.host.limits import available_memory
from pyanamo_async.host.oom_kills import OomKills
from pyanamo_async.host.process_memory import (
    Member,
    ProcessMemory,
    process_memory,
    proportional_bytes,
    raise_oom_score,
    tree_members,
)

EVERY_S, AT_MOST_EVERY_S, GLANCE_EVERY_S = 2.0, 0.25, 0.1
LITTLE_LEFT = 0.05  # of the budget: with less than that left, sampling does not become more frequent still
SHARE_OF_CORE = 0.005
LITTLE_SHARE = 0.1  # of a tree: page by page is read only if all processes but the largest use more than that
LITTLE_BYTES = 32 << 20
NEAR = 0.9  # of the largest sum so far: above that it is worth reading what is shared
CLOSED_WITHIN_S = 2.0


@dataclass(slots=True)
class TreeMemory:
    """The memory of one script with its processes: now, and at its peak so far."""

    now_bytes: int = 0
    peak_bytes: int = 0
    file_bytes: int = 0  # the most that one process has of files
    measure: Measure = Measure.PROCESS
    shared_bytes: int = 0  # what the sum counts more than once, as last read
    most_bytes: int = 0  # the largest sum so far
    peaks: dict[int, int] = field(default_factory=dict)  # of its processes, as last seen
    since_s: float = -inf  # it did not run before; by the monotonic clock

    @property
    def peak(self) -> Peak | None:
        """Return the peak so far; None before the first sample."""
        return Peak(self.peak_bytes, self.measure) if self.peak_bytes else None


class MemorySampler:
    """Watches scripts by their process ids, which are also the ids of their sessions; starts with the first script.

    After each sample `on_sample` is called, in the sampling thread, with the bytes that each script uses.
    """

    def __init__(
        self,
        *,
        on_sample: Callable[[Mapping[int, int]], None] = lambda _: None,
        share_of_core: float = SHARE_OF_CORE,
        oom_kills: OomKills | None = None,
        available: Callable[[], int | None] = available_memory,
    ) -> None:
        self._oom_kills = oom_kills or OomKills()
        self._oom_kills.note(time.monotonic())
        self._on_sample, self._share_of_core = on_sample, share_of_core
        self._trees: dict[int, TreeMemory] = {}
        self._wake, self._is_closing = threading.Event(), False
        self._thread: threading.Thread | None = None
        self._pss_after_s = 0.0
        self.budget_bytes: int | None = None  # what scripts may use together; None: no limit
        self._available, self._available_bytes, self._left_bytes = available, available(), 0

    def started(self, pid: int, *, since_s: float = -inf) -> None:
        """Watch a script from now on; it did not run before `since_s`."""
        self._trees[pid] = TreeMemory(since_s=since_s)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="memory", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # no thread can be had; the next script tries again
                self._thread = None

    def ended(self, pid: int) -> TreeMemory:
        """Stop watching a script, and return what was seen of it."""
        return self._trees.pop(pid, None) or TreeMemory()

    def ran_out(self, *, since_s: float = -inf) -> bool:
        """Return whether the kernel killed a process because memory ran out: in the last seconds, after `since_s`."""
        return self._oom_kills.rose(time.monotonic(), since_s=since_s)

    def close(self) -> None:
        """End the sampling; harmless when repeated."""
        self._is_closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(CLOSED_WITHIN_S)

    def sample(self) -> None:
        """Sample all scripts once."""
        trees, self._available_bytes = dict(self._trees), self._available()
        self._oom_kills.note(time.monotonic())
        for root, members in tree_members(trees.keys()).items():
            self._update(trees[root], members)
        now_bytes = {root: tree.now_bytes for root, tree in trees.items()}
        if self.budget_bytes is not None:
            self._left_bytes = max(self.budget_bytes - sum(now_bytes.values()), int(LITTLE_LEFT * self.budget_bytes))
        self._on_sample(now_bytes)

    def _run(self) -> None:
        pause_s = AT_MOST_EVERY_S
        while not self._is_closing:
            self._wait(pause_s)
            began_s = time.thread_time()
            if self._trees and not self._is_closing:
                self.sample()
            cost_s = time.thread_time() - began_s
            pause_s = min(max(cost_s / self._share_of_core, AT_MOST_EVERY_S), EVERY_S)

    def _wait(self, pause_s: float) -> None:
        """Wait for `pause_s`, or until scripts may have taken a quarter of what they had left of the budget."""
        until_s = time.monotonic() + pause_s
        longest_s = pause_s if self.budget_bytes is None else GLANCE_EVERY_S
        while (left_s := until_s - time.monotonic()) > 0 and not self._wake.wait(min(left_s, longest_s)):
            if self._trees and self.is_filling():
                return

    def is_filling(self) -> bool:
        """Return whether the machine's free memory has fallen since the last sample by a quarter of what was left."""
        if self.budget_bytes is None or self._available_bytes is None:
            return False
        available_bytes = self._available()
        return available_bytes is not None and self._available_bytes - available_bytes > self._left_bytes / 4

    def _update(self, tree: TreeMemory, members: Mapping[int, Member]) -> None:
        processes = _memories(members)
        if not processes:
            return
        sizes = [each.own_bytes for each in processes.values()]
        total, largest = sum(sizes), max(sizes)
        spike = max(_spike_bytes(each, tree.peaks.get(pid, 0)) for pid, each in processes.items())
        if tree.measure is Measure.PROCESS:
            tree.measure = Measure.RSS
        for pid in processes.keys() - tree.peaks.keys():
            raise_oom_score(pid)
        tree.peaks = {pid: each.peak_bytes for pid, each in processes.items()}
        tree.file_bytes = max(tree.file_bytes, *(each.file_bytes for each in processes.values()))
        if max(LITTLE_BYTES, LITTLE_SHARE * total) < total - largest and total > NEAR * tree.most_bytes:
            self._read_shares(tree, members, total)
        tree.most_bytes = max(tree.most_bytes, total)
        tree.now_bytes = max(largest, total - tree.shared_bytes)
        tree.peak_bytes = max(tree.peak_bytes, tree.now_bytes + spike)

    def _read_shares(self, tree: TreeMemory, pids: Iterable[int], total: int) -> None:
        """Read how much smaller the sum is when shared pages count once."""
        began_s = time.monotonic()
        if began_s < self._pss_after_s:
            return
        shares = [proportional_bytes(pid) for pid in pids]
        if None not in shares:
            tree.shared_bytes = max(0, total - sum(share or 0 for share in shares))
            if tree.measure is not Measure.PSS:  # until now the sum was taken, which may be far too much
                tree.peak_bytes, tree.measure = max(0, tree.peak_bytes - tree.shared_bytes), Measure.PSS
        ended_s = time.monotonic()
        self._pss_after_s = ended_s + (ended_s - began_s) / self._share_of_core


def _memories(members: Mapping[int, Member]) -> dict[int, ProcessMemory]:
    """Return the memory of processes, without those that still use the memory of their parent.

    That is so between vfork and exec. Such a process has the same figures and the same stack as its parent.
    """
    found = {pid: memory for pid in members if (memory := process_memory(pid)) is not None}

    def is_one_with_parent(pid: int) -> bool:
        parent = members.get(members[pid].parent)
        return (
            parent is not None and parent.stack == members[pid].stack and found.get(members[pid].parent) == found[pid]
        )

    return {pid: memory for pid, memory in found.items() if not is_one_with_parent(pid)}


def _spike_bytes(process: ProcessMemory, known_peak_bytes: int) -> int:
    """Return by how much a process was larger than now since it was last looked at."""
    if process.peak_bytes <= known_peak_bytes:
        return 0
    return max(0, process.peak_bytes - process.file_bytes - process.own_bytes)
