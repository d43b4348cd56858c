"""A table in an SQLite file: durable, shared by the worker processes of one machine."""

from pyanamo_async.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
