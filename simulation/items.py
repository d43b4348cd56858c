"""Short ways to write items, whose scripts are those of `fake_launcher`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from pyanamo_async.core.items import Item, Task


def an_item(item_id: str, *, script: str = "true", nested: Sequence[str] = (), **fields: Any) -> Item:  # noqa: ANN401 # any field of Item
    """Make an item of one script, or a nested one of several."""
    scripts = nested or (script,)
    tasks = tuple(Task(f"Task_{number}", text) for number, text in enumerate(scripts))
    return Item(item_id=item_id, **{"sample": "sample", "tasks": tasks, "nested": bool(nested), **fields})


def sleepers(count: int, *, mean_s: float, rng: random.Random) -> list[Item]:
    """Make items whose durations are exponential around a mean."""
    return [
        an_item(f"sample-{number:07}", script=f"sleep {rng.expovariate(1 / mean_s):.4f}") for number in range(count)
    ]
