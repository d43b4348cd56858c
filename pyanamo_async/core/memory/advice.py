"""How much memory the tasks of a step asked for, used and had reserved, and what would have fitted.

1. A task needs what 95 % of the tasks stay below, and a tenth more: workers that learn needs use the same figures.
2. It takes as many CPUs as its column `Cpus` says, or as it kept busy if those are more. Where half of a worker's CPUs
   were idle, it takes what it kept busy, but at least a quarter of one: a task that waited may compute next time.
3. A worker that has these CPUs runs as many tasks at a time as have room in its budget: what `--memory` gave it, or all
   of its memory, less the reserve.
4. A machine that fits has the CPUs of the worker, or at least those that one task takes, and memory for all tasks that
   those CPUs can run. Where no machine has so much memory for each CPU, a machine with more CPUs fits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from pyanamo_async.core.memory.budget import USABLE
from pyanamo_async.core.memory.machines import SIZES, Machine, smallest_fargate, smallest_instance
from pyanamo_async.core.memory.needs import MARGIN
from pyanamo_async.core.text.byte_sizes import GIB, show_size
from pyanamo_async.core.values import Value
from pyanamo_async.core.workers import Worker

MIB, TEN_GIB = 1 << 20, 10 * GIB
TOO_MUCH_ASKED = 1.5  # times what is needed
FAR_LARGER = 2.0  # times what is needed: such a task wants a `Memory` of its own
IDLE = 0.5  # of the CPUs of a worker
LEAST_CPUS = 0.25


class Reserved(Value):
    """The CPUs of a worker, the memory that its scripts may use together, and how many items run at a time at most."""

    cpus: float
    memory_bytes: int
    items: int


class MemoryUse(Value):
    """What tasks used: `tasks` of them were looked at, and 95 % of their peaks were below `typical_bytes`.

    On average they asked for `asked_bytes` (None: no task did) and `cpus`, and kept `busy_cpus` busy. `reserved` is
    what a worker that ran them had: its CPUs, its memory, and how many items it ran at a time.
    """

    tasks: int
    typical_bytes: int
    largest_bytes: int
    asked_bytes: int | None = None
    cpus: float = 1.0
    busy_cpus: float | None = None
    reserved: Reserved | None = None

    @property
    def need_bytes(self) -> int:
        """Return what such a task needs."""
        return max(1, round(MARGIN * self.typical_bytes))

    @property
    def reserved_bytes(self) -> int | None:
        """Return the memory that a worker had for each item that ran at a time; None if that is unknown."""
        return self.reserved.memory_bytes // self.reserved.items if self.reserved else None


class Fit(Value):
    """What would have fitted: items at a time and their memory (None where the worker is unknown), and machines.

    `memory_of_tasks` is what to ask for with the column `Memory`, when what was asked is far from what is needed.
    """

    items: int | None
    memory_bytes: int | None
    memory_of_tasks: int | None
    instance: Machine | None
    fargate: Machine | None


def reserved_by(workers: Iterable[Worker]) -> Reserved | None:
    """Return what the last of these workers reserved whose size is known; they are ordered by last heartbeat."""
    found = None
    for each in workers:
        cpus, budget_bytes, memory_bytes = each.platform.cpus, each.platform.budget_bytes, each.platform.memory_bytes
        usable_bytes = budget_bytes or int((memory_bytes or 0) * USABLE)
        if cpus and usable_bytes and each.slots:
            found = Reserved(cpus, usable_bytes, each.slots)
    return found


def what_fits(use: MemoryUse) -> Fit:
    """Return what would have fitted tasks that used so much."""
    need, cpus, worker = use.need_bytes, _cpus_each(use), use.reserved
    wanted_cpus = worker.cpus if worker else max(cpus, min(SIZES))
    at_once = max(1, int(wanted_cpus / cpus))
    of_all = at_once * need / USABLE
    items = memory_bytes = None
    if worker:
        items = max(1, min(at_once, int(worker.memory_bytes / need)))
        memory_bytes = GIB * math.ceil(items * need / GIB)
    asks_badly = use.asked_bytes is not None and not use.typical_bytes <= use.asked_bytes <= TOO_MUCH_ASKED * need
    return Fit(
        items,
        memory_bytes,
        need if asks_badly else None,
        smallest_instance(wanted_cpus, of_all),
        smallest_fargate(wanted_cpus, of_all),
    )


def _cpus_each(use: MemoryUse) -> float:
    if use.busy_cpus is None:
        return use.cpus
    if use.cpus <= 1 and use.reserved and use.busy_cpus * use.reserved.items < IDLE * use.reserved.cpus:
        return max(LEAST_CPUS, use.busy_cpus)
    return max(use.cpus, use.busy_cpus)


def memory_used(use: MemoryUse) -> str:
    """Return what a task asked for, used and had reserved, in words."""
    largest = f"; the largest {show_size(use.largest_bytes)}" if use.largest_bytes > use.typical_bytes else ""
    told = [
        f"asked for {show_size(use.asked_bytes)}" if use.asked_bytes is not None else "",
        f"used up to {show_size(use.typical_bytes)} (95 % of {use.tasks:,} tasks{largest})",
        f"reserved {show_size(use.reserved_bytes)} for each item" if use.reserved_bytes is not None else "",
    ]
    return ", ".join(filter(None, told))


def memory_advice(use: MemoryUse, *, run: str = "{items} at a time within {memory}") -> str:
    """Return what would have fitted, in words; `run` is the template of what is said about a worker."""
    fit = what_fits(use)
    told = []
    if fit.memory_of_tasks is not None:
        direction = "lower" if use.asked_bytes and use.asked_bytes > fit.memory_of_tasks else "higher"
        told.append(f"a {direction} Memory, {size_flag(fit.memory_of_tasks)}")
    if fit.items is not None and fit.memory_bytes is not None:
        told.append(run.format(items=fit.items, memory=size_flag(fit.memory_bytes)))
    told.append(_machines(fit))
    if use.largest_bytes > FAR_LARGER * use.need_bytes:
        told.append("a Memory of its own for each of the few large ones")
    return ", ".join(filter(None, told))


def _machines(fit: Fit) -> str:
    sizes = []
    if fit.instance:
        sizes.append(f"{fit.instance.cpus} CPUs with {fit.instance.gigabytes} GB ({fit.instance.name} on EC2)")
    if fit.fargate:
        cpus = "1 CPU" if fit.fargate.cpus == 1 else f"{fit.fargate.cpus} CPUs"
        sizes.append(f"{cpus} with {fit.fargate.gigabytes} GB on Fargate")
    return f"a machine of {' or '.join(sizes)}" if sizes else "no machine for so many at a time"


def size_flag(count: int) -> str:
    """Return a size of at least `count` bytes as people type it: `620M`, `3.4G`, `27G`."""
    tenths = math.ceil(10 * count / GIB)
    if count < GIB:
        return f"{max(1, math.ceil(count / MIB))}M"
    return f"{tenths / 10}G" if count < TEN_GIB and tenths % 10 else f"{math.ceil(tenths / 10)}G"
