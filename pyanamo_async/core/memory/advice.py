"""Compare the memory that tasks asked for, used and had reserved, and advise what would have fitted.

1. A task needs what 95 % of the tasks stay below, and a tenth more: workers that learn needs use the same figures.
2. It takes as many CPUs as its column `Cpus` says, or as it kept busy if those are more. Where half of a worker's CPUs
   were idle, it takes what it kept busy, but at least a quarter of one: a task that waited may compute next time.
3. A worker that has these CPUs runs as many tasks at a time as have room in its budget: what `--memory` gave it, or all
   of its memory, less the reserve.
4. A machine that fits has the CPUs of the worker, or at least those that one task takes, and memory for all tasks that
   those CPUs can run. Where no machine has so much memory for each CPU, a machine with more CPUs fits.
5. Worker and machine hold the largest task, and what a task asks for unless another `Memory` is advised.
6. What tasks asked for is judged by what those used that asked for as much, if there are three or more of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from pyanamo_async.core.memory.budget import USABLE
from pyanamo_async.core.memory.machines import SIZES, Machine, smallest_fargate, smallest_instance
from pyanamo_async.core.memory.needs import ENOUGH, MARGIN
from pyanamo_async.core.memory.use import Asked, MemoryUse, Peaks
from pyanamo_async.core.text.byte_sizes import GIB, show_size
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.values import Value

MIB, TEN_GIB = 1 << 20, 10 * GIB
TOO_MUCH_ASKED = 1.5  # times what is needed
FAR_LARGER = 2.0  # times what is needed: such a task wants a `Memory` of its own
IDLE = 0.5  # of the CPUs of a worker
LEAST_CPUS = 0.25
MOST_NAMED = 3  # sizes that were asked for


class Fit(Value):
    """What would have fitted: items at a time and their memory (None where the worker is unknown), and machines.

    `asked_badly` are the tasks that should ask for what they need, because what they asked for is far from it.
    """

    items: int | None
    memory_bytes: int | None
    asked_badly: tuple[Asked, ...]
    instance: Machine | None
    fargate: Machine | None


def what_fits(use: MemoryUse) -> Fit:
    """Return what would have fitted tasks that used so much."""
    need, cpus, worker = use.used.need_bytes, _cpus_each(use), use.reserved
    asked_badly = tuple(each for each in use.groups if _asks_badly(each))
    kept = [each.most_bytes for each in use.groups if each not in asked_badly]
    if use.asked and use.asked.most_bytes not in (each.most_bytes for each in asked_badly):
        kept.append(use.asked.most_bytes)  # of which there may be no group
    largest = max(math.ceil(MARGIN * use.used.largest_bytes), *kept, need)
    wanted_cpus = worker.cpus if worker else max(cpus, min(SIZES))
    at_once = max(1, int(wanted_cpus / cpus))
    of_all = max(at_once * need, largest) / USABLE
    items = memory_bytes = None
    if worker:
        items = max(1, min(at_once, int(worker.memory_bytes / need)))
        memory_bytes = GIB * math.ceil(max(items * need, largest) / GIB)
    return Fit(
        items,
        memory_bytes,
        asked_badly,
        smallest_instance(wanted_cpus, of_all),
        smallest_fargate(wanted_cpus, of_all),
    )


def _asks_badly(group: Asked) -> bool:
    used, asked_bytes = group.used, group.most_bytes
    return used.tasks >= ENOUGH and not used.typical_bytes <= asked_bytes <= TOO_MUCH_ASKED * used.need_bytes


def _cpus_each(use: MemoryUse) -> float:
    if use.busy_cpus is None:
        return use.cpus
    if use.cpus <= 1 and use.reserved and use.busy_cpus * use.reserved.items < IDLE * use.reserved.cpus:
        return max(LEAST_CPUS, use.busy_cpus)
    return max(use.cpus, use.busy_cpus)


def memory_used(use: MemoryUse) -> str:
    """Return what tasks asked for, used and had reserved, in words: those that asked for memory, then the others."""
    told = []
    if use.asked:
        told.append(f"asked for {_asked_for(use.asked)}, used up to {_used(use.asked.used)}")
    if use.others:
        told.append(f"{'without Memory' if use.asked else 'used'} up to {_used(use.others)}")
    if use.reserved_bytes is not None:
        told.append(f"reserved {show_size(use.reserved_bytes)} for each item")
    return ", ".join(told)


def _asked_for(asked: Asked) -> str:
    least, most = show_size(asked.least_bytes), show_size(asked.most_bytes)
    return most if least == most else f"{least} to {most}"


def _used(used: Peaks) -> str:
    largest = f"; the largest {show_size(used.largest_bytes)}" if used.largest_bytes > used.typical_bytes else ""
    return f"{show_size(used.typical_bytes)} (95 % of {plural(used.tasks, 'task')}{largest})"


def memory_advice(use: MemoryUse, *, run: str = "{items} at a time within {memory}") -> str:
    """Return what would have fitted, in words; `run` is the template of what is said about a worker."""
    fit = what_fits(use)
    told = [*_other_memory(use, fit)]
    if fit.items is not None and fit.memory_bytes is not None:
        told.append(run.format(items=fit.items, memory=size_flag(fit.memory_bytes)))
    told.append(_machines(fit))
    alike = [*(each.used for each in use.groups), *([use.others] if use.others else [])]
    if any(each.largest_bytes > FAR_LARGER * each.need_bytes for each in alike):
        told.append("a Memory of its own for each of the few large ones")
    return ", ".join(told)


def _other_memory(use: MemoryUse, fit: Fit) -> Iterator[str]:
    """Yield what to ask for instead; of many sizes those that most tasks asked for."""
    by_tasks = sorted(fit.asked_badly, key=lambda each: -each.used.tasks)
    for each in by_tasks[:MOST_NAMED]:
        need_bytes = each.used.need_bytes
        of_what = f" in place of {size_flag(each.most_bytes)}" if len(use.groups) > 1 else ""
        yield f"a {'lower' if each.most_bytes > need_bytes else 'higher'} Memory, {size_flag(need_bytes)}{of_what}"
    if more := by_tasks[MOST_NAMED:]:
        yield f"another Memory in place of {plural(len(more), 'other size')}"


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
