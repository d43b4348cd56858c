"""How far it goes: items per second and cost of 10 to 10,000 workers on a DynamoDB table with 1 to 256 shards.

    python -m benchmarks.scale [--items 10e6] [--slots 8] [--heartbeat 20] [--into .cache/bench]

What DynamoDB allows and charges is what AWS has published (`simulation.facts`); how a fleet behaves within that is a
flow (`simulation.flow`), which a test holds to the product's own workers, store and backoff, event by event. Two tables
are asked: a new one, which takes twice as much every half hour, and one that was warmed to the usual quota. Prints
tables, and writes a CSV and an SVG.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.drawing import Line, Panel, Point, svg
from simulation.facts import NEW_TABLE_WRITES, TABLE_QUOTA
from simulation.flow import Flow
from simulation.flow_plan import Course, Limits, Plan, ceilings

WORKERS = (10, 30, 100, 300, 1000, 3000, 10_000)
SHARDS = (1, 4, 16, 64, 256)
SECONDS = (1, 10, 60, 600)
DRAWN_SECONDS, DRAWN_SHARDS = 10, 64

NEW, WARM = "new table", "warmed to 40,000 units/s"
CAPACITIES = {NEW: NEW_TABLE_WRITES, WARM: TABLE_QUOTA}

Courses = dict[tuple[str, int, int, int], Course]


def simulate(items: float, slots: int, heartbeat_s: float) -> Courses:
    """Let every fleet work."""
    return {
        (table, workers, shards, seconds): Flow(
            Plan(workers, shards, seconds, items, slots, heartbeat_s), Limits(capacity)
        ).run()
        for table, capacity in CAPACITIES.items()
        for seconds in SECONDS
        for shards in SHARDS
        for workers in WORKERS
    }


def tables(courses: Courses) -> list[Table]:
    """Write a table for each duration: items a second by shards, and what a million cost with the most shards."""
    found = []
    for kind, seconds in product(CAPACITIES, SECONDS):
        table = Table("workers", *(f"{shards} shards" for shards in SHARDS), "$ a million")
        table.title = f"items per second, items of {seconds} s, {kind}"
        for workers in WORKERS:
            row = [courses[kind, workers, shards, seconds] for shards in SHARDS]
            table.add_row(f"{workers:,}", *(f"{course.rate:,.1f}" for course in row), f"{row[-1].usd_per_million:.2f}")
        found.append(table)
    return found


def write_csv(courses: Courses, into: Path) -> None:
    """Write every figure."""
    with into.open("w", newline="") as file:
        lines = csv.writer(file)
        heads = "items_per_s", "first_half_hour_per_s", "best_minute_per_s", "hours", "usd_per_million", "throttled"
        lines.writerow(["table", "workers", "shards", "seconds", *heads, *ceilings(Plan(1, 1, 1))])
        for key, course in courses.items():
            rates = course.rate, course.first_half_hour, course.best, course.seconds / 3600, course.usd_per_million
            limits = ceilings(course.plan, CAPACITIES[key[0]]).values()
            figures = *rates, course.throttled_s / course.seconds, *limits
            lines.writerow([*key, *(f"{figure:.4g}" for figure in figures)])


def picture(courses: Courses) -> str:
    """Draw items a second by shards for both tables, and cost by duration, against workers."""
    across = "workers, 8 items at a time", (10, 100, 1000, 10_000)
    rates = [
        Panel(
            f"items per second, items of {DRAWN_SECONDS} s, {kind}",
            across,
            ("", (5, 10, 50, 100, 500, 1000, 5000, 10_000)),
            [Line(f"{n} shard{'s' * (n > 1)}", _rates(courses, kind, n)) for n in reversed(SHARDS)],
        )
        for kind in CAPACITIES
    ]
    costs = [
        Line(f"{n} s each", [(w, courses[NEW, w, DRAWN_SHARDS, n].usd_per_million) for w in WORKERS])
        for n in reversed(SECONDS)
    ]
    cost = Panel("$ per million items, import included", across, ("", (4, 5, 6, 8, 10, 15)), costs)
    return svg([*rates, cost])


def _rates(courses: Courses, kind: str, shards: int) -> list[Point]:
    return [(workers, courses[kind, workers, shards, DRAWN_SECONDS].rate) for workers in WORKERS]


def ceiling_said(workers: Sequence[int], slots: int, heartbeat_s: float) -> list[str]:
    """Say where the ceiling is."""
    said = []
    for each in workers:
        plan = Plan(each, max(SHARDS), 1, slots=slots, heartbeat_s=heartbeat_s)
        new, grown = (ceilings(plan, capacity)["table"] for capacity in (NEW_TABLE_WRITES, TABLE_QUOTA))
        said.append(f"{each:,} workers: a new table takes {new:,.0f} items/s, one at the usual quota {grown:,.0f}")
    return [*said, f"each shard takes {ceilings(Plan(1, 1, 1))['shards']:,.0f} items/s"]


def main() -> None:
    """Simulate, print, and write."""
    parser = argparse.ArgumentParser(description="How far it goes: the request model of DynamoDB.")
    parser.add_argument("--items", type=float, default=10e6)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--heartbeat", type=float, default=20.0, help="seconds between beats")
    parser.add_argument("--into", type=Path, default=Path(".cache/bench"))
    args = parser.parse_args()
    courses = simulate(args.items, args.slots, args.heartbeat)
    console = Console()
    for table in tables(courses):
        console.print(table)
    for line in ceiling_said((100, 1000, 10_000), args.slots, args.heartbeat):
        console.print(line)
    args.into.mkdir(parents=True, exist_ok=True)
    write_csv(courses, args.into / "scale.csv")
    (args.into / "scale.svg").write_text(picture(courses))
    console.print(f"written: {args.into}/scale.csv, {args.into}/scale.svg")


if __name__ == "__main__":
    main()
