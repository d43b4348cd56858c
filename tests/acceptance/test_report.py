"""The report of a run, opened in a browser as its reader does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from harness.browser import Page, browser, chromium
from harness.program import Program
from harness.servers.parts import PartMissing

ITEMS = (
    *(f"item{number}|s{number % 3}|sleep 0.{number % 3}" for number in range(9)),
    "fails|s0|echo no reference >&2; exit 7",
    'evil<b>|<img src=x onerror="alert(1)">|echo "<b>bold</b></script><script>window.stolen = 1</script>" >&2; exit 9',
)
COUNTS = """(() => {
  const plots = Object.fromEntries(Bokeh.documents.flatMap(each => each.roots()).map(each => [each.name, each]));
  const data = name => plots[name].renderers.map(each => each.data_source.data);
  const sum = (name, of) => data(name).reduce((total, each) => total + Array.from(each.top).reduce(of(each), 0), 0);
  return {
    timeline: data("timeline")[0].left.length,
    throughput: sum("throughput", each => (total, top, at) => total + top - each.bottom[at]),
    seconds: sum("seconds", () => (total, top) => total + top),
    done: Array.from(data("states")[0].done).at(-1),
    failed: Array.from(data("states")[0].failed).at(-1),
  };
})()"""
SHOWN = "[...document.querySelectorAll('#tasks tbody tr')].map(each => [...each.cells].map(cell => cell.textContent))"


@pytest.fixture
def has_browser() -> None:
    """A named skip without a browser, a failure in CI."""
    try:
        chromium()
    except PartMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture
async def report(has_browser: None, on_sqlite: Program, tmp_path: Path) -> AsyncIterator[Page]:  # noqa: ARG001
    """The report of a finished run, open."""
    on_sqlite.import_rows(*ITEMS)
    on_sqlite("run", "-i", "3", "--max-failures", "1", code=3)
    on_sqlite("report", on_sqlite.table, "--to", "report.html")
    async with browser() as page:
        await page.open((tmp_path / "report.html").as_uri())
        yield page


async def search(page: Page, words: str) -> list[list[str]]:
    """Search the list of tasks, and return the rows that it shows."""
    await page.value(
        f"(() => {{ const field = document.getElementById('search'); field.value = {words!r};"
        " field.dispatchEvent(new Event('input')); })()"
    )
    found: list[list[str]] = await page.value(SHOWN)
    return found


async def test_a_report_shows_what_trace_has(report: Page, on_sqlite: Program, tmp_path: Path) -> None:
    """Plots count its rows, search and sort find them, what scripts print stays text, and nothing is fetched."""
    header, *rows = [line.split("\t") for line in on_sqlite("trace").splitlines()]
    succeeded = sum(row[header.index("Status")] == "Succeeded" for row in rows)
    counts = await report.value(COUNTS)
    columns = await report.value("[...document.querySelectorAll('#tasks th')].map(each => each.textContent)")
    click = f"document.querySelectorAll('#tasks th button')[{columns.index('took s')}].click()"

    assert counts == {
        "timeline": len(rows),
        "throughput": len(rows),
        "seconds": len(rows),
        "done": succeeded,
        "failed": len(rows) - succeeded,
    }
    assert len(await report.value(SHOWN)) == len(rows) == len(ITEMS)

    [evil] = await search(report, "BOLD evil")
    assert evil[:2] == ["evil<b>", '<img src=x onerror="alert(1)">']
    assert evil[columns.index("reason")] == "exit status 9: <b>bold</b></script><script>window.stolen = 1</script>"
    assert [row[0] for row in await search(report, "reference")] == ["fails"]
    await search(report, "")
    for direction in (-1, 1):
        await report.value(click)
        took = [float(row[columns.index("took s")]) for row in await report.value(SHOWN)]
        assert took == sorted(took, key=lambda each: direction * each)

    assert await report.value("document.querySelectorAll('img, b').length") == 0
    assert await report.value("'stolen' in window") is False
    await report.screenshot(tmp_path / "dark.png", width=420, dark=True)  # draws the plots anew
    assert (await report.value(COUNTS))["timeline"] >= len(rows)
    assert report.problems == []
    assert [url for url in report.requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.usefixtures("has_browser")
async def test_a_served_report_follows_its_table(on_sqlite: Program) -> None:
    """What ends later appears without anybody's doing; the search stays, and Ctrl-C ends it."""
    on_sqlite.import_rows("first|s|true", "other|s|true")
    on_sqlite("run")
    with on_sqlite.start("report", on_sqlite.table, "--serve", stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout
            address = (await asyncio.to_thread(server.stdout.readline)).strip()
            async with browser() as page:
                await page.open(address)
                assert len(await search(page, "first")) == 1
                on_sqlite.import_rows("first-2|s|true")
                on_sqlite("run")
                await page.until("document.querySelectorAll('#tasks tbody tr').length === 2")

                assert [row[0] for row in await page.value(SHOWN)] == ["first", "first-2"]
                assert page.problems == []
        finally:
            server.send_signal(signal.SIGINT)
    assert server.returncode == 130


def test_a_report_counts_what_trace_has_on_both_foundations(pyanamo: Program, tmp_path: Path) -> None:
    """One pass over the table; what that costs on DynamoDB is said first."""
    pyanamo.import_rows("a|s|true", "b|s|exit 3")
    pyanamo("run", "--max-failures", "1", code=3)
    said = pyanamo.run("report", pyanamo.table, "--to", "report.html", "--perfetto", "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]

    assert said.stdout == "2 attempts reported in report.html\n2 attempts written to trace.json\n"
    assert ("reading the whole table" in said.stderr) == (not pyanamo.table.startswith("sqlite:"))
    assert sum(event["ph"] == "X" for event in events) == len(pyanamo("trace").splitlines()) - 1 == 2
