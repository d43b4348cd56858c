"""The SQL of workers. A person's orders stand in a column of their own: a heartbeat is written around it.

A task that somebody follows has a row of its own, which holds the subscription and what is published for it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from pyanamo_async.core.output_tail import OutputTail, TailChunk, TaskRef
from pyanamo_async.core.stored.queue_key import format_time, parse_time
from pyanamo_async.core.stored.worker_row import decode_worker, encode_worker
from pyanamo_async.core.workers import Desired, Orders, Worker, WorkerState
from pyanamo_async.errors import Fenced, ItemMissing
from pyanamo_async.ports import OutputTails, WorkerRegistry
from pyanamo_async.store.sqlite.engine import Engine

COLUMNS = (
    *("InstanceID", "Heartbeat", "State"),
    *(
        "Host",
        "Job",
        "Process",
        "Started",
        "Lease",
        "Slots",
        "Running",
        "Done",
        "RSS",
        "Stopped_By",
    ),  # of `encode_worker`
)
HEARTBEAT = f"""INSERT INTO workers ({", ".join(COLUMNS)}) VALUES ({", ".join(f":{name}" for name in COLUMNS)})
    ON CONFLICT (InstanceID) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])}
    WHERE Heartbeat <= excluded.Heartbeat"""  # noqa: S608 - constants only
MARK_DEAD = "UPDATE workers SET State = 'dead' WHERE InstanceID = ? AND Heartbeat = ? AND State <> 'ended'"
HEARTBEATS = """SELECT InstanceID, Heartbeat FROM workers WHERE State <> 'ended' AND Heartbeat BETWEEN ?1 AND ?2
    ORDER BY Heartbeat DESC, InstanceID DESC LIMIT ?3"""
WORKERS = f"""SELECT {", ".join(COLUMNS)}, Desired FROM workers
    WHERE ?1 IS NULL OR InstanceID IN (SELECT value FROM json_each(?1)) ORDER BY Heartbeat, InstanceID"""  # noqa: S608
FIRST, LAST = "", "~"  # before and after all times
FOLLOWED = "SELECT Task FROM output_tails WHERE InstanceID = ? AND Until > ?"
FOLLOW = """INSERT INTO output_tails (Task, InstanceID, Until) SELECT ?1, InstanceID, ?3 FROM workers
    WHERE InstanceID = ?2 ON CONFLICT (Task) DO UPDATE SET InstanceID = ?2, Until = ?3"""
PUBLISH = """UPDATE output_tails SET Stdout = ?3, Stdout_End = ?4, Stderr = ?5, Stderr_End = ?6
    WHERE Task = ?1 AND Until > ?2"""
PUBLISHED = "SELECT Stdout, Stdout_End, Stderr, Stderr_End FROM output_tails WHERE Task = ?"


class SqliteWorkers(WorkerRegistry, OutputTails):
    """The workers of a table in a file."""

    _engine: Engine

    def service_time(self, *, now: datetime) -> datetime:
        return now  # whoever opens the file is on its machine

    async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
        values = {
            "InstanceID": worker.worker_id,
            "Heartbeat": format_time(worker.heartbeat),
            "State": worker.state.value,
            **encode_worker(worker),
        }

        def work(connection: sqlite3.Connection) -> Orders:
            query = "SELECT State, Desired FROM workers WHERE InstanceID = ?"
            state, desired = connection.execute(query, (worker.worker_id,)).fetchone() or (None, Desired.RUN)
            if state == WorkerState.DEAD or (state is None and registered):
                raise Fenced(f"worker {worker.worker_id} was given up for dead")
            connection.execute(HEARTBEAT, values)
            return Orders(Desired(desired), _followed(connection, worker.worker_id, worker.heartbeat))

        return await self._engine.write(work)

    async def mark_dead(self, worker: Worker) -> bool:
        return await self._change(MARK_DEAD, worker.worker_id, format_time(worker.heartbeat))

    async def heartbeats(
        self, *, since: datetime | None = None, until: datetime | None = None, most: int | None = None
    ) -> Mapping[str, datetime]:
        bounds = format_time(since) if since else FIRST, format_time(until) if until else LAST
        values = (*bounds, -1 if most is None else most)
        rows = await self._engine.read(lambda connection: connection.execute(HEARTBEATS, values).fetchall())
        return {worker_id: parse_time(text) for worker_id, text in reversed(rows)}

    async def order(self, worker_id: str, desired: Desired) -> None:
        if not await self._change("UPDATE workers SET Desired = ? WHERE InstanceID = ?", desired.value, worker_id):
            raise _missing(worker_id)

    async def workers(self, *, of: Collection[str] | None = None) -> list[Worker]:
        ids = None if of is None else json.dumps(sorted(of))
        return await self._engine.read(
            lambda connection: [_worker(connection, row) for row in connection.execute(WORKERS, (ids,)).fetchall()]
        )

    async def forget(self, worker_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM output_tails WHERE InstanceID = ?", (worker_id,))
            connection.execute("DELETE FROM workers WHERE InstanceID = ?", (worker_id,))

        await self._engine.write(work)

    async def follow(self, worker_id: str, task: TaskRef, *, until: datetime | None) -> None:
        if until is None:
            await self._change("DELETE FROM output_tails WHERE Task = ?", str(task))
        elif not await self._change(FOLLOW, str(task), worker_id, format_time(until)):
            raise _missing(worker_id)

    async def followed(self, worker_id: str, *, now: datetime) -> Sequence[TaskRef] | None:
        return await self._engine.read(lambda connection: _followed(connection, worker_id, now))

    async def publish(self, task: TaskRef, tail: OutputTail, *, now: datetime) -> bool:
        out, err = tail.stdout, tail.stderr
        return await self._change(PUBLISH, str(task), format_time(now), out.data, out.end, err.data, err.end)

    async def published(self, task: TaskRef) -> OutputTail | None:
        row = await self._engine.read(lambda connection: connection.execute(PUBLISHED, (str(task),)).fetchone())
        return None if row is None else OutputTail(TailChunk(*row[:2]), TailChunk(*row[2:]))

    async def _change(self, statement: str, *values: str | int | bytes) -> bool:
        """Return whether a statement changed anything."""
        return await self._engine.write(lambda connection: connection.execute(statement, values).rowcount > 0)


def _followed(connection: sqlite3.Connection, worker_id: str, now: datetime) -> tuple[TaskRef, ...]:
    return tuple(sorted(TaskRef.read(text) for [text] in connection.execute(FOLLOWED, (worker_id, format_time(now)))))


def _worker(connection: sqlite3.Connection, values: tuple[str, ...]) -> Worker:
    row = dict(zip((*COLUMNS, "Desired"), values, strict=True))
    worker_id, heartbeat = row["InstanceID"], parse_time(row["Heartbeat"])
    following = _followed(connection, worker_id, heartbeat)
    return decode_worker(row, worker_id, heartbeat=heartbeat, state=WorkerState(row["State"]), following=following)


def _missing(worker_id: str) -> ItemMissing:
    return ItemMissing(f"the table has no worker {worker_id}", hint="`pyanamo workers` lists them")
