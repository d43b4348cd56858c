"""How many CPUs this process may use: its affinity, and the quota of its control groups, whichever is less."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def usable_cpus(*, root: Path = ROOT) -> int:
    """Count them, at least 1; a quota of 1.5 CPUs counts as 2."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([here, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """List the quotas in force, in CPUs: of our group and all groups above it (v2), or of the container (v1)."""
    top = root / "sys/fs/cgroup"
    group = top / _own_group(root)
    for folder in (group, *group.parents):
        if folder.is_relative_to(top):
            yield from _share(_words(folder / "cpu.max"))
    legacy = top / "cpu"
    yield from _share(_words(legacy / "cpu.cfs_quota_us") + _words(legacy / "cpu.cfs_period_us"))


def _share(words: list[str]) -> Iterator[float]:
    match words:
        case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
            yield int(quota) / int(period)


def _own_group(root: Path) -> str:
    for line in _lines(root / "proc/self/cgroup"):
        if line.startswith("0::"):
            return line.removeprefix("0::").strip().lstrip("/")
    return ""


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
