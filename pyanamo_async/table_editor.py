"""How a person corrects the items of a table: an order, for the items of a selection.

Every method is thin: what it does is in `operate/`, which is imported when it is first used.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Unpack

from pyanamo_async.core.arguments import check_type
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import Item, State
from pyanamo_async.core.queue_lanes import LAST_ATTEMPTS, LAST_ATTEMPTS_AFTER
from pyanamo_async.errors import UsageError
from pyanamo_async.host.liveness import LocalProcesses
from pyanamo_async.table_report import TableReport

if TYPE_CHECKING:
    from pyanamo_async.core.selection import Selection
    from pyanamo_async.operate.adopting import AdoptResult
    from pyanamo_async.operate.changing import ChangeOptions, ChangeResult, OrderOptions, Written
    from pyanamo_async.operate.workers import ReclaimResult


class Order(NamedTuple):
    """What tells an order from others: its token, why it was given, and when."""

    token: str
    why: str
    now: datetime


class TableEditor(TableReport):
    """One table of items, and how a person corrects them.

    Each order takes `OrderOptions`: a reason, `dry_run`, and what becomes of items that workers hold. Ids that the
    table does not have are named in the result.
    """

    async def retry(self, selection: Selection | None = None, **options: Unpack[OrderOptions]) -> ChangeResult:
        """Run again what did not succeed: by default all failed items, or those of a selection.

        Finished tasks of nested items stay finished; a selection that names tasks runs these only. Failures, crashes
        and interruptions count from zero again, and an item that waits after a failure waits no longer. Items that are
        held stay held.
        """
        from pyanamo_async.core.orders import reset
        from pyanamo_async.core.selection import Selection

        def put_back(item: Item, tasks: Collection[str], order: Order) -> Item:
            return reset(item, tasks=tasks, token=order.token, why=order.why)

        return await self._change(selection or Selection(states=[State.FAILED]), put_back, options)

    async def reset(
        self, selection: Selection, *, clear: bool = False, **options: Unpack[OrderOptions]
    ) -> ChangeResult:
        """Run everything of the selected items again, also what is done, and what is held; otherwise as `retry`.

        The records of earlier attempts stay until new ones replace them, and the attempt number counts on. Tasks that
        did not succeed go on from their checkpoints, unless `clear`.
        """
        from pyanamo_async.core.orders import reset

        def put_back(item: Item, tasks: Collection[str], order: Order) -> Item:
            return reset(item, tasks=tasks, all_tasks=True, clear=clear, token=order.token, why=order.why)

        return await self._change(selection, put_back, options)

    async def hold(self, selection: Selection, **options: Unpack[OrderOptions]) -> ChangeResult:
        """Hold the selected items: nobody claims them until they are let go by `unhold`, or `reset`.

        They are `Pending`. What is done stays done.
        """
        from pyanamo_async.core.holding import hold

        def park(item: Item, _: Collection[str], order: Order) -> Item:
            return hold(item, now=order.now, token=order.token, why=order.why)

        return await self._change(selection, park, options)

    async def unhold(self, selection: Selection, **options: Unpack[OrderOptions]) -> ChangeResult:
        """Let the selected items go that are held: each is again what it was before."""
        from pyanamo_async.core.holding import unhold

        def free(item: Item, _: Collection[str], order: Order) -> Item:
            return unhold(item, token=order.token, why=order.why)

        return await self._change(selection, free, options)

    async def cancel(
        self, selection: Selection, reason: str, *, wait: bool = True, **options: Unpack[ChangeOptions]
    ) -> ChangeResult:
        """Withdraw the selected items, and end those that run as `force` does: they are held, for this reason.

        A `retry` leaves them alone; `unhold` and `reset` bring them back. What is done stays done.

        Raises:
            UsageError: the reason is empty.
        """
        if not reason.strip():
            raise UsageError("`reason` is empty", hint="say why, for those who find the items later")
        return await self.hold(selection, reason=reason, force=True, wait=wait, **options)

    async def leave_last_attempts(self, after: int | None = LAST_ATTEMPTS_AFTER) -> int:
        """Leave items that lost their machines `after` times, as on Spot, to workers with `last_attempts`; None: none.

        From then on others leave such an item alone, when it loses its machine next. What is left to them already stays
        so, until it is done or a person puts it back; return how many items that are in `todo`.

        Raises:
            UsageError: `after` is below 1.
        """
        check_type("after", after, int | None)
        if after is not None and after < 1:
            raise UsageError(f"`after` is {after}", hint="give 1 or more, or None")
        store = await self._open()
        await store.leave_last_attempts(after)
        return (await store.lane_counts()).get(LAST_ATTEMPTS, 0)

    async def last_attempts_after(self) -> int | None:
        """Return how often items may lose their machines until they are left to such workers; None for ever."""
        return await (await self._open()).last_attempts_after()

    async def delete(
        self, selection: Selection, *, outputs: bool = False, **options: Unpack[OrderOptions]
    ) -> ChangeResult:
        """Delete the selected items; of a selection that names a `task`, that task of nested items only.

        Their stored output stays where it is, unless `outputs` deletes it too, of all attempts: where output goes now,
        and where the records say. The result has what was not found, or could not be removed.

        Raises:
            UsageError: `outputs`, and no bucket was given.
        """
        from pyanamo_async.app.removing import output_remover
        from pyanamo_async.core.orders import drop_tasks

        namespace = (await self.describe()).output_namespace
        remover = await output_remover(self._resources, namespace) if outputs else None

        def drop(item: Item, tasks: Collection[str], order: Order) -> Item | None:
            return None if selection.task is None else drop_tasks(item, tasks, now=order.now, token=order.token)

        result = await self._change(selection, drop, options, written=remover)
        if remover:
            result.outputs_not_found, result.outputs_not_removed = remover.not_found, remover.not_removed
        return result

    async def set(
        self,
        selection: Selection,
        *,
        priority: int | None = None,
        max_failures: int | None = None,
        timeout: timedelta | None = None,
        memory_bytes: int | None = None,
        cpus: int | None = None,
        script: str | None = None,
        forget_memory: bool = False,
        **options: Unpack[OrderOptions],
    ) -> ChangeResult:
        """Set limits, needs or the priority of the selected items, or the script of their selected tasks.

        Priority is 0 (first) to 9. Each task is to have `memory_bytes`, whatever it was found to need before, and
        `cpus`; `forget_memory` takes away both what it was to have and what it was found to need. Each item keeps its
        state. A task whose script changes is to run again, and its record goes. Items that workers hold are left
        alone, unless the order is forced: then they begin anew.

        Raises:
            UsageError: nothing is to be set, or a value is invalid.
        """
        from pyanamo_async.core.editing import Edits, check_edits, edit

        edits = Edits(priority, max_failures, timeout, memory_bytes, cpus, script, forget_memory)
        check_edits(edits)

        def change(item: Item, tasks: Collection[str], order: Order) -> Item:
            return edit(item, tasks, edits, now=order.now, token=order.token, why=order.why)

        return await self._change(selection, change, options)

    async def adopt(self, *, locked: bool = False, dry_run: bool = False) -> AdoptResult:
        """Give items that another program imported, or moved by their state alone, their place in the queue.

        That is what the original PyAnamo and its manager write. What somebody may be running is left alone, and named
        in the result: what the original locked, unless `locked` says that none of its workers runs any more, and what
        a living worker held when its state was changed. With `dry_run` nothing changes, and the result names the items.
        This reads the whole table.
        """
        from pyanamo_async.operate.adopting import adopt

        check_type("locked", locked, bool)
        return await adopt(await self._open(), locked=locked, dry_run=dry_run, now=datetime.now(UTC))

    async def reclaim(
        self, *, crash_limit: int = FailurePolicy().crash_limit, dry_run: bool = False, jobs: bool = False
    ) -> ReclaimResult:
        """Put back the items of workers that vanished; running workers do so by themselves.

        An item with which `crash_limit` workers have vanished fails instead. With `dry_run` nothing changes, and the
        result names the items. With `jobs` AWS Batch is asked for the jobs behind the workers: whose job stopped 150 s
        ago or earlier has vanished, too, and if its host was taken, that counts as an interruption of its items.
        """
        from pyanamo_async.operate.workers import reclaim

        check_type("jobs", jobs, bool)
        behind = await self.worker_jobs() if jobs else ()  # before their heartbeats: what is alive is seen to be
        workers, now = await self.workers(), datetime.now(UTC)
        return await reclaim(
            await self._open(),
            workers,
            crash_limit=crash_limit,
            dry_run=dry_run,
            now=now,
            processes=LocalProcesses(),
            jobs=behind,
        )

    async def _change(
        self,
        selection: Selection,
        change_item: Callable[[Item, Collection[str], Order], Item | None],
        options: ChangeOptions | OrderOptions,
        *,
        written: Written | None = None,
    ) -> ChangeResult:
        from pyanamo_async.host.clock import SystemClock
        from pyanamo_async.operate.changing import Writer, change
        from pyanamo_async.operate.forcing import Forced

        progress, wait = options.get("progress", lambda _: None), bool(options.get("wait", True))
        order = Order(secrets.token_hex(8), str(options.get("reason", "")), datetime.now(UTC))
        writer = Writer(await self._open(), SystemClock(), written)
        return await change(
            writer,
            selection,
            lambda item, tasks: change_item(item, tasks, order),
            force=Forced(writer, LocalProcesses(), order.token, wait, progress) if options.get("force") else None,
            dry_run=options.get("dry_run", False),
            confirm=options.get("confirm", lambda _: True),
            progress=progress,
        )
