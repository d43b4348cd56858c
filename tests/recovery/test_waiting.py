"""A worker that is killed while a large item waits there for room: that item never ran, and is charged nothing."""

from __future__ import annotations

import signal

from harness.program import until
from tests.recovery.processes import SHORT_LEASE, Site, Worker

HEADER = "itemID|TaskID|Priority|Memory|TaskScript"
ROUNDS = 3
LARGE = ("-i", "2", "--memory", "1G", *SHORT_LEASE)


def _killed_while_it_waits(site: Site, item: str) -> Worker:
    """Start a worker, and kill it once its row says that an item waits there."""
    worker = site.start(*LARGE)
    until(lambda: "Nothing of it ran then" in site.program("explain", item))
    worker.signal(signal.SIGKILL)
    worker.exit()
    return worker


def test_an_item_that_only_waits_is_charged_nothing_however_often_its_worker_is_killed(site: Site) -> None:
    """It is neither buried nor left to last attempts; the item that ran is charged each time."""
    go_on = site.folder / "go-on"
    runs = site.witness.script(f"until test -e {go_on}; do sleep 0.1; done")
    site.items(f"runs|s|0|600M|{runs}", f"waits|s|1|700M|{site.witness.script('true')}", header=HEADER)
    site.program("table", "last-attempts", "--after", str(ROUNDS + 1))

    for _ in range(ROUNDS):
        _killed_while_it_waits(site, "waits")
    go_on.touch()
    last = site.start(*LARGE)

    assert last.exit() == 0, last.said()
    assert "waited=1" in last.said()
    rows = site.rows()
    assert [(name, row["ItemState"], row["Attempt"] > ROUNDS) for name, row in sorted(rows.items())] == [
        ("runs", "done", True),
        ("waits", "done", True),
    ]
    assert (rows["runs"]["Crashes"], rows["runs"]["Evictions"]) == (ROUNDS, ROUNDS)
    assert not {"Crashes", "Evictions", "Interruptions"} & rows["waits"].keys()
    assert all("vanished while it waited there for room" in reason for reason in rows["waits"]["History"])


def test_an_item_that_kills_its_worker_after_it_waited_is_charged(site: Site) -> None:
    """It starts only after the worker's row said that it waits no more: it is buried at the limit all the same."""
    poison = site.witness.script("kill -9 $PPID; sleep 3000")
    site.items(f"short|s|0|600M|{site.witness.script('sleep 3')}", f"poison|s|1|700M|{poison}", header=HEADER)
    limit = ("--crash-limit", "2")

    first = site.start(*LARGE, *limit)
    assert first.exit() == -signal.SIGKILL
    assert "item waits for room item=poison" in first.said()
    assert site.start(*LARGE, *limit).exit() == -signal.SIGKILL
    assert site.start(*LARGE, *limit).exit() == 3

    assert site.states() == {"short": "done", "poison": "failed"}
    assert site.rows()["poison"]["Crashes"] == 2
