"""The program as people run it: real `pyanamo` processes in a folder of their own, and what they left in the table.

The table is read from outside, without any code of the program: with the stored names of its documentation.
"""

from __future__ import annotations

import ctypes
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from harness.servers.clients import client

ROOT = Path(__file__).parents[1]
PYANAMO = str(Path(sys.executable).with_name("pyanamo"))
SQLITE = "sqlite:"
SERVICE_IDS = {"logs": "CLOUDWATCH_LOGS"}  # as botocore spells them in variables, where they differ
PATIENCE_S = 300  # of whoever waits for a process: a hang ends, and a machine that is busy or slow is no failure
LOOK_EVERY_S = 0.1
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Program:
    """`pyanamo` with a table, a place for output, an environment, and a folder to stand in."""

    table: str
    bucket: str
    folder: Path
    env: Mapping[str, str]
    executable: str = PYANAMO

    def __call__(self, *args: str | Path, code: int = 0, wait_seconds: float = PATIENCE_S) -> str:
        """Run a command to its end, see that it exits with `code`, and return what it printed."""
        done = self.run(*args, wait_seconds=wait_seconds)
        assert done.returncode == code, f"{args} exited with {done.returncode}: {done.stderr[-3000:]}"
        return done.stdout

    def run(self, *args: str | Path, wait_seconds: float = PATIENCE_S, obeys_modes: bool = False) -> Done:
        """Run a command to its end; with `obeys_modes` file permissions bind it even when root runs the tests."""
        return subprocess.run(
            self.command(*args),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=wait_seconds,
            preexec_fn=_obey_modes if obeys_modes else None,  # two system calls, no locks
        )

    def start(self, *args: str | Path, stdout: int | None = None, stderr: int | None = None) -> subprocess.Popen[str]:
        """Start a command; what it says goes to the test's own output, or to these descriptors."""
        return subprocess.Popen(
            self.command(*args),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )

    def status(self) -> Row:
        """Ask for the counts."""
        [status] = json.loads(self("status", "--json"))
        assert isinstance(status, dict)
        return status

    def import_rows(self, *rows: str, header: str = "itemID|TaskID|TaskScript") -> None:
        """Import a task file of these rows."""
        file = self.folder / "items.txt"
        file.write_text("\n".join((header, *rows, "")))
        self("import", file)

    def rows(self) -> dict[str, Row]:
        """Read all items as they are stored, by id."""
        rows = _sqlite_rows(self.sqlite_file()) if self.table.startswith(SQLITE) else _dynamodb_rows(self)
        return {row["itemID"]: row for row in rows if not row["itemID"].startswith("#")}

    def client(self, service: str) -> Any:  # noqa: ANN401 # boto3 makes its clients at run time
        """Make a client of our own for what the program uses."""
        return client(service, self.env[f"AWS_ENDPOINT_URL_{SERVICE_IDS.get(service, service.upper())}"])

    def sqlite_file(self) -> Path:
        """Tell where the table's file is."""
        return self.folder / self.table.removeprefix(SQLITE)

    def command(self, *args: str | Path) -> list[str]:
        """Spell out a command line."""
        return [self.executable, *map(str, args)]


Done = subprocess.CompletedProcess[str]


def program(folder: Path, *, table: str, bucket: str, env: Mapping[str, str], executable: str = PYANAMO) -> Program:
    """Set up the program; of this process's environment it gets only what finding programs takes."""
    bare = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return Program(
        table=table,
        bucket=bucket,
        folder=folder,
        env={**bare, "HOME": str(folder), "PYANAMO_TABLE": table, "S3_BUCKET": bucket, "PYANAMO": str(ROOT), **env},
        executable=executable,
    )


def _sqlite_rows(file: Path) -> list[Row]:
    with sqlite3.connect(file) as connection:
        return [json.loads(row) for [row] in connection.execute("SELECT Row FROM items")]


def _dynamodb_rows(of: Program) -> list[Row]:
    client = of.client("dynamodb")
    plain = TypeDeserializer().deserialize
    pages = client.get_paginator("scan").paginate(TableName=of.table, ConsistentRead=True)
    return [{name: plain(value) for name, value in item.items()} for page in pages for item in page["Items"]]


def until(true: Callable[[], bool], *, within_seconds: float = PATIENCE_S) -> None:
    """Look until it is so: a process of somebody else has no way to notify us."""
    deadline = time.monotonic() + within_seconds
    while not true():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(LOOK_EVERY_S)


PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2


def _obey_modes() -> None:
    """Give up what lets root pass over permissions (capabilities(7)); for others there is nothing to give up."""
    libc = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
