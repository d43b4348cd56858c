"""Count the CPUs that this process may use: its affinity or the quota of its control groups, whichever is less."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def usable_cpus(*, root: Path = ROOT) -> int:
    """Return the number of usable CPUs, at least 1; a quota of 1.5 CPUs counts as 2."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affinity, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quotas in force, in CPUs: those of our group and its parents (cgroup v2), or the container's (v1)."""
    top = root / "sys/fs/cgroup"
    own = next((line for line in _read(root / "proc/self/cgroup").splitlines() if line.startswith("0::")), "")
    group = top / own.removeprefix("0::").strip().lstrip("/")
    v2 = [_read(folder / "cpu.max") for folder in (group, *group.parents) if folder.is_relative_to(top)]
    v1 = _read(top / "cpu/cpu.cfs_quota_us") + " " + _read(top / "cpu/cpu.cfs_period_us")
    for text in (*v2, v1):
        match text.split():
            case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
                yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
