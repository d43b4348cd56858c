"""Durations as people type and read them: `90`, `90m`, `48h`, `1h30m`, `500ms`, `48:00:00`, `2-00:00`."""

from __future__ import annotations

import re
from datetime import timedelta

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SLURM = re.compile(r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
LONGEST = timedelta(days=3650)  # far beyond any job, and far below where dates overflow


def parse_duration(text: str) -> timedelta:
    """Return the duration of a number of seconds, of numbers with units from large to small, or as Slurm writes it.

    Source of the last: `--time` of sbatch(1). A bare number would be minutes there; here it is seconds.

    Raises:
        ValueError: the text is neither, or means more than ten years.
    """
    compact = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        compact += "s"
    if (":" in compact or "-" in compact) and (slurm := _SLURM.fullmatch(compact)):
        compact = _from_slurm(slurm)
    parts = _PART.findall(compact)
    sizes = [UNITS[unit] for _, unit in parts]
    if not parts or "".join(number + unit for number, unit in parts) != compact or sizes != sorted(set(sizes))[::-1]:
        raise ValueError(f"'{text}' is not a duration like 90, 90m, 1h30m or 48:00:00")
    seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"'{text}' is longer than ten years")
    return timedelta(seconds=seconds)


def _from_slurm(found: re.Match[str]) -> str:
    """Return `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM` or `D-HH:MM:SS` with our units."""
    days, *rest = found.groups()
    given = [number for number in rest if number is not None]
    units = "hms" if days is not None or given == rest else "ms"
    return (f"{days}d" if days is not None else "") + "".join(map("".join, zip(given, units, strict=False)))


def show_duration(span: timedelta) -> str:
    """Return a duration in its two largest units, as in `1h30m`; below a minute to a tenth of a second."""
    seconds = span.total_seconds()
    if round(seconds, 1) < UNITS["m"]:
        return f"{round(seconds, 1):g}s"
    rest = round(seconds)
    counts: list[tuple[int, str]] = []
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, int(UNITS[unit]))
        counts.append((count, unit))
    first = next(index for index, (count, _) in enumerate(counts) if count)
    return "".join(f"{count}{unit}" for count, unit in counts[first : first + 2] if count)


def show_seconds(seconds: float) -> str:
    """Return how long something took, in one short number: `118 ms`, `4.2 s`, `1h30m`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if round(seconds, 1) < UNITS["m"] else show_duration(timedelta(seconds=seconds))


def show_cpu_hours(cpu_seconds: float) -> str:
    """Return seconds times CPUs in hours times CPUs, as in `12.8 CPU hours`; nothing for less than a second."""
    if cpu_seconds < 1:
        return ""
    hours = cpu_seconds / UNITS["h"]
    return f"{hours:,.1f} CPU hours" if hours >= 1 else f"{hours:.2g} CPU hours"
