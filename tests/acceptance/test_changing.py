"""A person who corrects items while workers are at work."""

from __future__ import annotations

import json
from collections import defaultdict

from harness.program import PATIENCE_S, Program

ITEMS = 24
WORKERS = 4
INCOMPLETE = 3


def test_orders_lose_nothing_and_take_no_item_from_its_worker(pyanamo: Program) -> None:
    """No two attempts at one item run at once, every attempt has its own number, and in the end all is done."""
    witness = pyanamo.folder / "witness"
    script = (
        f'echo "$PYANAMO_ITEM_ID start $PYANAMO_ATTEMPT" >> {witness}; sleep 0.1; '
        f'echo "$PYANAMO_ITEM_ID end $PYANAMO_ATTEMPT" >> {witness}; test $PYANAMO_ATTEMPT -gt 2'
    )
    pyanamo.import_rows(*(f"item-{number}|s{number % 3}|{script}" for number in range(ITEMS)))
    working = ("run", "-i", "3", "--max-failures", "1", "--wait", "-q", "--heartbeat", "1s")
    workers = [pyanamo.start(*working) for _ in range(WORKERS)]

    _order(pyanamo, "hold", "--sample", "s0", "--force")
    held = json.loads(pyanamo("list", "--sample", "s0", "--json"))
    assert {row["ItemState"] for row in held} <= {"Pending", "done"}
    _order(pyanamo, "reset", "--sample", "s1", "--force")
    _order(pyanamo, "cancel", "item-2", "--reason", "a mistake")
    _order(pyanamo, "delete", "item-5", "--force")
    _order(pyanamo, "unhold", "--all")
    while pyanamo.status()["items"]["done"] < ITEMS - 1:
        _order(pyanamo, "retry")
    pyanamo("workers", "drain", "--all")

    for worker in workers:
        worker.wait(timeout=PATIENCE_S)
    assert {state: count for state, count in pyanamo.status()["items"].items() if count} == {"done": ITEMS - 1}
    seen = defaultdict[str, list[list[str]]](list)
    for line in witness.read_text().splitlines():
        item_id, *event = line.split()
        seen[item_id].append(event)
    assert len(seen) >= ITEMS - 1
    for events in seen.values():
        attempts = [attempt for what, attempt in events if what == "start"]
        assert sorted(set(map(int, attempts))) == list(map(int, attempts))
        ended = [attempt for what, attempt in events if what == "end"]
        whole = [[what, attempt] for attempt in attempts for what in ("start", "end")]
        assert [event for event in whole if event[0] == "start" or event[1] in ended] == events


def test_who_reads_a_whole_table_is_told_first(on_aws: Program) -> None:
    """DynamoDB charges for what is read, whether it is selected or not."""
    on_aws.import_rows("a|s|true")

    for argv, told in ((["--task", "0"], True), (["--task", "0", "--state", "todo"], False), (["a"], False)):
        done = on_aws.run("list", *argv, "--count")
        assert (done.stdout, "reading the whole table" in done.stderr) == ("1\n", told)


def _order(pyanamo: Program, *order: str) -> None:
    """Give an order; what workers hold is left alone, and whatever was selected is accounted for."""
    done = pyanamo.run(*order, "--yes", "--json")
    assert done.returncode in {0, INCOMPLETE}, done.stderr
    result = json.loads(done.stdout)
    settled = ("changed", "unchanged", "no_longer_matching", "fenced", "failed")
    assert result["selected"] == sum(result[name] for name in settled) + len(result["locked"])
    assert result["failed"] == 0
