"""Plot what was collected, with Bokeh, which the extra `[report]` installs.

Colours of text and lines stand for those of the page, which puts in what suits its background: `TEXT` and `LINES`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import accumulate
from typing import Any

from pyanamo_async.core.bins import Histogram
from pyanamo_async.core.outcomes import Checkpointed, Failed, Interrupted, OutOfMemory, Succeeded, TimedOut
from pyanamo_async.core.text.visible import field
from pyanamo_async.core.timeline_lanes import TimelineLanes
from pyanamo_async.errors import UsageError
from pyanamo_async.operate.reporting.collect import STARTED, Attempt, Collected

TEXT, LINES = "#111111", "#222222"
STATUS_COLOURS = {
    Succeeded.status: "#2a7fb8",
    Checkpointed.status: "#56b4e9",
    Failed.status: "#d55e00",
    TimedOut.status: "#b04f9a",
    Interrupted.status: "#e69f00",
    OutOfMemory.status: "#cc79a7",
}
RUNNING, WAITING = "#3a9e7a", "#8a8f98"
STEP_COLOURS = ("#2a7fb8", "#d55e00", "#3a9e7a", "#b04f9a", "#e69f00", "#56b4e9", "#8a6d3b", "#8a8f98")
MOST_LABELS = 40  # of workers beside the timeline
TICKS = 4  # as a narrow screen has room for
GAP = 0.5  # of a lane, between workers
LONGEST_LABEL = 40
MEGABYTE = 1 << 20  # as `show_size` has it
HEIGHT, LANE_HEIGHT, TALLEST = 260, 14, 900  # pixels

Plots = dict[str, Any]


def require_bokeh() -> None:
    """Raise `UsageError` if Bokeh is not installed."""
    if not find_spec("bokeh"):
        raise UsageError("a report needs Bokeh, which is not installed", hint="pip install 'pyanamo-async[report]'")


def library() -> str:
    """Return the JavaScript that draws the plots."""
    from bokeh.resources import Resources

    [script] = Resources(mode="inline", components=["bokeh"], minified=True, log_level="warn").js_raw[:1]
    return str(script)


def plots(collected: Collected, attempts: Sequence[Attempt]) -> Plots:
    """Return what the library needs to draw each plot, by the id of its place in the page; none that is empty."""
    from bokeh.embed import json_item

    figures: dict[str, Any] = {}
    if attempts:
        figures["timeline"] = _timeline(attempts)
        figures["throughput"] = _throughput(collected)
        figures["states"] = _states(collected)
    for name, label in (("seconds", "seconds"), ("memory", "MB"), ("efficiency", "% of a CPU")):
        if any(getattr(step, name).total for step in collected.steps):
            histograms = [getattr(step, name) for step in collected.steps]
            figures[name] = _distribution(name, histograms, label=label, percent=name == "efficiency")
    return {name: json_item(figure) for name, figure in figures.items()}


def _figure(name: str, *, height: int = HEIGHT, **options: Any) -> Any:  # noqa: ANN401 - of Bokeh's, without types
    from bokeh.plotting import figure

    made: Any = figure(
        name=name,
        height=height,
        sizing_mode="stretch_width",
        tools="xpan,xbox_zoom,xwheel_zoom,reset",
        toolbar_location="above",
        background_fill_alpha=0,
        border_fill_alpha=0,
        outline_line_color=LINES,
        min_border_right=12,
        **options,
    )
    made.toolbar.logo = None
    made.axis.axis_label_text_color = made.axis.major_label_text_color = TEXT
    made.axis.axis_line_color = made.axis.major_tick_line_color = LINES
    made.axis.minor_tick_line_color = None
    made.axis.axis_label_text_font_style = "normal"
    made.grid.grid_line_color = LINES
    made.xaxis.ticker.desired_num_ticks = TICKS
    return made


def _timeline(attempts: Sequence[Attempt]) -> Any:  # noqa: ANN401
    """Draw a bar for each attempt, on the lanes of its worker."""
    from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, PlainText
    from numpy import float64

    lanes: dict[str, TimelineLanes] = {}
    places = [
        lanes.setdefault(each.worker, TimelineLanes()).place(each.started, each.started + each.seconds)
        for each in attempts
    ]
    tops = dict(zip(lanes, accumulate((each.count + GAP for each in lanes.values()), initial=0.0), strict=False))
    height = sum(each.count + GAP for each in lanes.values())
    source = ColumnDataSource(
        {
            "left": _array((1000 * each.started for each in attempts), float64),
            "right": _array((1000 * (each.started + each.seconds) for each in attempts), float64),
            "y": _array((tops[each.worker] + lane for each, lane in zip(attempts, places, strict=True)), float64),
            "colour": [STATUS_COLOURS[each.status] for each in attempts],
            "what": [field(f"{each.item_id} {each.task}") for each in attempts],
        }
    )
    made = _figure(
        "timeline",
        height=min(TALLEST, max(HEIGHT, round(60 + LANE_HEIGHT * height))),
        x_axis_type="datetime",
        y_range=(height, -1.0),
    )
    bars = made.hbar(
        y="y", left="left", right="right", height=0.85, source=source, color="colour", line_color=None, name="attempts"
    )
    made.add_tools(
        HoverTool(
            renderers=[bars], tooltips=[("task", "@what"), ("began", "@left{%F %T}")], formatters={"@left": "datetime"}
        )
    )
    every = -(-len(lanes) // MOST_LABELS)
    middles = {tops[worker] + (of.count - 1) / 2: worker for worker, of in [*lanes.items()][::every]}
    made.yaxis.ticker = FixedTicker(ticks=[*middles])
    made.yaxis.major_label_overrides = {at: PlainText(text=_short(worker)) for at, worker in middles.items()}
    made.ygrid.visible = False
    return made


def _throughput(collected: Collected) -> Any:  # noqa: ANN401
    """Draw how many attempts ended over time, by how they ended."""
    bins = [*collected.times]
    lefts = [1000 * at for at, _ in bins]
    made = _figure("throughput", x_axis_type="datetime")
    made.yaxis.axis_label = f"ended in {collected.times.width:g} s"
    bottoms = [0] * len(bins)
    for status, colour in STATUS_COLOURS.items():
        tops = [below + counts[status] for below, (_, counts) in zip(bottoms, bins, strict=True)]
        if tops != bottoms:
            rights = [left + 1000 * collected.times.width for left in lefts]
            _quads(made, lefts, rights, bottoms, tops, color=colour, name=status)
        bottoms = tops
    made.y_range.start = 0
    return made


def _states(collected: Collected) -> Any:  # noqa: ANN401
    """Draw how many tasks were in each state over time, as far as their last attempts tell."""
    total = sum(sum(step.tasks.values()) for step in collected.steps)
    seen: Counter[str] = Counter()
    times: list[float] = []
    columns: dict[str, list[int]] = {"done": [], "failed": [], "running": [], "waiting": []}
    for at, counts in _with_start(collected):
        seen.update(counts)
        times.append(1000 * at)
        done, failed = seen[Succeeded.status], seen[Failed.status] + seen[TimedOut.status]
        put_back = seen[Interrupted.status] + seen[OutOfMemory.status]
        running = max(0, seen[STARTED] - done - failed - put_back)
        for name, number in zip(columns, (done, failed, running, max(0, total - done - failed - running)), strict=True):
            columns[name].append(number)
    made = _figure("states", x_axis_type="datetime")
    made.yaxis.axis_label = "tasks"
    colours = (STATUS_COLOURS[Succeeded.status], STATUS_COLOURS[Failed.status], RUNNING, WAITING)
    made.varea_stack([*columns], x="t", color=colours, source={"t": times, **columns}, fill_alpha=0.85)
    made.y_range.start = 0
    return made


def _with_start(collected: Collected) -> Iterator[tuple[float, Mapping[str, int]]]:
    """Yield the ends of bins with what happened in them, after the beginning of all."""
    for number, (at, counts) in enumerate(collected.times):
        if not number:
            yield at, {}
        yield at + collected.times.width, counts


def _distribution(name: str, histograms: Iterable[Histogram], *, label: str, percent: bool) -> Any:  # noqa: ANN401
    """Draw how many attempts lie between bounds, for each step."""
    from bokeh.models import NumeralTickFormatter

    made = _figure(name, x_axis_type="linear" if percent else "log")
    made.xaxis.axis_label, made.yaxis.axis_label = label, "tasks"
    least, most = math.inf, 0.0
    for number, histogram in enumerate(histograms):
        bins = [*histogram]
        if bins:
            unit = MEGABYTE if name == "memory" else 1
            lefts, rights = ([each[part] / unit for each in bins] for part in range(2))
            tops = [count for _, _, count in bins]
            least, most = min(least, lefts[0]), max(most, rights[-1])
            colour = STEP_COLOURS[number % len(STEP_COLOURS)]
            _quads(made, lefts, rights, [0] * len(bins), tops, color=colour, name=f"step {number}")
    if not percent:
        made.xaxis.formatter = NumeralTickFormatter(format="0.[000]a")
        made.x_range.start, made.x_range.end = _decades(least, most)
    made.y_range.start = 0
    return made


def _decades(least: float, most: float) -> tuple[float, float]:
    """Return the powers of ten around: ticks have room."""
    return 10 ** math.floor(math.log10(least)), 10 ** math.ceil(math.log10(most))


def _quads(
    made: Any,  # noqa: ANN401
    lefts: Sequence[float],
    rights: Sequence[float],
    bottoms: Sequence[float],
    tops: Sequence[float],
    **options: str,
) -> None:
    source = {"left": lefts, "right": rights, "bottom": bottoms, "top": tops}
    made.quad("left", "right", "top", "bottom", source=source, fill_alpha=0.75, line_color=None, **_fill(options))


def _fill(options: dict[str, str]) -> dict[str, str]:
    return {"fill_color": options["color"], "name": options["name"]}


def _array(values: Iterable[float], kind: type) -> Any:  # noqa: ANN401
    from numpy import fromiter

    return fromiter(values, dtype=kind)


def _short(worker: str) -> str:
    """Return the name of a worker as there is room for it: its end tells it from others."""
    name = field(worker)
    return name if len(name) <= LONGEST_LABEL else f"…{name[-LONGEST_LABEL:]}"
