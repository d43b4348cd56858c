"""The SQL of workers. A person's orders stand in a column of their own: a heartbeat is written around it.

A task that somebody follows has a row of its own, which holds the subscription and what is published for it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from pyanamo_async.core.output_tail import OutputTail, TaskRef
from pyanamo_async.core.stored.bad_rows import BadRows
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.core.stored.worker_row import (
    encode_worker,
    heartbeat_at,
    read_chunk,
    read_orders,
    read_worker,
)
from pyanamo_async.core.workers import Desired, Orders, Worker, WorkerState, is_later
from pyanamo_async.errors import BadRow, Fenced, ItemMissing
from pyanamo_async.ports import OutputTails, WorkerRegistry
from pyanamo_async.store.sqlite.engine import Engine
from pyanamo_async.store.sqlite.rows import WORKER_COLUMNS, is_unicode, raw

MAPS = ("Platform", "Waiting")  # as JSON
COLUMNS = tuple(WORKER_COLUMNS)
HEARTBEAT = f"""INSERT INTO workers ({", ".join(COLUMNS)}) VALUES ({", ".join(f":{name}" for name in COLUMNS)})
    ON CONFLICT (InstanceID) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])}"""  # noqa: S608 - constants only
MARK_DEAD = (
    "UPDATE workers SET State = 'dead' WHERE InstanceID = ? AND Heartbeat = CAST(? AS TEXT) AND State <> 'ended'"
)
HEARTBEATS = """SELECT InstanceID, Heartbeat FROM workers WHERE State <> 'ended' AND Heartbeat BETWEEN ?1 AND ?2
    ORDER BY Heartbeat DESC, InstanceID DESC LIMIT ?3"""
WORKERS = f"""SELECT {", ".join(COLUMNS)}, Desired FROM workers
    WHERE ?1 IS NULL OR InstanceID IN (SELECT value FROM json_each(?1)) ORDER BY Heartbeat, InstanceID"""  # noqa: S608
FIRST, LAST = "", "\U0010ffff"  # before and after all texts
FOLLOWING = "Following"  # beside a worker's columns: the tasks that somebody follows
FOLLOWED = "SELECT Task FROM output_tails WHERE InstanceID = CAST(? AS TEXT) AND Until > CAST(? AS TEXT)"
KNOWN = "SELECT 1 FROM workers WHERE InstanceID = ?"
RELEASED = "SELECT lockID FROM releases WHERE InstanceID = ?"
RELEASE = "INSERT OR IGNORE INTO releases (InstanceID, lockID) VALUES (?, ?)"
WITHDRAW = "DELETE FROM releases WHERE InstanceID = ? AND lockID = ?"
FOLLOW = """INSERT INTO output_tails (Task, InstanceID, Until) SELECT ?1, InstanceID, ?3 FROM workers
    WHERE InstanceID = ?2 ON CONFLICT (Task) DO UPDATE SET InstanceID = ?2, Until = ?3"""
PUBLISH = """UPDATE output_tails SET Stdout = ?3, Stdout_End = ?4, Stderr = ?5, Stderr_End = ?6
    WHERE Task = ?1 AND Until > ?2"""
STREAMS = ("Stdout", "Stdout_End", "Stderr", "Stderr_End")
PUBLISHED = f"SELECT {', '.join(STREAMS)} FROM output_tails WHERE Task = ?"  # noqa: S608 - constants only


class SqliteWorkers(WorkerRegistry, OutputTails):
    """The workers of a table in a file."""

    bad_rows: BadRows
    _engine: Engine

    def service_time(self, *, now: datetime) -> datetime:
        return now  # whoever opens the file is on its machine

    async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
        values = {
            "InstanceID": worker.worker_id,
            "Heartbeat": format_time(worker.heartbeat),
            "State": worker.state.value,
            **(said := encode_worker(worker)),
            **{name: orjson.dumps(said[name]).decode() for name in MAPS},
        }

        def work(connection: sqlite3.Connection) -> Orders:
            query = "SELECT State, Desired, Heartbeat FROM workers WHERE InstanceID = ?"
            state, desired, stamp = connection.execute(query, (worker.worker_id,)).fetchone() or (None, Desired.RUN, "")
            if state == WorkerState.DEAD or (state is None and registered):
                raise Fenced(f"worker {worker.worker_id} was given up for dead")
            if written := state is None or not is_later(heartbeat_at(stamp), worker):
                connection.execute(HEARTBEAT, values)
            released = [token for [token] in connection.execute(RELEASED, (worker.worker_id,))]
            followed = _followed(connection, worker.worker_id, format_time(worker.heartbeat))
            return read_orders(desired, followed, released, written=written)

        return await self._engine.write(work)

    async def mark_dead(self, worker: Worker) -> bool:
        stamp = worker.stamp if worker.problem else format_time(worker.heartbeat)
        return await self._change(MARK_DEAD, worker.worker_id, raw(stamp))

    async def heartbeats(
        self, *, since: datetime | None = None, until: datetime | None = None, most: int | None = None
    ) -> Mapping[str, datetime]:
        bounds = format_time(since) if since else FIRST, format_time(until) if until else LAST
        values = (*bounds, -1 if most is None else most)
        rows = await self._engine.read(lambda connection: connection.execute(HEARTBEATS, values).fetchall())
        return {worker_id: heartbeat_at(stamp) for worker_id, stamp in reversed(rows) if is_unicode(worker_id)}

    async def order(self, worker_id: str, desired: Desired) -> None:
        if not await self._change("UPDATE workers SET Desired = ? WHERE InstanceID = ?", desired.value, worker_id):
            raise _missing(worker_id)

    async def order_release(self, worker_id: str, tokens: Collection[str], *, withdrawn: bool = False) -> None:
        def work(connection: sqlite3.Connection) -> None:
            if not withdrawn and not connection.execute(KNOWN, (worker_id,)).fetchone():
                raise _missing(worker_id)
            connection.executemany(WITHDRAW if withdrawn else RELEASE, [(worker_id, token) for token in tokens])

        await self._engine.write(work)

    async def workers(self, *, of: Collection[str] | None = None) -> list[Worker]:
        workers = await self._read_workers(None if of is None else json.dumps(sorted(of)), self.bad_rows.note)
        known = [worker for worker in workers if is_unicode(worker.worker_id)]  # others hold nothing
        return sorted(known, key=lambda worker: (worker.heartbeat, worker.worker_id))

    async def bad_workers(self) -> list[BadRow]:
        """Find the workers whose rows cannot be read."""
        bad: list[BadRow] = []
        await self._read_workers(None, bad.append)
        return bad

    async def _read_workers(self, ids: str | None, note: Callable[[BadRow], None]) -> list[Worker]:
        rows = await self._engine.read(lambda connection: [*_worker_rows(connection, ids)])
        return [_worker(row, note) for row in rows]

    async def forget(self, worker_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM output_tails WHERE InstanceID = ?", (worker_id,))
            connection.execute("DELETE FROM releases WHERE InstanceID = ?", (worker_id,))
            connection.execute("DELETE FROM workers WHERE InstanceID = ?", (worker_id,))

        await self._engine.write(work)

    async def follow(self, worker_id: str, task: TaskRef, *, until: datetime | None) -> None:
        if until is None:
            await self._change("DELETE FROM output_tails WHERE Task = ?", str(task))
        elif not await self._change(FOLLOW, str(task), worker_id, format_time(until)):
            raise _missing(worker_id)

    async def followed(self, worker_id: str, *, now: datetime) -> Sequence[TaskRef] | None:
        time = format_time(now)
        following = await self._engine.read(lambda connection: _followed(connection, worker_id, time))
        return read_orders(Desired.RUN, following).following

    async def publish(self, task: TaskRef, tail: OutputTail, *, now: datetime) -> bool:
        out, err = tail.stdout, tail.stderr
        return await self._change(PUBLISH, str(task), format_time(now), out.data, out.end, err.data, err.end)

    async def published(self, task: TaskRef) -> OutputTail | None:
        row = await self._engine.read(lambda connection: connection.execute(PUBLISHED, (str(task),)).fetchone())
        if row is None:
            return None
        found = self.bad_rows.skip([dict(zip(("itemID", *STREAMS), (str(task), *row), strict=True))], _tail)
        return found[0] if found else OutputTail()

    async def _change(self, statement: str, *values: str | int | bytes) -> bool:
        """Return whether a statement changed anything."""
        return await self._engine.write(lambda connection: connection.execute(statement, values).rowcount > 0)


def _tail(row: Mapping[str, Any]) -> OutputTail:
    stdout, stdout_end, stderr, stderr_end = (row[name] for name in STREAMS)
    return OutputTail(read_chunk(stdout, stdout_end), read_chunk(stderr, stderr_end))


def _followed(connection: sqlite3.Connection, worker_id: str, now: str) -> list[str]:
    """Return the tasks of a worker that somebody follows at a time, as they are stored."""
    return [task for [task] in connection.execute(FOLLOWED, (raw(worker_id), raw(now)))]


def _worker_rows(connection: sqlite3.Connection, ids: str | None) -> Iterator[Row]:
    for values in connection.execute(WORKERS, (ids,)).fetchall():
        row: Row = dict(zip((*COLUMNS, "Desired"), values, strict=True))
        yield row | {FOLLOWING: _followed(connection, row["InstanceID"], row["Heartbeat"])}


def _worker(row: Row, note: Callable[[BadRow], None]) -> Worker:
    stamp, following = row["Heartbeat"], row[FOLLOWING]
    row = row | {name: _map(row[name]) for name in MAPS}
    return read_worker(row, row["InstanceID"], stamp=stamp, state=_state(row), following=following, note=note)


def _map(stored: str) -> object:
    """Return a map that is stored as JSON; what is none comes as it is, for whoever reads it to refuse."""
    try:
        return orjson.loads(stored)
    except ValueError:
        return stored


def _state(row: Row) -> object:
    """Return a worker's state; one that this version does not know comes as it is."""
    return WorkerState(row["State"]) if row["State"] in set(WorkerState) else row["State"]


def _missing(worker_id: str) -> ItemMissing:
    return ItemMissing(f"the table has no worker {worker_id}", hint="`pyanamo workers` lists them")
