"""A person who puts items back while workers are at work."""

from __future__ import annotations

import json
from collections import defaultdict

from harness.program import PATIENCE_S, Program

ITEMS = 24
ROUNDS = 2
INCOMPLETE = 3


def test_orders_lose_nothing_and_take_no_item_from_its_worker(pyanamo: Program) -> None:
    """No two attempts at one item run at once, every attempt has its own number, and in the end all is done."""
    witness = pyanamo.folder / "witness"
    script = (
        f'echo "$PYANAMO_ITEM_ID start $PYANAMO_ATTEMPT" >> {witness}; sleep 0.1; '
        f'echo "$PYANAMO_ITEM_ID end $PYANAMO_ATTEMPT" >> {witness}; test $PYANAMO_ATTEMPT -gt 2'
    )
    pyanamo.import_rows(*(f"item-{number}|s{number % 2}|{script}" for number in range(ITEMS)))
    workers = [pyanamo.start("run", "-i", "4", "--max-failures", "1", "--wait", "-q") for _ in range(2)]

    for number in range(ROUNDS):
        _order(pyanamo, "reset", "--sample", f"s{number}")
        _order(pyanamo, "retry", "--all")
    while pyanamo.status()["items"]["done"] < ITEMS:
        _order(pyanamo, "retry")
    pyanamo("workers", "drain", "--all")

    for worker in workers:
        worker.wait(timeout=PATIENCE_S)
    assert {state: count for state, count in pyanamo.status()["items"].items() if count} == {"done": ITEMS}
    seen = defaultdict[str, list[list[str]]](list)
    for line in witness.read_text().splitlines():
        item_id, *event = line.split()
        seen[item_id].append(event)
    assert len(seen) == ITEMS
    for events in seen.values():
        attempts = [attempt for what, attempt in events if what == "start"]
        assert sorted(set(map(int, attempts))) == list(map(int, attempts))
        assert [[what, attempt] for attempt in attempts for what in ("start", "end")] == events


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
