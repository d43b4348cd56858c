"""Several workers on one table, with nothing but the table between them."""

from __future__ import annotations

from collections import Counter

from harness.program import PATIENCE_S, Program

ITEMS = 300
WORKERS = 4


def test_four_workers_finish_each_item_exactly_once(pyanamo: Program) -> None:
    """Every script ran once and once only, whoever ran it, and all workers had a share."""
    witness = pyanamo.folder / "witness"
    names = [f"item-{number}" for number in range(ITEMS)]
    pyanamo.import_rows(*(f'{name}|s|echo "$PYANAMO_ITEM_ID" >> {witness}; sleep 0.1' for name in names))

    workers = [pyanamo.start("run", "-i", "4") for _ in range(WORKERS)]

    assert [worker.wait(timeout=PATIENCE_S) for worker in workers] == [0] * WORKERS
    assert Counter(names) == Counter(witness.read_text().split())
    rows = pyanamo.rows().values()
    assert {("done", 1)} == {(row["ItemState"], row["Attempt"]) for row in rows}
    assert len({row["InstanceID"] for row in rows}) == WORKERS
