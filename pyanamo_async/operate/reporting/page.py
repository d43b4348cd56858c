"""Write the page of a report: one file that needs no network, and says so to the browser.

1. The content security policy permits nothing but the scripts of the page itself, by their hashes. Styles may be
   inline: the library of the plots sets them.
2. Text is escaped for where it stands: by Jinja2 in HTML, by `_json` in data, of which the page's script makes text
   nodes. Nothing in it turns the direction of a line.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from importlib.resources import files

import orjson

from pyanamo_async.core.items import State, TaskState
from pyanamo_async.core.memory.advice import memory_advice, memory_used
from pyanamo_async.core.platforms import show_platform
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.durations import show_cpu_hours, show_seconds
from pyanamo_async.core.text.visible import field
from pyanamo_async.core.workers import Worker
from pyanamo_async.operate.reporting.attempts import as_columns
from pyanamo_async.operate.reporting.collect import Attempt, Collected, Step
from pyanamo_async.operate.reporting.plots import (
    RUNNING,
    STATUS_COLOURS,
    STEP_COLOURS,
    WAITING,
    Plots,
)

STATE_COLOURS = {State.DONE: "#2a7fb8", State.FAILED: "#d55e00", State.LOCKED: RUNNING}
TASK_COLOURS = {"done": "#2a7fb8", "last attempt failed": "#d55e00", "running": RUNNING, "waiting": WAITING}
LONGEST_S = 1e12  # that can be shown
SHOWN = 20  # of reasons, hosts and samples
PARTS = 0.5, 0.95

Cell = str | int


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
    from jinja2 import Environment, StrictUndefined

    script, steps = _file("page.js"), collected.steps
    connects = "" if version is None else "; connect-src 'self'"
    environment = Environment(
        autoescape=True, finalize=_shown, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_file("page.html")).generate(
        title="Report of " + ", ".join(step.name for step in steps),
        policy=f"default-src 'none'; script-src {_hash(library)} {_hash(script)}; style-src 'unsafe-inline'; "
        f"img-src data:; base-uri 'none'; form-action 'none'{connects}",
        style=_file("page.css"),
        version=version,
        at=f"{at:%Y-%m-%d %H:%M:%S}",
        progress=map(_progress, steps),
        state_colours=[*STATE_COLOURS.items(), ("others", WAITING)],
        counts_head=("step", *State, "tasks", "tasks done", "tasks failed", "tasks to do"),
        counts=map(_counts, steps),
        sampled=collected.is_sampled,
        total=collected.total,
        listed=len(attempts),
        status_colours=STATUS_COLOURS.items(),
        task_colours=TASK_COLOURS.items(),
        step_colours=[(step.name, STEP_COLOURS[number % len(STEP_COLOURS)]) for number, step in enumerate(steps)],
        usage=map(_usage, steps),
        advice=[(step.name, _advice(step)) for step in steps if step.memory_use],
        plots=plots,
        failures=_failures(collected),
        losses=map(_losses, steps),
        losers=[
            (step, item, times, crashes, _duration(lost)) for lost, step, item, times, crashes in collected.worst()
        ],
        workers=[(step, *_worker(each)) for step, each in reversed(collected.workers)],
        price=None if price is None else f"{price:g}",
        costs=[_costs(step, price or 0.0) for step in steps],
        plots_json=_json(plots),
        attempts_json=_json(as_columns(collected, attempts)),
        library=library,
        script=script,
    )


def _progress(step: Step) -> tuple[str, str, str, list[tuple[str, str, str]]]:
    """Return a step's name, how much of it is done, its items by state in words, and a bar of them."""
    total = sum(step.items.values())
    said = ", ".join(f"{number:,} {state}" for state, number in step.items.items()) or "no items"
    bars, at = [], 0.0
    for state, colour in STATE_COLOURS.items():
        width = 100 * step.items[state] / total if total else 0.0
        bars.append((f"{at:.3f}", f"{width:.3f}", colour))
        at += width
    return step.name, f"{100 * step.items[State.DONE] // total} %" if total else "nothing", said, bars


def _counts(step: Step) -> Sequence[Cell]:
    tasks = step.tasks
    return (
        step.name,
        *(step.items[state] for state in State),
        sum(tasks.values()),
        *(tasks[state] for state in (TaskState.DONE, TaskState.FAILED, TaskState.TODO)),
    )


def _usage(step: Step) -> Sequence[Cell]:
    return (
        step.name,
        sum(step.attempts.values()),
        _duration(step.seconds_run),
        *("" if (took := step.seconds.quantile(part)) is None else _duration(took) for part in PARTS),
        *("" if (used := step.peaks.quantile(part)) is None else show_size(round(used)) for part in PARTS),
        *("" if (share := step.efficiency.quantile(part)) is None else f"{share:g} %" for part in PARTS),
    )


def _advice(step: Step) -> str:
    use = step.memory_use
    return f"{memory_used(use)}. Would have fitted: {memory_advice(use)}." if use else ""


def _failures(collected: Collected) -> list[tuple[str, str, list[tuple[str, int]]]]:
    """Return for each way to count failures what is counted, a caption, and the rows."""
    counted = {"reason": collected.reasons, "host": collected.hosts, "sample": collected.samples}
    return [(what, _most(what, counts), counts.most_common(SHOWN)) for what, counts in counted.items() if counts]


def _most(what: str, counts: Counter[str]) -> str:
    return f"By {what}" + (f": the {SHOWN} with most of {len(counts):,}" if len(counts) > SHOWN else "")


def _losses(step: Step) -> Sequence[Cell]:
    its = step.ledgers
    return (
        step.name,
        its.interruptions,
        its.crashes,
        _duration(its.seconds_lost),
        show_cpu_hours(its.cpu_seconds_lost),
        _duration(its.seconds_saved),
        show_cpu_hours(its.cpu_seconds_saved),
    )


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


def _costs(step: Step, price: float) -> Sequence[Cell]:
    ran_s = step.cpu_seconds_held + step.ledgers.cpu_seconds_saved
    ran, lost = (price * seconds / 3600 for seconds in (ran_s, step.ledgers.cpu_seconds_lost))
    done = step.items[State.DONE]
    return step.name, f"{ran:.4g}", f"{lost:.4g}", f"{(ran + lost) / done:.4g}" if done else ""


def _duration(seconds: float) -> str:
    return show_seconds(min(seconds, LONGEST_S))


def _shown(value: object) -> object:
    """Return what the template is to escape: numbers with commas, and text that is visible, in one line."""
    if isinstance(value, int):
        return f"{value:,}"
    return value if hasattr(value, "__html__") or not isinstance(value, str) else field(value)


def _json(value: Mapping[str, object]) -> str:
    """Return JSON that ends no script and begins no comment."""
    data = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()
    for character in "<>&\u2028\u2029":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return data


def _hash(script: str) -> str:
    """Return the source by which a content security policy permits a script."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def _file(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
