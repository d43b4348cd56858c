"""How much memory this process may use: the machine's, or the limit of its control groups, whichever is less.

Source: "Control Group v2", memory.max; "Memory Resource Controller" (v1), memory.limit_in_bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
KIB = 1024
V1_LIMIT, V2_LIMIT = "memory.limit_in_bytes", "memory.max"


def usable_memory(*, root: Path = ROOT) -> int | None:
    """Return the usable bytes of memory; None where Linux does not tell."""
    return min([*_machine(root), *_limits(root)], default=None)


def _machine(root: Path) -> Iterator[int]:
    for line in _read(root / "proc/meminfo").splitlines():
        match line.split():
            case ["MemTotal:", size, "kB"]:
                yield int(size) * KIB


def _limits(root: Path) -> Iterator[int]:
    """Yield the limits in force: those of our groups and their parents; no limit is text, or more than any machine."""
    top = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        is_v2 = number == "0" and not controllers
        if not is_v2 and "memory" not in controllers.split(","):
            continue
        base, name = (top, V2_LIMIT) if is_v2 else (top / "memory", V1_LIMIT)
        group = base / path.strip().lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(base) and (text := _read(folder / name).strip()).isdecimal():
                yield int(text)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
