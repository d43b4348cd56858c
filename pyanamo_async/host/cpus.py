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
    """Yield the quotas in force, in CPUs: those of our groups and their parents, in both versions of control groups.

    A container sees its own group as the root, and the path that its host knows leads nowhere: then the root counts.
    """
    top = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines() or ["0::/", "1:cpu:/"]:
        _, _, named = line.partition(":")
        controllers, _, path = named.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = next((top / name for name in (controllers, "cpu") if name and (top / name).is_dir()), top)
        group = mount / path.strip("/\n ")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(mount):
                break
            old = f"{_read(folder / 'cpu.cfs_quota_us')} {_read(folder / 'cpu.cfs_period_us')}"
            for text in (_read(folder / "cpu.max"), old):
                match text.split():
                    case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
                        yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
