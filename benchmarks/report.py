"""Say what was found: on a terminal, and as Markdown."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import rich.table
from rich.console import Console

Row = tuple[str, ...]
FILE_WIDTH = 120


@dataclass(frozen=True, slots=True)
class Goal:
    """What was to be reached, and what was."""

    what: str
    asked: str
    got: str
    reached: bool

    @classmethod
    def at_least(cls, what: str, asked: float, got: float, form: str = "{:.2f}") -> Goal:
        """More is better."""
        return cls(what, f">= {form.format(asked)}", form.format(got), got >= asked)

    @classmethod
    def at_most(cls, what: str, asked: float, got: float, form: str = "{:.2f}") -> Goal:
        """Less is better."""
        return cls(what, f"<= {form.format(asked)}", form.format(got), got <= asked)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below a title; the first column is text, all others are figures."""

    title: str
    columns: Row
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Write it as Markdown."""
        lines = [_line(self.columns), _line(("---", *("---:" for _ in self.columns[1:]))), *map(_line, self.rows)]
        notes = "".join(f"- {note}\n" for note in self.notes)
        return f"**{self.title}**\n\n" + "\n".join(lines) + "\n" + (f"\n{notes}" if notes else "")

    def rich(self) -> rich.table.Table:
        """Draw it for a terminal."""
        drawn = rich.table.Table(title=self.title, caption="\n".join(self.notes), caption_justify="left")
        for number, column in enumerate(self.columns):
            drawn.add_column(column, justify="right" if number else "left")
        for row in self.rows:
            drawn.add_row(*row)
        return drawn


@dataclass(frozen=True, slots=True)
class Section:
    """What one benchmark found."""

    table: Table
    goals: tuple[Goal, ...] = ()


def goals_table(goals: Iterable[Goal]) -> Table:
    """Set goals beside what was reached."""
    rows = tuple((goal.what, goal.asked, goal.got, "yes" if goal.reached else "NO") for goal in goals)
    return Table("Goals", ("goal", "asked", "got", "reached"), rows)


def show(section: Section) -> None:
    """Print what was found."""
    console = Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH)
    console.print(section.table.rich())
    if section.goals:
        console.print(goals_table(section.goals).rich())


def missed_goals(sections: Iterable[Section]) -> list[str]:
    """Name the goals that were not reached."""
    return [goal.what for section in sections for goal in section.goals if not goal.reached]


def markdown(sections: Iterable[Section]) -> str:
    """Write all that was found as one document."""
    found = list(sections)
    goals = [goal for section in found for goal in section.goals]
    tables = [section.table for section in found] + ([goals_table(goals)] if goals else [])
    return f"{machine()}\n\n" + "\n".join(table.markdown() for table in tables)


def machine() -> str:
    """Tell when and on what this was measured."""
    about = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in about if line.startswith("model name")), platform.machine())
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({model}), {system}, {python}"


def _line(cells: Row) -> str:
    return f"| {' | '.join(cells)} |"
