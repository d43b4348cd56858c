"""Metrics are what Prometheus and CloudWatch read, and say what is so."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from pyanamo_async.core.items import State
from pyanamo_async.core.values import replace
from pyanamo_async.operate.metrics import (
    Metric,
    MetricKind,
    WorkerMetrics,
    emf_line,
    emf_status,
    prometheus_status,
    prometheus_text,
)
from pyanamo_async.operate.status import status
from pyanamo_async.store.memory import MemoryStore
from simulation.crew import Notes
from tests.contract.steps import settled
from tests.docs.pages import DOCS
from tests.fakes import NOON, an_item

NAME = {"type": "string", "minLength": 1, "maxLength": 1024}
METRIC = {
    "type": "object",
    "required": ["Name"],
    "properties": {"Name": NAME, "Unit": {"enum": ["Count", "Seconds", "Count/Second", "Bytes", "None"]}},
    "additionalProperties": False,
}
DIRECTIVE = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "properties": {
        "Namespace": NAME | {"pattern": r"^[^:].*$"},
        "Dimensions": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "array", "maxItems": 30, "items": {"type": "string", "minLength": 1, "maxLength": 250}},
        },
        "Metrics": {"type": "array", "maxItems": 100, "items": METRIC},
    },
    "additionalProperties": False,
}
METADATA = {
    "type": "object",
    "required": ["Timestamp", "CloudWatchMetrics"],
    "properties": {
        "Timestamp": {"type": "integer"},
        "CloudWatchMetrics": {"type": "array", "items": DIRECTIVE},
    },
}
EMF = {"type": "object", "required": ["_aws"], "properties": {"_aws": METADATA}}
"""The schema in "Specification: Embedded metric format" of the CloudWatch user guide, in our words."""


def read_emf(line: str) -> dict[str, Any]:
    """Read a line as CloudWatch does: it is JSON whole, and has each metric and dimension that it names."""
    found: dict[str, Any] = json.loads(line)
    jsonschema.validate(found, EMF)
    for directive in found["_aws"]["CloudWatchMetrics"]:
        for name in (metric["Name"] for metric in directive["Metrics"]):
            assert isinstance(found[name], int | float), name
        for dimension in (each for names in directive["Dimensions"] for each in names):
            assert found[dimension].isascii(), dimension
            assert found[dimension].strip(), dimension
            assert len(found[dimension]) <= 1024
    return found


def read_prometheus(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Read the text as Prometheus does: by name and the values of its labels."""
    families = list(text_string_to_metric_families(text))
    assert len({each.name for each in families}) == len(families)
    return {(each.name, tuple(each.labels.values())): each.value for family in families for each in family.samples}


async def a_table() -> MemoryStore:
    """Return a table with three items to do, and one done."""
    store = MemoryStore()
    await store.create(shards=1)
    await store.add([an_item(f"i{number}") for number in range(4)])
    [item] = await store.claim("w", limit=1, now=NOON)
    await store.save(item, settled(item, now=NOON - timedelta(seconds=90)))
    return store


async def test_a_table_tells_its_backlog_and_how_long_nothing_has_moved() -> None:
    """By the names on which the alarms of the stack stand, and to Prometheus the same."""
    seen = await status(await a_table(), "genomes", [], now=NOON)
    told = read_emf(emf_status(seen))
    exposed = read_prometheus(prometheus_status([seen]))

    assert told["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "pyanamo"
    assert told["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Table"]]
    assert (told["Table"], told["Backlog"], told["WorkersAlive"], told["ItemsDone"]) == ("genomes", 3, 0, 1)
    assert told["SecondsSinceProgress"] == pytest.approx(90)
    assert exposed["pyanamo_backlog_items", ("genomes",)] == 3
    assert exposed["pyanamo_items", ("genomes", "done")] == 1
    assert exposed["pyanamo_seconds_since_progress", ("genomes",)] == pytest.approx(90)


