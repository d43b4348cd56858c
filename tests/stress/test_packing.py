"""Real scripts of known size on a small budget: the machine is full, and nothing is killed for it."""

from __future__ import annotations

import shlex
import sys
from itertools import accumulate

from harness.program import Program
from tests.acceptance.conftest import on_sqlite

__all__ = ["on_sqlite"]  # a fixture

MIB = 1 << 20
SMALL, LARGE, BUDGET = 30, 300, 600  # MiB


def test_a_few_large_tasks_among_many_small_ones_stay_within_the_budget(on_sqlite: Program) -> None:
    """None is ended for memory, and what runs at a time never has more than 5 % above the budget."""

    def row(number: int) -> str:
        size = LARGE if number % 12 == 5 else SMALL
        body = f"x = bytearray(b'x') * ({size - 10} << 20); import time; time.sleep(0.7)"
        return f"i{number:02}|s|{size}M|{shlex.quote(sys.executable)} -S -c {shlex.quote(body)}"

    on_sqlite.import_rows(*map(row, range(60)), header="itemID|TaskID|Memory|TaskScript")
    on_sqlite("run", "-i", "20", "--memory", f"{BUDGET}M")

    rows = on_sqlite.rows().values()
    assert {each["ItemState"] for each in rows} == {"done"}
    assert not any("Interruptions" in each or "OOM_Kills" in each for each in rows)
    logs = [each["Log"] for each in rows]
    began = [(log["Started"], 1, log["Max_RSS"]) for log in logs]
    ended = [(log["Finished"], 0, -log["Max_RSS"]) for log in logs]
    used = [*accumulate(change for _, _, change in sorted(began + ended))]
    assert LARGE * MIB < max(used) <= 1.05 * BUDGET * MIB
