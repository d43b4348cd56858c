"""What this process may use: CPUs by its affinity, memory of the machine, or what its control groups allow, if less.

A container sees its own group as the root, and the path that its host knows leads nowhere: then the root counts.

Source: "Control Group v2", cpu.max and memory.max; for v1 "CFS Bandwidth Control" and "Memory Resource Controller".
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
KIB = 1024


def usable_cpus(*, root: Path = ROOT) -> int:
    """Return the number of usable CPUs, at least 1; a quota of 1.5 CPUs counts as 2."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affinity, *(math.ceil(quota) for quota in _quotas(root))]))


def usable_memory(*, root: Path = ROOT) -> int | None:
    """Return the usable bytes of memory; None where Linux does not tell."""
    sizes = [line.split() for line in lines_of(root / "proc/meminfo") if line.startswith("MemTotal:")]
    folders = [folder for group in control_groups("memory", root=root) for folder in group]
    limits = [
        line for each in folders for name in ("memory.max", "memory.limit_in_bytes") for line in lines_of(each / name)
    ]
    return min(
        [*(int(size) * KIB for _, size, _ in sizes), *(int(limit) for limit in limits if limit.isdecimal())],
        default=None,  # no limit is text, or more than any machine
    )


def available_memory(*, root: Path = ROOT) -> int | None:
    """Return how many bytes the machine can still give to programs; None where Linux does not tell."""
    sizes = (line.split()[1] for line in lines_of(root / "proc/meminfo") if line.startswith("MemAvailable:"))
    return next((int(size) * KIB for size in sizes), None)


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quotas in force, in CPUs: those of our groups and their parents, in both versions of control groups."""
    for group in control_groups("cpu", root=root):
        for folder in group:
            old = [line for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us") for line in lines_of(folder / name)]
            for text in (*lines_of(folder / "cpu.max"), " ".join(old)):
                match text.split():
                    case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
                        yield int(quota) / int(period)


def control_groups(controller: str, *, root: Path = ROOT) -> Iterator[list[Path]]:
    """Yield, for each control group of this process under `controller`, its folder and those of its parents."""
    top = root / "sys/fs/cgroup"
    for line in lines_of(root / "proc/self/cgroup") or ["0::/", f"1:{controller}:/"]:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mounts = [top / name for name in (controllers, controller) if controllers and (top / name).is_dir()]
        mount = mounts[0] if mounts else top
        group = mount / path.strip("/ ")
        yield [folder for folder in (group, *group.parents) if folder.is_relative_to(mount)]


def lines_of(file: Path) -> list[str]:
    """Return the lines of a file; none when it cannot be read."""
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
