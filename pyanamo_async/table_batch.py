"""A table's workers as jobs of AWS Batch.

Every method is thin: what it does is in `operate/`, which is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import inf
from typing import TYPE_CHECKING

from pyanamo_async.app.locations import Bucket, DynamoTable
from pyanamo_async.core.queue_lanes import LAST_ATTEMPTS_AFTER
from pyanamo_async.errors import TableMissing, UsageError
from pyanamo_async.host.liveness import LocalProcesses
from pyanamo_async.table_capacity import TableCapacity

if TYPE_CHECKING:
    from pyanamo_async.operate.batch import CancelledJobs
    from pyanamo_async.operate.batch_planning import BatchPlan
    from pyanamo_async.ports.jobs import FleetJob

TEN_MINUTES = timedelta(minutes=10)


class TableBatch(TableCapacity):
    """One table of items, and its workers on AWS Batch.

    All methods raise `UsageError` for a table that is not on DynamoDB.
    """

    async def plan_batch(
        self,
        *,
        queue: str,
        definition: str,
        jobs: int | None = None,
        within: timedelta | None = None,
        seconds_per_item: float | None = None,
        environment: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        share: str = "",
        memory_class_bytes: int | None = None,
        last_attempts_on: str = "",
        last_attempts_after: int = LAST_ATTEMPTS_AFTER,
    ) -> BatchPlan:
        """Plan workers: so many `jobs`, or as many as get what is left done `within` a time.

        Then the table's own pace says how long an item takes, unless `seconds_per_item` does. `environment` are further
        variables of the workers, like PYANAMO_ITEMS; those that lead to this table and its output are among them. Jobs
        have the `tags`, and the ECS tasks they become. `share` is the identifier that a queue with a fair-share policy
        wants. What such workers do not take does not count as left. Nothing is submitted yet: see `submit_batch`.

        With `memory_class_bytes` the workers are for items whose tasks need so much. They are to be large enough for
        its memory class, and what is left are the items of the classes up to that.

        With `last_attempts_on`, a queue of on-demand machines, one more worker starts there. It takes everything, and
        first the items that lost their machines `last_attempts_after` times: the others leave these alone from then on.

        Raises:
            UsageError: the table is in a file, output goes to a folder, an argument is wrong or missing, Batch has no
                such queue or definition, its workers are too small, or on a queue for last attempts they are
                interrupted as well.
            TableMissing: it does not exist: its workers would all fail.
        """
        from pyanamo_async.core.memory.classes import class_of
        from pyanamo_async.core.taskfile.row import MEMORY
        from pyanamo_async.operate import batch_planning

        if (jobs is None) == (within is None):
            raise UsageError("give `jobs` or `within`, and not both", hint="`jobs` is how many workers there are")
        if within is None and seconds_per_item is not None:
            raise UsageError("`seconds_per_item` goes with `within`", hint="`jobs` says it all")
        if seconds_per_item is not None and not 0 < seconds_per_item < inf:
            raise UsageError(f"`seconds_per_item` is {seconds_per_item:g}", hint="give a positive number")
        if memory_class_bytes is not None and memory_class_bytes not in MEMORY:
            raise UsageError(
                f"`memory_class_bytes` is {memory_class_bytes}", hint="give a size of 1 MiB or more, as 64G"
            )
        name, environment = self._on_dynamodb(), {**self._whereabouts(), **(environment or {})}
        store = await self._open()
        await store.describe()
        if last_attempts_after < 1:
            raise UsageError(f"`last_attempts_after` is {last_attempts_after}", hint="give 1 or more")
        number: int | batch_planning.Deadline = jobs or 0
        if within is not None:
            number = batch_planning.Deadline(within, seconds_per_item, await store.lane_counts())
        return await batch_planning.plan(
            await self._resources.platform(),
            table=name,
            queue=queue,
            definition=definition,
            jobs=number,
            status=self.status,
            environment=environment,
            tags=tags or {},
            share=share,
            memory_class=class_of(memory_class_bytes) if memory_class_bytes else 0,
            last_attempts_on=last_attempts_on,
            last_attempts_after=last_attempts_after,
        )

    async def submit_batch(self, plan: BatchPlan) -> list[str]:
        """Submit the workers of a plan, and return the ids of their jobs and arrays, last that for last attempts."""
        from pyanamo_async.operate import batch

        job_ids = await batch.submit(await self._resources.fleet_jobs(), plan)
        if plan.last_attempts:  # once there is a worker for them
            await (await self._open()).leave_last_attempts(plan.last_attempts_after)
        return job_ids

    async def batch_jobs(
        self, job_ids: Collection[str] = (), *, queue: str | None = None, ended: bool = False
    ) -> list[FleetJob]:
        """List the table's jobs and arrays, the newest first, in one queue or all; with `ended` those, too.

        Raises:
            UsageError: one of `job_ids` is none of them.
        """
        from pyanamo_async.operate import batch

        name = self._on_dynamodb()
        fleet = await self._resources.fleet_jobs()
        return await batch.list_jobs(fleet, name, queue=queue, ended=ended, job_ids=job_ids)

    async def cancel_batch(
        self,
        job_ids: Collection[str] = (),
        *,
        queue: str | None = None,
        drain_for: timedelta = TEN_MINUTES,
        reason: str = "cancelled by pyanamo",
    ) -> CancelledJobs:
        """End the table's jobs, or those of these ids.

        First all workers of the table are told to claim nothing more and to finish what they run, for as long as
        `drain_for`, while Batch starts none anew; then what still runs is terminated, and its items go back. With a
        `drain_for` of zero that happens at once.

        Raises:
            UsageError: an id is none of these jobs.
        """
        from pyanamo_async.core.workers import Desired
        from pyanamo_async.host.clock import SystemClock
        from pyanamo_async.operate import batch, workers

        self._on_dynamodb()
        fleet, store = await self._resources.fleet_jobs(), await self._open()

        async def drain() -> None:
            now = datetime.now(UTC)
            with suppress(TableMissing):  # somebody deleted it: then nobody works on it
                await workers.order(store, None, Desired.DRAIN, everyone=True, now=now, processes=LocalProcesses())

        return await batch.cancel(
            fleet,
            lambda: self.batch_jobs(queue=queue),
            drain,
            job_ids=job_ids,
            drain_for=drain_for,
            reason=reason,
            clock=SystemClock(),
        )

    async def explain_batch(self, *, queue: str | None = None) -> list[str]:
        """Tell how many of the jobs are in which state, why those that wait do not start, and how others failed.

        Of those that failed the latest is explained, by exit statuses, unless a later one succeeded.
        """
        from pyanamo_async.operate import batch

        found = await self.batch_jobs(queue=queue, ended=True)
        return await batch.why(await self._resources.fleet_jobs(), await self._resources.platform(), found)

    def _on_dynamodb(self) -> str:
        table = self._resources.settings.table
        if not isinstance(table, DynamoTable):
            raise UsageError(f"`table` {table} is not on DynamoDB", hint="workers on AWS Batch cannot reach it")
        return table.name

    def _whereabouts(self) -> dict[str, str]:
        """Return the variables by which a worker elsewhere finds the table and where its output goes."""
        settings = self._resources.settings
        output = settings.output
        if output is not None and not isinstance(output, Bucket):
            raise UsageError(f"`bucket` {output} is not a bucket", hint="workers on AWS Batch cannot reach it")
        bucket = {"S3_BUCKET": output.name, "PYANAMO_BUCKET_KEY": output.prefix or "/"} if output else {}
        region = {"AWS_REGION": settings.region} if settings.region else {}
        return {"PYANAMO_TABLE": self._on_dynamodb(), **bucket, **region}