async def test_what_was_lost_and_saved_is_told_in_cpu_seconds() -> None:
    """As `status` does: to Prometheus, and to CloudWatch in fields of the line, which are not charged for."""
    store = await a_table()
    lost = replace(an_item("lost"), cpus=4, interruptions=1, seconds_lost=100.0, seconds_saved=25.0)
    await store.add([lost])
    seen = await status(store, "genomes", [], now=NOON)
    told, exposed = read_emf(emf_status(seen)), read_prometheus(prometheus_status([seen]))

    assert (told["CpuSecondsLost"], told["CpuSecondsSaved"]) == (400, 100)
    assert not {"CpuSecondsLost", "CpuSecondsSaved"} & {
        each["Name"] for each in told["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }
    assert exposed["pyanamo_cpu_seconds_lost", ("genomes",)] == 400
    assert exposed["pyanamo_cpu_seconds_saved", ("genomes",)] == 100


async def test_the_guide_knows_how_many_metrics_are_charged_for() -> None:
    """CloudWatch charges for each by the month, also where nothing else runs."""
    table = read_emf(emf_status(await status(await a_table(), "genomes", [], now=NOON)))
    metrics = WorkerMetrics(Notes(), "genomes")
    worker = read_emf(metrics.emf())
    of_table, of_worker = (len(each["_aws"]["CloudWatchMetrics"][0]["Metrics"]) for each in (table, worker))

    page = (DOCS / "guide" / "cost.md").read_text()
    assert f"| ${of_table * 0.3:.2f} a month | {of_table} metrics of `status --emf`;" in page
    assert f"the {of_worker} of `run --emf`, however many workers, are ${of_worker * 0.3:.2f} |" in page


async def test_what_is_not_known_is_left_out() -> None:
    """A table that was never worked on has made no progress: no number says when."""
    store = MemoryStore()
    await store.create(shards=1)
    seen = await status(store, "t", [], now=NOON)

    assert "SecondsSinceProgress" not in read_emf(emf_status(seen))
    assert "since_progress" not in prometheus_status([seen])


TEXT = st.text(max_size=40)


@given(TEXT, TEXT, st.floats(allow_nan=False, allow_infinity=False))
def test_no_name_breaks_a_line(table: str, sample: str, value: float) -> None:
    """Quotes, line ends and half characters are somebody's file name."""
    metric = Metric("Backlog", "backlog_items", value, "Items.", labels=(("sample", sample),))
    told = read_emf(emf_line(table, [metric], at=NOON, fields={"Worker": sample}))
    text = prometheus_text([({"table": table}, [metric]), ({"table": "other"}, [metric])])

    assert told["Backlog"] == value
    assert sorted(read_prometheus(text).values()) == [value, value][: len({table, "other"})]


async def test_a_worker_counts_what_it_does_and_tells_it_once(tmp_path: Path) -> None:
    """To Prometheus since its start, to CloudWatch since it told last; events are passed on."""
    notes = Notes()
    metrics = WorkerMetrics(notes, "t")
    metrics.note("worker started", worker="w1", table="t", items=4, nests=1)
    for state, retrying in ((State.DONE, None), (State.DONE, None), (State.FAILED, None), (State.TODO, True)):
        metrics.note("item claimed", item="a", attempt=1)
        metrics.note("item settled", item="a", attempt=1, state=state, reason="", retrying=retrying)
    metrics.note("item claimed", item="b", attempt=1)
    first = read_emf(metrics.emf())
    metrics.note("item settled", item="b", attempt=1, state=State.TODO, reason="interrupted", retrying=None)
    second = read_emf(metrics.emf())
    metrics.write(tmp_path / "pyanamo.prom")
    exposed = read_prometheus((tmp_path / "pyanamo.prom").read_text())

    assert (first["Worker"], first["WorkerSlots"], first["WorkerSlotsRunning"]) == ("w1", 4, 1)
    assert (first["WorkerItemsDone"], first["WorkerItemsFailed"], first["WorkerItemsRetried"]) == (2, 1, 1)
    assert (second["WorkerItemsDone"], second["WorkerItemsInterrupted"], second["WorkerSlotsRunning"]) == (0, 1, 0)
    assert exposed["pyanamo_worker_items_done_total", ("t", "w1")] == 2
    assert exposed["pyanamo_worker_items_interrupted_total", ("t", "w1")] == 1
    assert [*tmp_path.iterdir()] == [tmp_path / "pyanamo.prom"]
    assert (tmp_path / "pyanamo.prom").stat().st_mode & 0o777 == 0o644
    assert len(notes.taken) == 11
    assert MetricKind.COUNTER in (tmp_path / "pyanamo.prom").read_text()
