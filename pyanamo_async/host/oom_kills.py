"""Count the processes that the kernel ended because memory ran out, in the control group of this process.

An exit status alone never tells: a person's `kill -9` ends a script in the same way.

Source: "Control Group v2", memory.events; "Memory Resource Controller" (v1), memory.oom_control.

1. A count that rose within the last seconds explains all scripts that were killed within them.
2. Where there is no count, nothing is taken for out of memory.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

ROOT = Path("/")
WITHIN_S = 2.0
KEPT = 64  # readings; the last that is older than two seconds is among them


class OomKills:
    """The count of one process, read again and again in whatever thread; times are monotonic."""

    def __init__(self, *, root: Path = ROOT) -> None:
        self._file = _count_file(root)
        self._readings: deque[tuple[float, int]] = deque(maxlen=KEPT)

    def note(self, now_s: float) -> None:
        """Remember the count as it is now."""
        count = self._count()
        if count is not None:
            self._readings.append((now_s, count))

    def rose(self, now_s: float) -> bool:
        """Return whether the count rose within the last two seconds, or since it was read last before them."""
        count, readings = self._count(), [*self._readings]
        if count is None or not readings:
            return False
        earlier = [each for at_s, each in readings if at_s <= now_s - WITHIN_S]
        return count > (earlier[-1] if earlier else readings[0][1])

    def _count(self) -> int | None:
        try:
            lines = self._file.read_text().splitlines() if self._file else []
        except OSError:
            return None
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def _count_file(root: Path) -> Path | None:
    """Return the file with the count of our own group; a container may see that as the root."""
    top = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base, name = (top / "memory", "memory.oom_control") if controllers else (top, "memory.events")
        for folder in (base / path.strip().lstrip("/"), base):
            if (folder / name).is_file():
                return folder / name
    return None
