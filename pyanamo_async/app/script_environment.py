"""The environment of scripts: the worker's own, and what tells them where they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pyanamo_async.app.locations import SqliteTable, TableAddress
from pyanamo_async.app.settings import Settings
from pyanamo_async.aws.credentials import without_credentials
from pyanamo_async.core.folders import VARIABLES
from pyanamo_async.host.liveness import WORKER_VARIABLE


def _everywhere(table: TableAddress) -> str:
    """Write an address so that it means the same in whatever folder a script goes to."""
    return str(SqliteTable(table.path.absolute()) if isinstance(table, SqliteTable) else table)


def script_environment(settings: Settings, worker_id: str) -> Mapping[str, str]:
    """Return the environment that all scripts of a worker have."""
    environ = os.environ if settings.running.task_credentials else without_credentials(os.environ)
    environ = {name: value for name, value in environ.items() if name not in VARIABLES.values()}  # of an outer task
    folder = {} if _is_here(environ.get("PWD", "")) else {"PWD": str(Path.cwd())}  # as a shell has it
    return {**environ, **folder, "PYANAMO_TABLE": _everywhere(settings.table), WORKER_VARIABLE: worker_id}


def _is_here(folder: str) -> bool:
    return Path(folder).is_absolute() and Path(folder).is_dir() and Path(folder).samefile(".")
