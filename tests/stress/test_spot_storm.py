"""A Spot storm on AWS Batch: a third of the workers is taken again and again, in the ways that Spot has.

Time is ten times faster here: tasks of five minutes take thirty seconds, checkpoints come every second instead of every
ten, and a third of the workers is taken every six seconds instead of every minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

from harness.batch.jobs import ENDED
from harness.program import PYANAMO, Program, Row, until
from tests.acceptance.conftest import on_aws
from tests.batch import DEFINITION, QUEUE, a_batch

__all__ = ["on_aws"]

WORKERS, ITEMS, STEPS = 6, 9, 300
STORM, EVERY_S = 9, 6.0
RUN = ("-i", "1", "--grace", "1s", "--heartbeat", "2s", "--lease", "10s", "--checkpoint-every", "1s")
WORK = f"""
state=$FOLDER/n; n=0; if [ -e $state ]; then n=$(cat $state); fi
trap 'exit 85' TERM
while [ $n -lt {STEPS} ]; do
  n=$((n + 1)); echo $n > $state.new; mv $state.new $state
  sleep 0.1 & wait $!
done
"""


def storm(pyanamo: Program, folder: Path, script: str) -> list[Row]:
    """Run items through a storm, and return what is stored of them."""
    (pyanamo.folder / "work.sh").write_text(WORK)
    pyanamo.import_rows(*(f"i{number}|s|{script}; . {pyanamo.folder}/work.sh" for number in range(ITEMS)))
    entrypoint, dice = [PYANAMO, "run", *RUN], Random(5)
    with a_batch(folder, entrypoint=entrypoint, environment=pyanamo.env, capacity=WORKERS) as (batch, address):
        on_batch = replace(pyanamo, env={**pyanamo.env, "AWS_ENDPOINT_URL_BATCH": address})
        on_batch("batch", "submit", "--queue", QUEUE, "--definition", DEFINITION, "--jobs", str(3 * WORKERS))
        for number in range(STORM):
            until(lambda: _all_work(pyanamo))  # who has not begun yet loses nothing
            time.sleep(EVERY_S)  # the storm's own pace: nothing is waited for
            batch.take_capacity(share=1 / 3, dice=dice, kill_after_s=0 if number % 4 == 3 else None)
        batch.wait(lambda: {*batch.statuses()} <= ENDED)
    return list(pyanamo.rows().values())


def _all_work(pyanamo: Program) -> bool:
    """Return whether all workers hold an item, or there are not so many left."""
    states = [row["ItemState"] for row in pyanamo.rows().values()]
    return states.count("locked") >= min(WORKERS, len(states) - states.count("done"))


def shares(rows: list[Row]) -> Iterator[float]:
    """Return what share of the time of scripts was lost: of all of it, and of what interruptions cut off."""
    lost, saved = (sum(float(row.get(name, 0)) for row in rows) for name in ("Seconds_Lost", "Seconds_Saved"))
    yield lost / (lost + saved + sum(float(row["Log"]["Seconds"]) for row in rows))
    yield lost / (lost + saved)


def test_checkpoints_keep_what_a_storm_takes(on_aws: Program, tmp_path: Path) -> None:
    """Less than a tenth of the time is lost, and all items are done; without checkpoints it is all that was cut off."""
    rows = storm(on_aws, tmp_path / "batch", "FOLDER=$PYANAMO_CHECKPOINT")
    of_all, of_what_was_cut = shares(rows)

    assert {row["ItemState"] for row in rows} == {"done"}
    assert sum(row.get("Interruptions", 0) + row.get("Crashes", 0) for row in rows) > ITEMS
    assert of_all < 0.1, rows
    print(f"lost: {of_all:.1%} of all, {of_what_was_cut:.1%} of what was cut off")


def test_without_checkpoints_all_is_lost_that_was_cut_off(on_aws: Program, tmp_path: Path) -> None:
    """The same storm, for comparison."""
    rows = storm(on_aws, tmp_path / "batch", "FOLDER=$(mktemp -d)")
    of_all, of_what_was_cut = shares(rows)

    assert {row["ItemState"] for row in rows} == {"done"}
    assert of_what_was_cut == 1
    assert of_all > 0.1
    print(f"lost: {of_all:.1%} of all")
