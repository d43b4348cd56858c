"""Work on a table of numbers in an SQLite file, for the tests of its engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from pyanamo_async.errors import Fenced

CREATE = "CREATE TABLE IF NOT EXISTS numbers (n INTEGER PRIMARY KEY)"


def insert(number: int) -> Callable[[sqlite3.Connection], int]:
    return lambda connection: connection.execute("INSERT INTO numbers VALUES (?)", (number,)).rowcount


def insert_and_break(number: int) -> Callable[[sqlite3.Connection], object]:
    def work(connection: sqlite3.Connection) -> None:
        insert(number)(connection)
        connection.execute("SELECT * FROM absent")

    return work


def refuse(_: sqlite3.Connection) -> None:
    raise Fenced("no longer as it was seen")


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [number for [number] in connection.execute("SELECT n FROM numbers ORDER BY n")]
