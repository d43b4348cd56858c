"""What the peaks of a step say of its task file, its workers and their machines.

Machines are told by how much memory they have for each CPU, as clouds sell them: 2, 4 or 8 GB.
"""

from __future__ import annotations

from pyanamo_async.core.memory.needs import MARGIN
from pyanamo_async.core.text.byte_sizes import show_size

GIB = 1 << 30
PER_CPU = ((2, "c"), (4, "m"), (8, "r"))  # GB for each CPU, and the letter by which AWS calls such instances
TOO_MUCH_ASKED = 1.5  # times what is needed


def memory_advice(peak_bytes: int, *, asked_bytes: int | None = None) -> str:
    """Return what fits tasks of which most stay below a peak, and asked for so much on average (None: not at all)."""
    need = round(MARGIN * peak_bytes)
    said = f"With {show_size(need)} for each task most fit"
    if asked_bytes is not None and asked_bytes > TOO_MUCH_ASKED * need:
        said += f", while they ask for {show_size(asked_bytes)}: lower their Memory"
    elif asked_bytes is not None and asked_bytes < peak_bytes:
        said += f", while they ask for {show_size(asked_bytes)}: raise their Memory"
    return f"{said}. {_machine(need)}"


def _machine(need_bytes: int) -> str:
    for gigabytes, letter in PER_CPU:
        if need_bytes <= gigabytes * GIB:
            fit = gigabytes * GIB // need_bytes if need_bytes else 0
            more = f"; for each CPU there is room for {fit:,}" if fit > 1 else ""
            return (
                f"A task for each CPU takes a machine with {gigabytes} GB for each ({letter} instances of AWS){more}."
            )
    cpus = -(-need_bytes // (PER_CPU[-1][0] * GIB))
    return (
        f"No usual machine has that for each CPU: with 8 GB for each (r instances of AWS) one runs for {cpus:,} CPUs."
    )
