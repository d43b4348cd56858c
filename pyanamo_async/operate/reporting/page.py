"""Write the page of a report: one file that needs no network, and says so to the browser.

1. The content security policy permits nothing but the scripts of the page itself, by their hashes. Styles may be
   inline: the library of the plots sets them.
2. Text is escaped for where it stands: `text` in HTML, `json_text` in data, of which the page's script makes text
   nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.resources import files

from pyanamo_async.core.items import State, TaskState
from pyanamo_async.core.memory.advice import memory_advice, memory_used
from pyanamo_async.core.platforms import show_platform
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.durations import show_cpu_hours, show_seconds
from pyanamo_async.core.workers import Worker
from pyanamo_async.operate.reporting.attempts import as_columns
from pyanamo_async.operate.reporting.collect import Attempt, Collected, Step
from pyanamo_async.operate.reporting.markup import Cell, hash_of, json_text, legend, table, text
from pyanamo_async.operate.reporting.plots import (
    RUNNING,
    STATUS_COLOURS,
    STEP_COLOURS,
    WAITING,
    Plots,
)

STATE_COLOURS = {State.DONE: "#2a7fb8", State.FAILED: "#d55e00", State.LOCKED: RUNNING}
LONGEST_S = 1e12  # that can be shown
SHOWN = 20  # of reasons, hosts and samples
WORKER = ("worker", "host", "job", "platform", "instance", "items done", "last heartbeat", "stopped by")
STATES = {"done": "#2a7fb8", "last attempt failed": "#d55e00", "running": RUNNING, "waiting": WAITING}


def page(
    collected: Collected,
    attempts: Sequence[Attempt],
    plots: Plots,
    library: str,
    *,
    at: datetime,
    price: float | None,
    version: str | None,
) -> Iterator[str]:
    """Yield the parts of the page; one with a `version` asks the server that it came from for newer ones."""
    own, style = _file("page.js"), _file("page.css")
    title = "Report of " + ", ".join(step.name for step in collected.steps)
    policy = (
        f"default-src 'none'; script-src {hash_of(library)} {hash_of(own)}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    ) + ("" if version is None else "; connect-src 'self'")
    body = "<body>" if version is None else f'<body data-version="{text(version)}">'
    yield (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{style}</style>\n</head>\n{body}\n"
    )
    yield f'<h1>{text(title)}</h1>\n<p class="soft">{at:%Y-%m-%d %H:%M:%S} UTC. Times are in UTC.</p>\n'
    yield "<noscript><p class='note'>The plots and the list of tasks need JavaScript.</p></noscript>\n"
    yield from _sections(collected, attempts, plots, price)
    yield f'<script type="application/json" id="plots">{json_text(plots)}</script>\n'
    yield f'<script type="application/json" id="attempts">{json_text(as_columns(collected, attempts))}</script>\n'
    yield f"<script>{library}</script>\n<script>{own}</script>\n</body>\n</html>\n"


def _sections(collected: Collected, attempts: Sequence[Attempt], plots: Plots, price: float | None) -> Iterator[str]:
    yield "<h2>Progress</h2>\n"
    yield from map(_progress, collected.steps)
    yield legend([*STATE_COLOURS.items(), ("others", WAITING)])
    yield table(
        "", ("step", *State, "tasks", "tasks done", "tasks failed", "tasks to do"), map(_counts, collected.steps)
    )
    listed = f"The last attempt of each task that ended: {collected.total:,}."
    if collected.is_sampled:
        listed += (
            f" There are more than a browser can show: the timeline and the list of tasks have {len(attempts):,} of "
            "them, chosen at random. Everything else counts all."
        )
    yield f'<h2>Attempts</h2>\n<p class="{"note" if collected.is_sampled else "soft"}">{listed}</p>\n'
    yield legend(STATUS_COLOURS)
    yield _plot("timeline", "Timeline, by worker", plots)
    yield f'<div class="plots"><div>{_plot("throughput", "Throughput", plots)}</div><div>'
    yield _plot("states", "States of tasks over time", plots)
    yield legend(STATES) if "states" in plots else ""
    yield "</div></div>\n<h2>What tasks used</h2>\n"
    if len(collected.steps) > 1:
        colours = (STEP_COLOURS[number % len(STEP_COLOURS)] for number in range(len(collected.steps)))
        yield legend([*zip((step.name for step in collected.steps), colours, strict=True)])
    told = "Half and 95 % of the attempts stay below these figures, which are the bounds of the plots' bins."
    yield f'<p class="soft">{told}</p>\n'
    yield table(
        "",
        ("step", "attempts", "ran", "half took", "95 % took", "half: memory", "95 %: memory", "half: CPU", "95 %: CPU"),
        map(_usage, collected.steps),
    )
    yield from map(_advice, collected.steps)
    names = {"seconds": "Duration", "memory": "Peak memory", "efficiency": "CPU efficiency"}
    drawn = (f"<div>{_plot(name, title, plots)}</div>" for name, title in names.items())
    yield f'<div class="plots">{"".join(drawn)}</div>\n'
    yield "<h2>Failures</h2>\n"
    yield from _failures(collected)
    yield "<h2>Interruptions and crashes</h2>\n"
    yield from _losses(collected)
    if collected.workers:
        yield "<h2>Workers</h2>\n"
        yield table("", ("step", *WORKER), [(step, *_worker(each)) for step, each in reversed(collected.workers)])
    if price is not None:
        yield from _costs(collected, price)
    yield (
        '<h2>Tasks</h2>\n<div class="find"><input id="search" type="search" aria-label="Search tasks" '
        'placeholder="Search: id, sample, reason, worker, command"><button id="before">Back</button>'
        '<button id="after">Next</button><span id="shown" class="soft" aria-live="polite"></span></div>\n'
        '<div class="scroll"><table id="tasks"><thead><tr></tr></thead><tbody></tbody></table></div>\n'
    )


def _progress(step: Step) -> str:
    """Return a bar of the items of a step, by state."""
    total = sum(step.items.values())
    said = ", ".join(f"{number:,} {state}" for state, number in step.items.items()) or "no items"
    parts, at = [], 0.0
    for state in (State.DONE, State.FAILED, State.LOCKED):
        width = 100 * step.items[state] / total if total else 0.0
        parts.append(f'<rect x="{at:.3f}" width="{width:.3f}" height="1" fill="{STATE_COLOURS[state]}"></rect>')
        at += width
    return (
        f'<h3>{text(step.name)}: {_percent(step.items[State.DONE], total)} done</h3>\n<svg class="bar" role="img" '
        f'aria-label="{text(said)}" viewBox="0 0 100 1" preserveAspectRatio="none">{"".join(parts)}</svg>\n'
    )


def _counts(step: Step) -> Sequence[Cell]:
    tasks = step.tasks
    return (
        step.name,
        *(step.items[state] for state in State),
        sum(tasks.values()),
        *(tasks[state] for state in (TaskState.DONE, TaskState.FAILED, TaskState.TODO)),
    )


def _usage(step: Step) -> Sequence[Cell]:
    def share(value: float | None) -> str:
        return "" if value is None else f"{value:g} %"

    def size(value: float | None) -> str:
        return "" if value is None else show_size(round(value))

    def duration(value: float | None) -> str:
        return "" if value is None else _duration(value)

    return (
        step.name,
        sum(step.attempts.values()),
        _duration(step.seconds_run),
        *(duration(step.seconds.quantile(part)) for part in (0.5, 0.95)),
        *(size(step.peaks.quantile(part)) for part in (0.5, 0.95)),
        *(share(step.efficiency.quantile(part)) for part in (0.5, 0.95)),
    )


def _advice(step: Step) -> str:
    if (use := step.memory_use) is None:
        return ""
    told = f"{memory_used(use)}. Would have fitted: {memory_advice(use)}."
    return f'<p class="soft">Memory of {text(step.name)}: {text(told)}</p>\n'


def _failures(collected: Collected) -> Iterator[str]:
    if not collected.reasons:
        yield "<p>No last attempt failed.</p>\n"
        return
    yield '<div class="plots">\n'
    for what, counts in (("reason", collected.reasons), ("host", collected.hosts), ("sample", collected.samples)):
        yield f"<div>{table(_most(what, counts), (what, 'attempts'), counts.most_common(SHOWN))}</div>\n"
    yield "</div>\n"


def _most(what: str, counts: Counter[str]) -> str:
    return f"By {what}" + (f": the {SHOWN} with most of {len(counts):,}" if len(counts) > SHOWN else "")


def _losses(collected: Collected) -> Iterator[str]:
    told = "Spot instances taken back, stopped workers and vanished ones, and how long scripts ran in vain."
    told += " What was saved ran for checkpoints, from which later attempts went on. CPU hours are hours times Cpus."
    yield f'<p class="soft">{told}</p>\n'
    rows = [
        (
            step.name,
            step.ledgers.interruptions,
            step.ledgers.crashes,
            _duration(step.ledgers.seconds_lost),
            show_cpu_hours(step.ledgers.cpu_seconds_lost),
            _duration(step.ledgers.seconds_saved),
            show_cpu_hours(step.ledgers.cpu_seconds_saved),
        )
        for step in collected.steps
    ]
    yield table("", ("step", "interruptions", "crashes", "lost", "of CPUs", "saved by checkpoints", "of CPUs"), rows)
    if worst := collected.worst():
        losers = ((step, item, times, crashes, _duration(lost)) for lost, step, item, times, crashes in worst)
        yield table("Items that lost most", ("step", "item", "interruptions", "crashes", "lost"), losers)


def _worker(worker: Worker) -> Sequence[Cell]:
    return (
        worker.worker_id,
        worker.host,
        worker.job,
        show_platform(worker.platform),
        worker.platform.instance,
        worker.done,
        f"{worker.heartbeat:%Y-%m-%d %H:%M:%S}",
        worker.stopped_by,
    )


def _costs(collected: Collected, price: float) -> Iterator[str]:
    told = f"At {price:g} for an hour of each CPU that a task asks for. Attempts before the last are not counted."
    yield f'<h2>Cost</h2>\n<p class="soft">{told}</p>\n'
    rows = []
    for step in collected.steps:
        ran_s = step.cpu_seconds_held + step.ledgers.cpu_seconds_saved
        ran, lost = (price * seconds / 3600 for seconds in (ran_s, step.ledgers.cpu_seconds_lost))
        done = step.items[State.DONE]
        rows.append((step.name, f"{ran:.4g}", f"{lost:.4g}", f"{(ran + lost) / done:.4g}" if done else ""))
    yield table("", ("step", "ran", "lost", "each item done"), rows)


def _plot(name: str, title: str, plots: Plots) -> str:
    place = f'<div class="plot" id="{name}"></div>' if name in plots else '<p class="soft">Nothing was recorded.</p>'
    return f"<h3>{title}</h3>\n{place}\n"


def _duration(seconds: float) -> str:
    return show_seconds(min(seconds, LONGEST_S))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part // whole} %" if whole else "nothing"


def _file(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
