"""Run a worker on an opened table: the one way from the API to `app.bootstrap`.

Everything that only a worker needs is imported here, when it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from pyanamo_async.app.resources import Resources
from pyanamo_async.core.items import State
from pyanamo_async.ports import EventLog, OutputStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a worker ended: the items it settled or reclaimed, by the state it left them in, and its exit status.

    `exit_status` is 0 when nothing is left and nothing that it ran failed, 3 when nothing is left but items of those
    failed, 4 when only items are left that no living worker takes (they need more memory, or a worker with
    `last_attempts`), 75 when the worker was interrupted with work left, and 1 when the worker itself had errors.
    `trouble` says, in a sentence, what those were, or why it lost its claims. `out_of_reach` is how many items are left
    that no living worker takes.
    """

    exit_status: int
    done: int = 0
    failed: int = 0
    put_back: int = 0
    wall_time_exceeded: int = 0
    out_of_reach: int = 0
    trouble: str = ""


def run_on_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a new event loop that starts processes fast, with many open files allowed.

    Where that loop cannot run, it is plain asyncio, and a warning is logged.
    """
    from pyanamo_async.execution import run

    return run(main)


async def run_worker(
    resources: Resources,
    *,
    event_log: EventLog | None = None,
    outputs: OutputStore | None = None,
    handle_signals: bool = False,
    on_stop: Callable[[timedelta], None] = lambda _: None,
) -> RunResult:
    """Run a worker, as the settings of `resources` ask, until nothing is left or it is stopped.

    Its output goes to `outputs`, or where the settings say. With `handle_signals`, signals stop it, and `on_stop` hears
    how long that takes at most.
    """
    from pyanamo_async.app.bootstrap import exit_status, work
    from pyanamo_async.app.identity import who

    me = who()
    store = await resources.store(urgent=True)
    if outputs is None:
        outputs = await resources.worker_outputs(me.worker_id)
    try:
        summary = await work(
            resources.settings,
            me,
            store=store,
            outputs=outputs,
            objects=await resources.objects(),
            event_log=event_log or _Silence(),
            handle_signals=handle_signals,
            on_stop=on_stop,
        )
    finally:
        await store.close()
    settled = summary.settled
    return RunResult(
        exit_status(summary, exit_zero=resources.settings.running.exit_zero),
        done=settled[State.DONE],
        failed=settled[State.FAILED],
        put_back=settled[State.TODO],
        wall_time_exceeded=settled[State.WALL_TIME_EXCEEDED],
        out_of_reach=summary.out_of_reach,
        trouble=summary.trouble,
    )


class _Silence:
    """An event log that keeps nothing."""

    def note(self, event: str, /, **fields: object) -> None:
        pass
