"""Count the processes that the kernel ended because memory ran out, in the control group of this process.

An exit status alone never tells: a person's `kill -9` ends a script in the same way.

Source: "Control Group v2", memory.events; "Memory Resource Controller" (v1), memory.oom_control; proc(5),
/proc/meminfo.

1. A count that rose within the last seconds explains all scripts that were killed within them, but none that started
   later: what is tried again at once, and is killed by something else, would look as if memory had run out again.
2. Where there is no count, looks are counted that find the machine nearly out of memory, swap included.
3. Where the machine does not tell that either, nothing is taken for out of memory.
"""

from __future__ import annotations

from collections import deque
from math import inf
from pathlib import Path

from pyanamo_async.host.limits import ROOT, control_groups, lines_of

WITHIN_S = 2.0
SHORT = 0.05  # of the machine's memory: with less than that available, the kernel ends processes
KEPT = 64  # readings; the last that is older than two seconds is among them


class OomKills:
    """The count of one process, read again and again in whatever thread; times are monotonic."""

    def __init__(self, *, root: Path = ROOT) -> None:
        self._file, self._machine = _count_file(root), root / "proc/meminfo"
        self._looks_short = 0
        self._readings: deque[tuple[float, int]] = deque(maxlen=KEPT)

    def note(self, now_s: float) -> None:
        """Remember the count as it is now."""
        count = self._count()
        if count is not None:
            self._readings.append((now_s, count))

    def rose(self, now_s: float, *, since_s: float = -inf) -> bool:
        """Return whether the count rose within the last two seconds, and as far as is known, not before `since_s`.

        That is since it was read last before them.
        """
        count, readings = self._count(), [*self._readings]
        if count is None or not readings:
            return False
        from_s = now_s - WITHIN_S
        if not self._looks_short:  # looks tell too late what was short before a script started
            from_s = max(from_s, since_s)
            if count != readings[-1][1]:
                self._readings.append((now_s, count))
        earlier = [each for at_s, each in readings if at_s <= from_s]
        return count > (earlier[-1] if earlier else readings[0][1])

    def _count(self) -> int | None:
        lines = lines_of(self._file) if self._file else []
        counted = next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
        if counted is None and (is_short := _is_short(lines_of(self._machine))) is not None:
            self._looks_short += is_short
            return self._looks_short
        return counted


def _is_short(meminfo: list[str]) -> bool | None:
    """Return whether a machine has hardly any memory left; None if it does not tell."""
    sizes = {line.split()[0]: int(line.split()[1]) for line in meminfo if line.endswith(" kB")}
    try:
        return sizes["MemAvailable:"] + sizes["SwapFree:"] < SHORT * sizes["MemTotal:"]
    except KeyError:
        return None


def _count_file(root: Path) -> Path | None:
    """Return the file with the count of our own group; a container may see that as the root."""
    names = ("memory.events", "memory.oom_control")
    groups = control_groups("memory", root=root)
    files = (folder / name for group in groups for folder in (group[0], group[-1]) for name in names)
    return next(filter(Path.is_file, files), None)
