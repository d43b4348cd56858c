"""Reports count every attempt, list as many as a browser can show, and hold nothing that is not text."""

from __future__ import annotations

import json
import random
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pyanamo_async.core.items import Item, TaskRecord, TaskState
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Succeeded, TimedOut
from pyanamo_async.core.platforms import Platform, PlatformKind
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Worker
from pyanamo_async.operate.reporting import perfetto, plots
from pyanamo_async.operate.reporting.collect import Collected
from pyanamo_async.operate.reporting.report import write_perfetto, write_report
from pyanamo_async.store.memory import MemoryStore
from tests.fakes import NOON, an_item
from tests.outcomes import OUTCOMES as EVERY_OUTCOME

OUTCOMES = (
    Succeeded(),
    Failed(exit_code=3),
    Failed(signal=9),
    TimedOut(timedelta(seconds=5)),
    Interrupted(InterruptReason.STOP),
)
EVIL = "</script><script>alert(1)</script><!--<b>\u2028\x1b"


def ended(number: int, *, text: str = "") -> Item:
    """An item whose task ended after a second."""
    item = an_item(f"{text}{number}", script=f"echo {text}")
    started = NOON + timedelta(seconds=number // 2)
    record = TaskRecord(
        OUTCOMES[number % len(OUTCOMES)],
        started,
        started + timedelta(seconds=1),
        1.0,
        1,
        f"{text}w",
        max_rss_bytes=4096,
        cpu_seconds=0.5,
    )
    task = replace(item.tasks[0], record=record, state=TaskState.DONE)
    return replace(item, tasks=(task,), sample=f"{text}s", interruptions=number % 2, seconds_lost=float(number))


async def a_store(number: int, *, text: str = "") -> MemoryStore:
    store = MemoryStore()
    await store.create(shards=1)
    await store.add([ended(each, text=text) for each in range(number)])
    return store


def test_every_outcome_has_a_colour() -> None:
    """In the report and in Perfetto: an outcome without one would end in an error."""
    statuses = {outcome.status for outcome in EVERY_OUTCOME}

    assert statuses == set(plots.STATUS_COLOURS) == set(perfetto.COLOURS)


class Markup(HTMLParser):
    """The elements of a page, and the texts of those that hold data."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.data: dict[str, str] = {}
        self._of = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._of = dict(attrs).get("id") or "" if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._of:
            self.data[self._of] = self.data.get(self._of, "") + data


async def written(path: Path, *stores: tuple[str, MemoryStore], scripts: bool = True) -> Markup:
    await write_report(stores, path, scripts=scripts, price=0.05, at=NOON)
    markup = Markup()
    markup.feed(path.read_text())
    return markup


async def test_attempts_beyond_the_most_are_counted_and_not_listed() -> None:
    """All are in the counts; of so many more, some are listed, each with the same chance, in their order."""
    listed: set[str] = set()
    for seed in range(20):
        collected = Collected(random.Random(seed), most=40, sampled=10)
        await collected.read(await a_store(100), "step")
        kept = collected.attempts()
        listed |= {each.item_id for each in kept}

        assert (collected.total, len(kept), collected.is_sampled) == (100, 10, True)
        assert kept == sorted(kept, key=lambda each: each.started)
        assert sum(collected.steps[0].attempts.values()) == collected.steps[0].seconds.total == 100
        assert sum(counts["started"] for _, counts in collected.times) == 100
        assert sum(collected.reasons.values()) == sum(collected.samples.values()) == 60
    assert len(listed) > 60


async def test_losses_are_added_up_and_the_worst_named() -> None:
    """Ten items at most, the one that lost most first."""
    collected = Collected(random.Random(0))
    await collected.read(await a_store(30), "step")
    [step] = collected.steps

    assert (step.ledgers.interruptions, step.ledgers.seconds_lost) == (15, sum(range(30)))
    assert [each[2] for each in collected.worst()] == [str(number) for number in range(29, 19, -1)]


async def test_a_task_costs_as_much_as_the_cpus_that_it_holds(tmp_path: Path) -> None:
    """What it ran, and what was lost of it, times its column `Cpus`: others cannot have them meanwhile."""
    store = MemoryStore()
    await store.create(shards=1)
    await store.add([replace(ended(number), cpus=4, seconds_lost=900.0) for number in range(2)])
    await write_report([("step", store)], tmp_path / "report.html", scripts=False, price=3600, at=NOON)
    page = (tmp_path / "report.html").read_text()

    costs = re.findall(r"<td[^>]*>([^<]*)</td>", page[page.index("<h2>Cost</h2>") :].partition("</table>")[0])
    assert costs == ["step", "8", "7200", ""]


async def test_workers_are_listed_with_where_they_ran(tmp_path: Path) -> None:
    """The one heard of last comes first, with its instance and what stopped it."""
    store = await a_store(1)
    for number, reason in enumerate(("", "SIGTERM")):
        platform = Platform(
            PlatformKind.ECS, task=f"arn:x/task/c/t{number}", cluster="c", instance=f"i-0000000{number}"
        )
        at = NOON + timedelta(seconds=number)
        row = Worker(f"pilot{number}", "h", NOON, at, timedelta(minutes=3), stopped_by=reason, platform=platform)
        await store.heartbeat(row)
    await write_report([("step", store)], tmp_path / "report.html", scripts=False, price=0.05, at=NOON)
    page = (tmp_path / "report.html").read_text()

    assert page.index("pilot1") < page.index("ecs t1 in c") < page.index("i-00000001") < page.index("pilot0")


async def test_text_stays_text(tmp_path: Path) -> None:
    """Ids, samples, workers, reasons, steps and commands make no element, and end no script."""
    plain = await written(tmp_path / "plain.html", ("step", await a_store(10)))
    evil = await written(tmp_path / "evil.html", (EVIL, await a_store(10, text=EVIL)))
    attempts = json.loads(evil.data["attempts"])
    items = next(each for each in attempts["columns"] if each["name"] == "item")["values"]

    assert evil.tags == plain.tags
    assert min(items).startswith("</script><script>alert(1)</script><!--<b>")
    assert "\x1b" not in (tmp_path / "evil.html").read_text()


async def test_the_page_permits_only_its_own_scripts(tmp_path: Path) -> None:
    """The policy comes before all content, names hashes, and nothing is fetched."""
    await written(tmp_path / "r.html", ("step", await a_store(10)))
    page = (tmp_path / "r.html").read_text()
    [policy] = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)

    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert page.index(policy) < page.index("<title>")
    assert not re.findall(r"<(?:script|img|link|iframe)[^>]* (?:src|href)=", page)


async def test_commands_can_be_left_out(tmp_path: Path) -> None:
    """Without scripts the page holds none, in no part of it."""
    store = await a_store(3, text="secret")
    await written(tmp_path / "with.html", ("step", store))
    await written(tmp_path / "without.html", ("step", store), scripts=False)

    assert "echo secret" in (tmp_path / "with.html").read_text()
    assert "echo secret" not in (tmp_path / "without.html").read_text()


@pytest.mark.parametrize("number", [0, 1])
async def test_small_tables_have_a_report(tmp_path: Path, number: int) -> None:
    """Also one without items, and one beside another."""
    markup = await written(tmp_path / "r.html", ("a", await a_store(number)), ("b", await a_store(0)))

    assert json.loads(markup.data["attempts"])["length"] == number
    assert set(json.loads(markup.data["plots"])) == (
        {"timeline", "throughput", "states", "seconds", "memory", "efficiency"} if number else set()
    )


async def test_a_trace_has_every_attempt_on_a_slot_of_its_worker(tmp_path: Path) -> None:
    """Two that ran at once are on two threads of one process."""
    number = await write_perfetto([("step", await a_store(6, text=EVIL))], tmp_path / "t.json")
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    spans = [each for each in events if each["ph"] == "X"]

    assert (number, len(spans), len(events)) == (6, 6, 7)
    assert {(each["pid"], each["dur"]) for each in spans} == {(1, 1_000_000)}
    assert sorted((each["ts"] - spans[0]["ts"], each["tid"]) for each in spans) == [
        (second * 1_000_000, slot) for second in range(3) for slot in (1, 2)
    ]


async def test_advice_of_a_report_is_what_the_tasks_used_within_a_hundredth() -> None:
    """The plot's bins are far wider; the largest peak is told as it was."""
    store, sizes = MemoryStore(), [1_290_000_000 + 100 * number for number in range(50)]
    await store.create(shards=1)
    for number, size in enumerate(sizes):
        item = ended(number)
        [task] = item.tasks
        assert task.record
        await store.add(
            [
                replace(
                    item, tasks=(replace(task, record=replace(task.record, max_rss_bytes=size, outcome=Succeeded())),)
                )
            ]
        )
    collected = Collected(random.Random(1))

    await collected.read(store, "t")

    [step] = collected.steps
    assert step.memory_use
    assert step.memory_use.used.typical_bytes == pytest.approx(sizes[47], rel=0.01)
    assert step.memory_use.used.largest_bytes == sizes[-1]
