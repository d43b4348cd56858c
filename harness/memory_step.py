"""Print the task file of a step whose tasks use less memory than they ask for: `python -m harness.memory_step`."""

from __future__ import annotations

import random
import shlex
import sys

TASKS, ASKED = 60, "1G"


def main() -> None:
    """Print it."""
    rng = random.Random(1)
    print("itemID|TaskID|Memory|TaskScript")
    for number in range(1, TASKS + 1):
        size = min(400, round(rng.lognormvariate(5, 0.35)))
        body = f"held = bytearray(b'x') * ({size} << 20); import time; time.sleep({rng.uniform(1.1, 2):.2f})"
        print(
            f"align-{number:02}|sample-{number:02}|{ASKED}|{shlex.quote(sys.executable)} -I -S -c {shlex.quote(body)}"
        )


if __name__ == "__main__":
    main()
