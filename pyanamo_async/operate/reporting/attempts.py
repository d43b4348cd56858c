"""The attempts of a report as columns, in which names that repeat are stored once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pyanamo_async.core.text.visible import field, visible
from pyanamo_async.operate.reporting.collect import Attempt, Collected

LONGEST_SCRIPT = 300
MOST_CHARACTERS = 4_000_000  # of all commands together
SHORTEST_CUT = 40

Column = dict[str, object]


def as_columns(collected: Collected, attempts: Sequence[Attempt]) -> dict[str, object]:
    """Return what the page's list of tasks reads: columns with a name, a kind and their values."""
    columns = [
        _column("item", "text", (field(each.item_id) for each in attempts)),
        _named("sample", (each.sample for each in attempts)),
        _named("task", (each.task for each in attempts)),
        _column("attempt", "number", (each.attempt for each in attempts)),
        _named("status", (each.status for each in attempts)),
        _named("exit", (each.exit for each in attempts)),
        _named("reason", (each.reason for each in attempts)),
        _column("started", "time", (round(1000 * each.started) for each in attempts)),
        _column("took s", "seconds", (round(each.seconds, 3) for each in attempts)),
        _column("CPU s", "seconds", (_rounded(each.cpu_seconds) for each in attempts)),
        _column("memory", "bytes", (each.max_rss_bytes for each in attempts)),
        _named("worker", (each.worker for each in attempts)),
    ]
    if len(collected.steps) > 1:
        columns.insert(0, _named("step", (collected.steps[each.step].name for each in attempts)))
    if collected.scripts:
        cut = script_cut(len(attempts))
        columns.append(_column("command", "code", (visible(_cut(each.script, cut)) for each in attempts)))
    return {"length": len(attempts), "columns": columns}


def script_cut(number: int) -> int:
    """Return how many characters of each command a page has room for."""
    return max(SHORTEST_CUT, min(LONGEST_SCRIPT, MOST_CHARACTERS // max(1, number)))


def _column(name: str, kind: str, values: Iterable[object]) -> Column:
    return {"name": name, "kind": kind, "values": [*values]}


def _named(name: str, values: Iterable[str], show: Callable[[str], str] = field) -> Column:
    numbers: dict[str, int] = {}
    indexes = [numbers.setdefault(each, len(numbers)) for each in values]
    return {"name": name, "kind": "text", "names": [*map(show, numbers)], "values": indexes}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
