"""The SQL of workers. What a person orders stands in columns of its own: a beat writes around it.

What is followed has a row of its own, which holds the wish and what is published for it.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from pyanamo_async.core.output_tail import OutputTail, TailChunk, TaskRef
from pyanamo_async.core.stored.queue_key import format_time, parse_time
from pyanamo_async.core.workers import Desired, Orders, Worker, read_farewell, write_farewell
from pyanamo_async.errors import ItemMissing

HEARTBEAT = """INSERT INTO workers (InstanceID, Heartbeat, Host, Job, Process, Started, Lease, Slots, Running, Done,
    RSS, Gone) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (InstanceID) DO UPDATE SET Heartbeat = ?2, Host = ?3, Job = ?4, Process = ?5, Started = ?6, Lease = ?7,
    Slots = ?8, Running = ?9, Done = ?10, RSS = ?11, Gone = ?12 WHERE Heartbeat <= ?2"""
WORKERS = """SELECT InstanceID, Heartbeat, Host, Job, Process, Started, Lease, Slots, Running, Done, RSS, Gone, Desired
    FROM workers WHERE ?1 IS NULL OR Heartbeat < ?1 ORDER BY Heartbeat, InstanceID"""
FOLLOWED = "SELECT Task FROM output_tails WHERE InstanceID = ? AND Until > ?"
FOLLOW = """INSERT INTO output_tails (Task, InstanceID, Until) VALUES (?1, ?2, ?3)
    ON CONFLICT (Task) DO UPDATE SET InstanceID = ?2, Until = ?3"""
PUBLISH = """UPDATE output_tails SET Stdout = ?3, Stdout_End = ?4, Stderr = ?5, Stderr_End = ?6
    WHERE Task = ?1 AND Until > ?2"""
PUBLISHED = "SELECT Stdout, Stdout_End, Stderr, Stderr_End FROM output_tails WHERE Task = ?"


def heartbeat(connection: sqlite3.Connection, worker: Worker) -> Orders:
    """Write a sign of life around the orders, and read those."""
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
            write_farewell(worker),
        ),
    )
    [desired] = connection.execute("SELECT Desired FROM workers WHERE InstanceID = ?", (worker.worker_id,)).fetchone()
    return Orders(Desired(desired), followed(connection, worker.worker_id, worker.heartbeat))


def order(connection: sqlite3.Connection, worker_id: str, desired: Desired) -> None:
    """Leave an order."""
    change = "UPDATE workers SET Desired = ? WHERE InstanceID = ?"
    if not connection.execute(change, (desired.value, worker_id)).rowcount:
        raise _missing(worker_id)


def follow(connection: sqlite3.Connection, worker_id: str, feed: TaskRef, until: datetime | None) -> None:
    """Ask for what a task prints, or withdraw it."""
    if until is None:
        connection.execute("DELETE FROM output_tails WHERE Task = ?", (str(feed),))
        return
    if connection.execute("SELECT 1 FROM workers WHERE InstanceID = ?", (worker_id,)).fetchone() is None:
        raise _missing(worker_id)
    connection.execute(FOLLOW, (str(feed), worker_id, format_time(until)))


def followed(connection: sqlite3.Connection, worker_id: str, now: datetime) -> tuple[TaskRef, ...]:
    """Tell what is asked for."""
    return tuple(sorted(TaskRef.read(text) for [text] in connection.execute(FOLLOWED, (worker_id, format_time(now)))))


def publish(connection: sqlite3.Connection, feed: TaskRef, live: OutputTail, now: datetime) -> bool:
    """Write over what was published, if somebody still asks for it."""
    out, err = live.stdout, live.stderr
    values = (str(feed), format_time(now), out.data, out.end, err.data, err.end)
    return connection.execute(PUBLISH, values).rowcount > 0


def published(connection: sqlite3.Connection, feed: TaskRef) -> OutputTail | None:
    """Read what was published last."""
    row = connection.execute(PUBLISHED, (str(feed),)).fetchone()
    return None if row is None else OutputTail(TailChunk(*row[:2]), TailChunk(*row[2:]))


def workers(connection: sqlite3.Connection, heartbeat_before: datetime | None) -> list[Worker]:
    """List workers by last beat."""
    rows = connection.execute(WORKERS, (format_time(heartbeat_before) if heartbeat_before else None,)).fetchall()
    return [
        Worker(
            worker_id=worker_id,
            host=host,
            started=parse_time(started),
            heartbeat=parse_time(heartbeat),
            lease=timedelta(seconds=lease),
            job=job,
            process=process,
            slots=slots,
            running=running,
            done=done,
            rss_bytes=rss,
            desired=Desired(desired),
            following=followed(connection, worker_id, parse_time(heartbeat)),
            gone=bool(gone),
            all_settled=read_farewell(gone),
        )
        for worker_id, heartbeat, host, job, process, started, lease, slots, running, done, rss, gone, desired in rows
    ]


def forget(connection: sqlite3.Connection, worker_id: str) -> None:
    """Delete a worker and what was asked of it."""
    connection.execute("DELETE FROM output_tails WHERE InstanceID = ?", (worker_id,))
    connection.execute("DELETE FROM workers WHERE InstanceID = ?", (worker_id,))


def _missing(worker_id: str) -> ItemMissing:
    return ItemMissing(f"the table has no worker {worker_id}", hint="`pyanamo workers` lists them")
