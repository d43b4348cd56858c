"""The SQL of workers. A person's orders stand in a column of their own: a heartbeat is written around it.

A task that somebody follows has a row of its own, which holds the subscription and what is published for it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from datetime import datetime, timedelta

from pyanamo_async.core.output_tail import OutputTail, TailChunk, TaskRef
from pyanamo_async.core.stored.queue_key import format_time, parse_time
from pyanamo_async.core.workers import Desired, Orders, Worker, WorkerState
from pyanamo_async.errors import Fenced, ItemMissing

HEARTBEAT = """INSERT INTO workers (InstanceID, Heartbeat, Host, Job, Process, Started, Lease, Slots, Running, Done,
    RSS, State) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (InstanceID) DO UPDATE SET Heartbeat = ?2, Host = ?3, Job = ?4, Process = ?5, Started = ?6, Lease = ?7,
    Slots = ?8, Running = ?9, Done = ?10, RSS = ?11, State = ?12 WHERE Heartbeat <= ?2"""
MARK_DEAD = "UPDATE workers SET State = 'dead' WHERE InstanceID = ? AND Heartbeat = ? AND State <> 'ended'"
HEARTBEATS = """SELECT InstanceID, Heartbeat FROM workers WHERE State <> 'ended' AND Heartbeat BETWEEN ?1 AND ?2
    ORDER BY Heartbeat DESC, InstanceID DESC LIMIT ?3"""
WORKERS = """SELECT InstanceID, Heartbeat, Host, Job, Process, Started, Lease, Slots, Running, Done, RSS, State, Desired
    FROM workers WHERE ?1 IS NULL OR InstanceID IN (SELECT value FROM json_each(?1)) ORDER BY Heartbeat, InstanceID"""
FIRST, LAST = "", "~"  # before and after all times
FOLLOWED = "SELECT Task FROM output_tails WHERE InstanceID = ? AND Until > ?"
FOLLOW = """INSERT INTO output_tails (Task, InstanceID, Until) VALUES (?1, ?2, ?3)
    ON CONFLICT (Task) DO UPDATE SET InstanceID = ?2, Until = ?3"""
PUBLISH = """UPDATE output_tails SET Stdout = ?3, Stdout_End = ?4, Stderr = ?5, Stderr_End = ?6
    WHERE Task = ?1 AND Until > ?2"""
PUBLISHED = "SELECT Stdout, Stdout_End, Stderr, Stderr_End FROM output_tails WHERE Task = ?"


def heartbeat(connection: sqlite3.Connection, worker: Worker, *, registered: bool) -> Orders:
    """Write a heartbeat around the orders, and read those."""
    known = connection.execute("SELECT State FROM workers WHERE InstanceID = ?", (worker.worker_id,)).fetchone()
    if (known is None and registered) or (known is not None and known[0] == WorkerState.DEAD):
        raise Fenced(f"worker {worker.worker_id} was given up for dead")
    connection.execute(
        HEARTBEAT,
        (
            worker.worker_id,
            format_time(worker.heartbeat),
            worker.host,
            worker.job,
            worker.process,
            format_time(worker.started),
            worker.lease.total_seconds(),
            worker.slots,
            worker.running,
            worker.done,
            worker.rss_bytes,
            worker.state.value,
        ),
    )
    [desired] = connection.execute("SELECT Desired FROM workers WHERE InstanceID = ?", (worker.worker_id,)).fetchone()
    return Orders(Desired(desired), followed(connection, worker.worker_id, worker.heartbeat))


def mark_dead(connection: sqlite3.Connection, worker: Worker) -> bool:
    """Mark a worker dead if its last heartbeat is still this one."""
    return connection.execute(MARK_DEAD, (worker.worker_id, format_time(worker.heartbeat))).rowcount > 0


def heartbeats(
    connection: sqlite3.Connection, since: datetime | None, until: datetime | None, most: int | None
) -> dict[str, datetime]:
    """Read the last heartbeats of workers that have not ended, oldest first."""
    bounds = format_time(since) if since else FIRST, format_time(until) if until else LAST
    rows = connection.execute(HEARTBEATS, (*bounds, -1 if most is None else most)).fetchall()
    return {worker_id: parse_time(text) for worker_id, text in reversed(rows)}


def order(connection: sqlite3.Connection, worker_id: str, desired: Desired) -> None:
    """Leave an order."""
    change = "UPDATE workers SET Desired = ? WHERE InstanceID = ?"
    if not connection.execute(change, (desired.value, worker_id)).rowcount:
        raise _missing(worker_id)


def follow(connection: sqlite3.Connection, worker_id: str, task: TaskRef, until: datetime | None) -> None:
    """Subscribe to a task's output, or unsubscribe."""
    if until is None:
        connection.execute("DELETE FROM output_tails WHERE Task = ?", (str(task),))
        return
    if connection.execute("SELECT 1 FROM workers WHERE InstanceID = ?", (worker_id,)).fetchone() is None:
        raise _missing(worker_id)
    connection.execute(FOLLOW, (str(task), worker_id, format_time(until)))


def followed(connection: sqlite3.Connection, worker_id: str, now: datetime) -> tuple[TaskRef, ...]:
    """Return which tasks have subscribers."""
    return tuple(sorted(TaskRef.read(text) for [text] in connection.execute(FOLLOWED, (worker_id, format_time(now)))))


def publish(connection: sqlite3.Connection, task: TaskRef, tail: OutputTail, now: datetime) -> bool:
    """Write over what was published, if somebody still subscribes to it."""
    out, err = tail.stdout, tail.stderr
    values = (str(task), format_time(now), out.data, out.end, err.data, err.end)
    return connection.execute(PUBLISH, values).rowcount > 0


def published(connection: sqlite3.Connection, task: TaskRef) -> OutputTail | None:
    """Read what was published last."""
    row = connection.execute(PUBLISHED, (str(task),)).fetchone()
    return None if row is None else OutputTail(TailChunk(*row[:2]), TailChunk(*row[2:]))


def workers(connection: sqlite3.Connection, of: Collection[str] | None) -> list[Worker]:
    """List workers by last heartbeat; with `of`, those with these ids."""
    ids = None if of is None else json.dumps(sorted(of))
    return [_worker(connection, row) for row in connection.execute(WORKERS, (ids,)).fetchall()]


def _worker(connection: sqlite3.Connection, row: tuple[str, ...]) -> Worker:
    worker_id, heartbeat, host, job, process, started, lease, slots, running, done, rss, state, desired = row
    return Worker(
        worker_id=worker_id,
        host=host,
        started=parse_time(started),
        heartbeat=parse_time(heartbeat),
        lease=timedelta(seconds=float(lease)),
        job=job,
        process=process,
        slots=int(slots),
        running=int(running),
        done=int(done),
        rss_bytes=int(rss),
        desired=Desired(desired),
        following=followed(connection, worker_id, parse_time(heartbeat)),
        state=WorkerState(state),
    )


def forget(connection: sqlite3.Connection, worker_id: str) -> None:
    """Delete a worker and the subscriptions to its tasks."""
    connection.execute("DELETE FROM output_tails WHERE InstanceID = ?", (worker_id,))
    connection.execute("DELETE FROM workers WHERE InstanceID = ?", (worker_id,))


def _missing(worker_id: str) -> ItemMissing:
    return ItemMissing(f"the table has no worker {worker_id}", hint="`pyanamo workers` lists them")
