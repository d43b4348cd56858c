"""Numbers for monitoring, as text that Prometheus reads and as lines from which CloudWatch takes metrics.

1. In CloudWatch a metric has one dimension, the table: each combination of dimensions is a metric of its own, and costs
   as one ($0.30 a month), so workers and hosts are fields beside it, which Logs Insights finds.
2. A number that is not known is left out: no zero stands for it.

Sources: "Exposition formats" of Prometheus (text format 0.0.4); CloudWatch user guide, "Specification: Embedded metric
format".
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import groupby

from pyanamo_async.core.values import Value

NAMESPACE = "pyanamo"
LONGEST_DIMENSION = 1024


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
    """Return the value of a dimension: CloudWatch takes printable ASCII, and no more than so much."""
    return re.sub(r"[^ -~]", "?", text)[:LONGEST_DIMENSION].strip() or "?"
