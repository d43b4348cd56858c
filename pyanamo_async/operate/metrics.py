"""Metrics for monitoring: of a table by a command that looks at it, and of a worker by the worker itself.

1. In CloudWatch a metric has one dimension, the table: each combination of dimensions is a metric of its own, and costs
   as one ($0.30 a month), so workers and hosts are fields beside it, which Logs Insights finds.
2. A number that is not known is left out, and not replaced by zero.

Sources: "Exposition formats" of Prometheus (text format 0.0.4); CloudWatch user guide, "Specification: Embedded metric
format".
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from pathlib import Path

from pyanamo_async.core.counts import Ledgers
from pyanamo_async.core.items import State
from pyanamo_async.core.values import Value
from pyanamo_async.operate.exporting.files import named_file
from pyanamo_async.operate.status import Status
from pyanamo_async.ports import EventLog

READABLE = 0o022  # as a umask: the collector runs as another user, and numbers are no secret
NAMESPACE = "pyanamo"
LONGEST_DIMENSION = 1024


def table_metrics(seen: Status) -> list[Metric]:
    """Return the metrics of a table, from its status."""
    counts = seen.counts
    metrics = [
        Metric("Backlog", "backlog_items", counts.left, "Items that run or will run."),
        Metric("WorkersAlive", "workers_alive", seen.workers, "Workers whose lease holds."),
        Metric("Slots", "slots", seen.slots, "Items that living workers can run at a time."),
        Metric("SlotsRunning", "slots_running", seen.running, "Items that living workers run."),
        Metric(
            "WorkersHalted", "workers_halted", len(seen.halted), "Workers that ended of late because too much failed."
        ),
        Metric(
            "ItemsPerSecond", "items_per_second", seen.items_per_second, "Items done or failed of late.", "Count/Second"
        ),
    ]
    if seen.last_settled is not None:
        since_s = max(0.0, (seen.at - seen.last_settled).total_seconds())
        told = "Time since an item was last done or failed."
        metrics.append(Metric("SecondsSinceProgress", "seconds_since_progress", since_s, told, "Seconds"))
    names = {State.DONE: "ItemsDone", State.FAILED: "ItemsFailed", State.PENDING: "ItemsHeld"}
    metrics += [
        Metric(names.get(state, ""), "items", counts.items.get(state, 0), "Items by state.", labels=(("state", state),))
        for state in State
    ]
    return [
        *metrics,
        Metric("ItemsRetrying", "retrying_items", counts.retrying, "Items that failed and wait to be tried again."),
        Metric("Interruptions", "interruptions", counts.ledgers.interruptions, "Interruptions of all items so far."),
        Metric("Crashes", "crashes", counts.ledgers.crashes, "Crashes of all items so far."),
        Metric("SecondsLost", "seconds_lost", counts.ledgers.seconds_lost, "What scripts ran in vain.", "Seconds"),
        *(Metric("", exposed, value, told) for exposed, value, told in _cpu_seconds(counts.ledgers)),
    ]


def _cpu_seconds(ledgers: Ledgers) -> Iterator[tuple[str, float, str]]:
    yield "cpu_seconds_lost", ledgers.cpu_seconds_lost, "What scripts ran in vain, times the CPUs that they ask for."
    yield "cpu_seconds_saved", ledgers.cpu_seconds_saved, "What checkpoints saved of that."


def prometheus_status(seen: list[Status]) -> str:
    """Return the metrics of tables as Prometheus reads them."""
    return prometheus_text([({"table": each.table}, table_metrics(each)) for each in seen])


def emf_status(seen: Status) -> str:
    """Return the metrics of a table as a line for CloudWatch; some numbers are fields beside them, free of charge."""
    ledgers = seen.counts.ledgers
    fields = {"CpuSecondsLost": ledgers.cpu_seconds_lost, "CpuSecondsSaved": ledgers.cpu_seconds_saved}
    return emf_line(seen.table, table_metrics(seen), at=seen.at, fields=fields)


class WorkerMetrics:
    """An event log that passes events on, and counts what a worker does.

    `emf` returns what happened since it was last called: sums over all workers are the table's.
    """

    def __init__(self, log: EventLog, table: str) -> None:
        self._log, self._table = log, table
        self._worker = ""
        self._slots = self._running = 0
        self._ended: Counter[str] = Counter()
        self._told: Counter[str] = Counter()

    def note(self, event: str, /, **fields: object) -> None:
        """Count the event, and pass it on."""
        match event:
            case "worker started":
                self._worker, self._slots = str(fields["worker"]), int(str(fields["items"]))
            case "item claimed":
                self._running += 1
            case "item settled" | "item lost":
                self._running -= 1
                self._ended[_ending(fields)] += 1
        self._log.note(event, **fields)

    def prometheus(self) -> str:
        """Return what happened since the worker started, as Prometheus reads it."""
        counted = (self._counter(name, self._ended[name]) for name in ENDINGS)
        return prometheus_text([({"table": self._table, "worker": self._worker}, [*self._gauges(), *counted])])

    def emf(self) -> str:
        """Return what happened since this was last asked, as a line for CloudWatch."""
        since = self._ended - self._told
        self._told = self._ended.copy()
        counted = [self._counter(name, since[name]) for name in ENDINGS]
        fields = {"Worker": self._worker}
        return emf_line(self._table, [*self._gauges(), *counted], at=datetime.now(UTC), fields=fields)

    def write(self, path: Path) -> None:
        """Write `prometheus` into a file that is replaced as a whole, as the textfile collector of node_exporter wants.

        Raises:
            UsageError: it cannot be written.
        """
        with named_file(path, umask=READABLE, argument="prometheus", may_wait=False) as file:
            file.write(self.prometheus().encode())

    def _gauges(self) -> Iterator[Metric]:
        yield Metric("WorkerSlots", "worker_slots", self._slots, "Items that this worker can run at a time.")
        yield Metric("WorkerSlotsRunning", "worker_slots_running", self._running, "Items that this worker runs.")

    def _counter(self, name: str, number: int) -> Metric:
        told, exposed = f"Items that this worker {ENDINGS[name]}.", f"worker_items_{name.lower()}_total"
        return Metric(f"WorkerItems{name}", exposed, number, told, kind=MetricKind.COUNTER)


ENDINGS = {
    "Done": "ended as done",
    "Failed": "ended as failed",
    "Retried": "put back after a failure, to be tried again",
    "Interrupted": "put back unfinished, without a failure",
    "Lost": "could not settle",
}


def _ending(fields: dict[str, object]) -> str:
    match fields.get("state"):
        case None:
            return "Lost"
        case State.DONE:
            return "Done"
        case State.FAILED:
            return "Failed"
        case _:
            return "Retried" if fields.get("retrying") else "Interrupted"


class MetricKind(StrEnum):
    """Whether a number goes up and down, or only up."""

    GAUGE = "gauge"
    COUNTER = "counter"


class Metric(Value):
    """One number: its name in CloudWatch with the unit, and in Prometheus with what it tells.

    `labels` are those of Prometheus beside the table. Without a `name` it is for Prometheus alone.
    """

    name: str
    exposed: str
    value: float
    told: str
    unit: str = "Count"
    kind: MetricKind = MetricKind.GAUGE
    labels: tuple[tuple[str, str], ...] = ()


def prometheus_text(tables: Sequence[tuple[Mapping[str, str], Sequence[Metric]]]) -> str:
    """Return the text of several sets of metrics, each with labels that all of it has."""
    flat = [(metric, labels) for labels, metrics in tables for metric in metrics]
    order = list(dict.fromkeys(metric.exposed for metric, _ in flat))  # the lines of a metric stand together
    lines: list[str] = []
    for exposed, group in groupby(
        sorted(flat, key=lambda each: order.index(each[0].exposed)), lambda each: each[0].exposed
    ):
        samples = list(group)
        first, name = samples[0][0], f"{NAMESPACE}_{exposed}"
        lines += [f"# HELP {name} {first.told}", f"# TYPE {name} {first.kind}"]
        lines += [
            f"{name}{{{_labels({**labels, **dict(each.labels)})}}} {_number(each.value)}" for each, labels in samples
        ]
    return "".join(f"{line}\n" for line in lines)


def emf_line(table: str, metrics: Iterable[Metric], *, at: datetime, fields: Mapping[str, object] | None = None) -> str:
    """Return one line, without its end: the metrics of a table at a time, with fields for whoever searches."""
    named = [metric for metric in metrics if metric.name and math.isfinite(metric.value)]
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["Table"]],
        "Metrics": [{"Name": each.name, "Unit": each.unit} for each in named],
    }
    line = {
        "_aws": {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": [directive]},
        "Table": _dimension(table),
        **(fields or {}),
        **{each.name: each.value for each in named},
    }
    return json.dumps(line, separators=(",", ":"))


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(text: str) -> str:
    visible = text.encode(errors="replace").decode()
    return visible.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\\\r")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _dimension(text: str) -> str:
    """Return the value of a dimension: CloudWatch takes a limited length of printable ASCII."""
    return re.sub(r"[^ -~]", "?", text)[:LONGEST_DIMENSION].strip() or "?"
