"""How a person corrects the items of a table: an order, for the items of a selection.

Every method is thin: what it does is in `operate/`, which is imported when it is first used.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import Item, State
from pyanamo_async.host.liveness import LocalProcesses
from pyanamo_async.table_results import TableResults

if TYPE_CHECKING:
    from pyanamo_async.core.selection import Selection
    from pyanamo_async.operate.changing import ChangeResult
    from pyanamo_async.operate.workers import ReclaimResult

Confirm = Callable[[int], bool]
Progress = Callable[["ChangeResult"], None]


class TableEditor(TableResults):
    """One table of items, and how a person corrects them."""

    async def retry(
        self,
        selection: Selection | None = None,
        *,
        reason: str = "",
        dry_run: bool = False,
        confirm: Confirm = lambda _: True,
        progress: Progress = lambda _: None,
    ) -> ChangeResult:
        """Run again what did not succeed: by default all failed items, or those of a selection.

        Finished tasks of nested items stay finished; a selection that names tasks runs these only. Failures, crashes
        and interruptions count from zero again, and an item that waits after a failure waits no longer. An item that a
        worker holds is left alone, and named in the result. `reason` goes into the history of the item.

        `confirm` takes the number of items before anything is changed, and may say no; `progress` takes the result so
        far. With `dry_run` nothing is changed, and the result names the items.

        Raises:
            ItemMissing: the selection names ids that the table does not have; nothing was changed.
        """
        from pyanamo_async.core.selection import Selection

        failed = Selection(states=[State.FAILED])
        return await self._reset(
            selection or failed, all_tasks=False, reason=reason, dry_run=dry_run, confirm=confirm, progress=progress
        )

    async def reset(
        self,
        selection: Selection,
        *,
        reason: str = "",
        dry_run: bool = False,
        confirm: Confirm = lambda _: True,
        progress: Progress = lambda _: None,
    ) -> ChangeResult:
        """Run everything of the selected items again, also what is done; otherwise as `retry`.

        The records of earlier attempts stay until new ones replace them, and the attempt number counts on.

        Raises:
            ItemMissing: the selection names ids that the table does not have; nothing was changed.
        """
        return await self._reset(
            selection, all_tasks=True, reason=reason, dry_run=dry_run, confirm=confirm, progress=progress
        )

    async def reclaim(self, *, crash_limit: int = FailurePolicy().crash_limit, dry_run: bool = False) -> ReclaimResult:
        """Put back the items of workers that vanished; running workers do so by themselves.

        An item with which `crash_limit` workers have vanished fails instead. With `dry_run` nothing changes, and the
        result names the items.
        """
        from pyanamo_async.operate.workers import reclaim

        workers, now = await self.workers(), datetime.now(UTC)
        return await reclaim(
            await self._open(),
            workers,
            crash_limit=crash_limit,
            dry_run=dry_run,
            now=now,
            processes=LocalProcesses(),
        )

    async def _reset(
        self,
        selection: Selection,
        *,
        all_tasks: bool,
        reason: str,
        dry_run: bool,
        confirm: Confirm,
        progress: Progress,
    ) -> ChangeResult:
        from pyanamo_async.core import transitions
        from pyanamo_async.operate.changing import change

        token = secrets.token_hex(8)

        def put_back(item: Item, tasks: Collection[str]) -> Item:
            return transitions.reset(item, tasks=tasks, all_tasks=all_tasks, token=token, why=reason)

        return await change(
            await self._open(),
            selection,
            put_back,
            now=datetime.now(UTC),
            dry_run=dry_run,
            confirm=confirm,
            progress=progress,
        )
