"""What one worker did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pyanamo_async.core.items import State


@dataclass(slots=True)
class RunSummary:
    """What a worker did: items by the state it settled them in, those it lost, and whether it left work behind."""

    settled: Counter[State] = field(default_factory=Counter)
    put_back: int = 0  # on being told to stop
    lost: int = 0  # claims that were lost, or could not be settled
    errors: int = 0
    work_left: bool = False
    out_of_reach: int = 0  # items that no living worker takes: they need more memory, or their last attempts are left
    stopped: str = ""
