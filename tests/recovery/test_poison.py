"""An item that kills its workers: it is buried for it, and nobody else is."""

from __future__ import annotations

from tests.recovery.processes import Site

CRASH_LIMIT = 3
MOST_WORKERS = 12
HEARTBEATS = ("--heartbeat", "0.5s", "--lease", "60s", "--crash-limit", str(CRASH_LIMIT))
POISON = "kill -9 $PPID; sleep 3000"


def _keep_running(site: Site, *flags: str) -> list[int]:
    """Start a worker, and another when it is gone, until one comes to its end; return their exit statuses."""
    statuses: list[int] = []
    while not statuses or statuses[-1] < 0:
        assert len(statuses) < MOST_WORKERS
        statuses.append(site.start(*flags, *HEARTBEATS).exit())
    return statuses


def test_an_item_that_kills_its_workers_is_buried_after_exactly_the_crash_limit(any_site: Site) -> None:
    """Its reason says so, and the others are done."""
    site = any_site
    site.items(f"poison|s|{site.witness.script(POISON)}", *(f"good-{n}|s|true" for n in range(5)))

    assert _keep_running(site, "-i", "1") == [-9] * CRASH_LIMIT + [3]
    assert site.states() == {"poison": "failed", **{f"good-{n}": "done" for n in range(5)}}
    poison = site.rows()["poison"]
    assert (poison["Crashes"], site.witness.begun()) == (CRASH_LIMIT, CRASH_LIMIT)
    assert f"vanished {CRASH_LIMIT} times" in poison["Reason"]
    assert all("vanished" in reason for reason in poison["History"])
    assert "Failures" not in poison


def test_nobody_is_buried_for_a_neighbours_crime(site: Site) -> None:
    """An item that ran beside the culprit each time gets its last chance alone, and so does the culprit."""
    names = [f"long-{n}" for n in range(2)]
    site.items(f"poison|s|sleep 0.5; {POISON}", *(f"{name}|s|{site.witness.script('sleep 1')}" for name in names))

    statuses = _keep_running(site, "-i", "3")

    assert statuses == [-9] * CRASH_LIMIT + [3]
    assert site.states() == {"poison": "failed", **dict.fromkeys(names, "done")}
    assert site.rows()["poison"]["Crashes"] == CRASH_LIMIT
    assert site.witness.overlaps() == []


def test_a_nested_item_that_kills_its_workers_keeps_its_finished_tasks(site: Site) -> None:
    """What was done before the crash is done and not run again; only the rest is failed with the item."""
    file = site.folder / "nested.txt"
    script = f"{site.witness.script('if test $PYANAMO_TASK = Task_1; then sleep 2; kill -9 $PPID; fi')};:"
    file.write_text(f"itemID|TaskID|TaskScript|TaskArgs\nn|s|{script}|a,b\n")
    site.program("import", "--nested", file)

    _keep_running(site, "-n", "2")

    row = site.rows()["n"]
    assert {name: task["Status"] for name, task in row["TaskScript"].items()} == {"Task_0": "done", "Task_1": "failed"}
    assert row["Log"]["Task_0"]["Attempt"] == 1
