"""What tasks used of memory, what would have fitted, and what nobody has the memory for: for people, pipes and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyanamo_async import OutOfReach
from pyanamo_async.core.memory.advice import memory_advice, memory_used, what_fits
from pyanamo_async.core.memory.machines import Machine
from pyanamo_async.core.memory.use import Asked, MemoryUse, Peaks

RUN = "-i {items} --memory {memory}"


def memory_row(use: MemoryUse) -> dict[str, object]:
    """Return it for JSON."""
    fit = what_fits(use)
    return {
        **_used(use.used),
        "asked": use.asked and _asked(use.asked),
        "others": use.others and _used(use.others),
        "reserved_bytes": use.reserved_bytes,
        "fitting": {
            "items": fit.items,
            "memory_bytes": fit.memory_bytes,
            "memory_of_tasks": [{**_asked(each), "need_bytes": each.used.need_bytes} for each in fit.asked_badly],
            "instance": fit.instance and {"name": fit.instance.name, **_size(fit.instance)},
            "fargate": fit.fargate and _size(fit.fargate),
        },
    }


def memory_lines(use: MemoryUse | None) -> Iterator[str]:
    """Yield lines of a name, a tab and a value, in bytes where they are sizes; whatever is unknown is empty."""
    fit = use and what_fits(use)
    values = {
        "memory asked least": use and use.asked and use.asked.least_bytes,
        "memory asked": use and use.asked and use.asked.most_bytes,
        "memory asked used": use and use.asked and use.asked.used.typical_bytes,
        "memory used": use and use.used.typical_bytes,
        "memory largest": use and use.used.largest_bytes,
        "memory reserved": use and use.reserved_bytes,
        "fitting items": fit and fit.items,
        "fitting memory": fit and fit.memory_bytes,
        "fitting instance": fit and fit.instance and fit.instance.name,
        "fitting fargate": fit and fit.fargate and f"{fit.fargate.cpus} CPUs, {fit.fargate.gigabytes} GB",
    }
    yield from (f"{name}\t{'' if value is None else value}" for name, value in values.items())


def memory_words(use: MemoryUse | None) -> Iterator[str]:
    """Yield lines for people; none if nothing is known."""
    if use:
        yield f"memory: {memory_used(use)}"
        yield f"would have fitted: {memory_advice(use, run=RUN)}"


def out_of_reach_rows(left: Sequence[OutOfReach]) -> dict[str, object]:
    """Return the items that no living worker takes, for JSON."""
    return {
        "too_large": [
            {"memory_class": each.lane.memory_class, "items": each.items, "need_bytes": each.most_bytes or None}
            for each in left
            if each.lane.memory_class
        ],
        "last_attempts": sum(each.items for each in left if each.lane.last_attempts),
    }


def out_of_reach_lines(left: Sequence[OutOfReach]) -> Iterator[str]:
    """Yield lines on them, of memory with the most that one of them needs, in bytes."""
    for each in left:
        if each.lane.last_attempts:
            yield f"last attempts\t{each.items}"
        else:
            yield f"too large\t{each.items}\t{each.most_bytes or each.class_bytes}"


def _used(used: Peaks) -> dict[str, object]:
    return {"tasks": used.tasks, "used_bytes": used.typical_bytes, "largest_bytes": used.largest_bytes}


def _asked(asked: Asked) -> dict[str, object]:
    return {"least_bytes": asked.least_bytes, "most_bytes": asked.most_bytes, **_used(asked.used)}


def _size(machine: Machine) -> dict[str, object]:
    return {"cpus": machine.cpus, "gigabytes": machine.gigabytes}
