"""The environment of scripts: the worker's own, and what tells them where they are.

Without credentials no variable that is passed on holds any, or leads AWS's tools to some: of a container, a role, a
profile, a file or the instance. This is no sandbox: a script runs as the worker's own user and can read what it can.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pyanamo_async.app.locations import SqliteTable, TableAddress
from pyanamo_async.app.settings import Settings
from pyanamo_async.core.folders import VARIABLES
from pyanamo_async.host.liveness import WORKER_VARIABLE

WITHHELD = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
    }
)
REPLACEMENTS = {
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


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


def without_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without credentials, in which AWS's tools find none by themselves.

    Source: "Standardized credential providers" in the AWS SDKs and Tools Reference Guide.
    """
    return {name: value for name, value in environ.items() if name not in WITHHELD} | REPLACEMENTS
