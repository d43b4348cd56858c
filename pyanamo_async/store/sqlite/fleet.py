"""The SQL of workers. What a person orders stands in columns of its own: a beat writes around it."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from pyanamo_async.core.queue import moment, stamp
from pyanamo_async.core.workers import Desired, Orders, Worker
from pyanamo_async.errors import ItemMissing

BEAT = """INSERT INTO workers (InstanceID, Beat, Host, Job, Process, Started, Lease, Slots, Running, Done, RSS, Gone)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (InstanceID) DO UPDATE SET Beat = ?2, Host = ?3, Job = ?4, Process = ?5, Started = ?6, Lease = ?7,
    Slots = ?8, Running = ?9, Done = ?10, RSS = ?11, Gone = ?12"""
WORKERS = """SELECT InstanceID, Beat, Host, Job, Process, Started, Lease, Slots, Running, Done, RSS, Gone, Desired
    FROM workers WHERE ?1 IS NULL OR Beat < ?1 ORDER BY Beat, InstanceID"""
FOLLOWING = "SELECT itemID FROM followed WHERE InstanceID = ? AND Until > ? ORDER BY itemID"
FOLLOW = "INSERT INTO followed VALUES (?1, ?2, ?3) ON CONFLICT (InstanceID, itemID) DO UPDATE SET Until = ?3"


def beat(connection: sqlite3.Connection, worker: Worker) -> Orders:
    """Write a sign of life around the orders, and read those."""
    connection.execute(
        BEAT,
        (
            worker.worker_id,
            stamp(worker.beat),
            worker.host,
            worker.job,
            worker.process,
            stamp(worker.started),
            worker.lease.total_seconds(),
            worker.slots,
            worker.running,
            worker.done,
            worker.rss_bytes,
            worker.gone,
        ),
    )
    [desired] = connection.execute("SELECT Desired FROM workers WHERE InstanceID = ?", (worker.worker_id,)).fetchone()
    return Orders(Desired(desired), _following(connection, worker.worker_id, stamp(worker.beat)))


def order(connection: sqlite3.Connection, worker_id: str, desired: Desired) -> None:
    """Leave an order."""
    change = "UPDATE workers SET Desired = ? WHERE InstanceID = ?"
    if not connection.execute(change, (desired.value, worker_id)).rowcount:
        raise _missing(worker_id)


def follow(connection: sqlite3.Connection, worker_id: str, item_id: str, until: datetime | None) -> None:
    """Ask for an item's output, or withdraw it."""
    if until is None:
        connection.execute("DELETE FROM followed WHERE InstanceID = ? AND itemID = ?", (worker_id, item_id))
        return
    if connection.execute("SELECT 1 FROM workers WHERE InstanceID = ?", (worker_id,)).fetchone() is None:
        raise _missing(worker_id)
    connection.execute(FOLLOW, (worker_id, item_id, stamp(until)))


def workers(connection: sqlite3.Connection, beat_before: datetime | None) -> list[Worker]:
    """List workers by last beat."""
    rows = connection.execute(WORKERS, (stamp(beat_before) if beat_before else None,)).fetchall()
    return [
        Worker(
            worker_id=worker_id,
            host=host,
            started=moment(started),
            beat=moment(beat),
            lease=timedelta(seconds=lease),
            job=job,
            process=process,
            slots=slots,
            running=running,
            done=done,
            rss_bytes=rss,
            desired=Desired(desired),
            following=_following(connection, worker_id, beat),
            gone=bool(gone),
        )
        for worker_id, beat, host, job, process, started, lease, slots, running, done, rss, gone, desired in rows
    ]


def forget(connection: sqlite3.Connection, worker_id: str) -> None:
    """Delete a worker and what was asked of it."""
    connection.execute("DELETE FROM followed WHERE InstanceID = ?", (worker_id,))
    connection.execute("DELETE FROM workers WHERE InstanceID = ?", (worker_id,))


def _following(connection: sqlite3.Connection, worker_id: str, beat: str) -> tuple[str, ...]:
    return tuple(item_id for [item_id] in connection.execute(FOLLOWING, (worker_id, beat)))


def _missing(worker_id: str) -> ItemMissing:
    return ItemMissing(f"the table has no worker {worker_id}", hint="`pyanamo workers` lists them")
