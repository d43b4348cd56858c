"""Draw lines over two logarithmic axes, as an SVG of a few kilobytes that a README can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 460, 330
LEFT, RIGHT, TOP, BOTTOM = 58, 84, 34, 44
COLOURS = ("#7f3c8d", "#11a579", "#3969ac", "#e68310", "#e73f74", "#666666")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A named line through points."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis: from where to where on the paper, and which values are marked."""

    label: str
    start: float
    end: float
    ticks: Sequence[float]

    def at(self, value: float) -> float:
        """Find the place of a value."""
        low, high = math.log(self.ticks[0]), math.log(self.ticks[-1])
        return self.start + (self.end - self.start) * (math.log(value) - low) / (high - low)


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture: lines over ticks."""

    title: str
    across: tuple[str, Sequence[float]]
    up: tuple[str, Sequence[float]]
    lines: Sequence[Line]


def svg(panels: Sequence[Panel]) -> str:
    """Draw panels side by side."""
    size = f'width="{WIDTH * len(panels)}" height="{HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        *(_panel(panel, WIDTH * number) for number, panel in enumerate(panels)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(panel: Panel, x: int) -> str:
    across = Axis(panel.across[0], LEFT, WIDTH - RIGHT, panel.across[1])
    up = Axis(panel.up[0], HEIGHT - BOTTOM, TOP, panel.up[1])
    parts = [f'<g transform="translate({x})">', _text(panel.title, (LEFT, 18), bold=True)]
    for tick in across.ticks:
        place = across.at(tick)
        parts += [_rule((place, up.start), (place, up.end)), _text(_number(tick), (place, up.start + 16), "middle")]
    for tick in up.ticks:
        place = up.at(tick)
        parts += [_rule((across.start, place), (across.end, place)), _text(_number(tick), (LEFT - 6, place + 4), "end")]
    parts.append(_text(across.label, ((across.start + across.end) / 2, HEIGHT - 8), "middle"))
    taken: list[float] = []
    for line, colour in zip(panel.lines, COLOURS, strict=False):
        parts.append(_line(line, across, up, colour))
        height = up.at(line.points[-1][1]) + 4
        while any(abs(height - other) < 12 for other in taken):
            height += 1
        taken.append(height)
        parts.append(_text(line.name, (across.end + 6, height), colour=colour))
    return "\n".join([*parts, "</g>"])


def _line(line: Line, across: Axis, up: Axis, colour: str) -> str:
    points = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in line.points)
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>'


def _rule(start: Point, end: Point) -> str:
    (x1, y1), (x2, y2) = start, end
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _text(text: str, at: Point, anchor: str = "start", *, colour: str = "#222222", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    place = f'x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}"{weight}>{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"
