"""Read what a container is asked to do, from its arguments and its environment, and decide what its worker gets.

1. What the job definition says wins over what set-up scripts say, except for `PATH`, which they may extend.
2. Set-up scripts do not change `AWS_*`, `LD_*` and `PYANAMO_*`: where credentials, code and items come from.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from pyanamo_async.core.names import did_you_mean
from pyanamo_async.core.text.durations import parse_duration
from pyanamo_async.core.values import Value
from pyanamo_async.entrypoint.time_limit import VARIABLE as TIMEOUT
from pyanamo_async.errors import UsageError

CHECK = "--check"
S3 = "s3://"
SQLITE, FOLDER = "sqlite:", "file:"
SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_S3_OBJECT = re.compile(
    r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{2,254})/(?P<key>.+?)(?:\?versionId=(?P<version>.+))?"
)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
DEFAULT_LIMIT = timedelta(hours=1)  # a set-up may fetch much; what takes longer belongs into the image, or a task
DEFAULT_TMPDIR = "/tmp"  # noqa: S108 - where the environment names none, as POSIX has it
PROTECTED = ("AWS_", "LD_", "PYANAMO_")
EXTENDED = {"PATH"}
OF_SHELLS = {"_", "SHLVL", "PWD", "OLDPWD", "BASHOPTS", "SHELLOPTS", "BASH_ENV", "ENV"}
PREFIX = "PYANAMO_"
OWN = ("PYANAMO_SCRIPTS", "PYANAMO_SCRIPTS_SHA256", "PYANAMO_SETUP", "PYANAMO_SETUP_TIMEOUT", "PYANAMO_WORKDIR")


class Scripts(Value):
    """Where an archive of scripts is: in a bucket, or else a file at `path`; `sha256` is "" where none was given."""

    address: str
    bucket: str = ""
    key: str = ""
    version: str = ""
    path: str = ""
    sha256: str = ""

    @property
    def is_pinned(self) -> bool:
        """Return whether it cannot be another archive than the one that was meant."""
        return bool(self.sha256 or self.version or self.path)


class Request(Value):
    """What a container is asked to do: a `command`, or, without one, a worker with these `flags`.

    All that comes before may take as long as `limit`.
    """

    scripts: Scripts | None = None
    command: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    check: bool = False
    limit: timedelta = DEFAULT_LIMIT


def read_request(arguments: Sequence[str], environment: Mapping[str, str]) -> Request:
    """Return what is asked for.

    A first argument that is an `s3://` address or ends like an archive names the scripts, and outranks
    `PYANAMO_SCRIPTS`. Behind it stand flags of `pyanamo run`, or a command to run in place of the worker.

    Raises:
        UsageError: the address, its checksum or the time limit is none, or there is a checksum of nothing.
    """
    words = list(arguments)
    check = words[:1] == [CHECK]
    if check:
        words.pop(0)
    address = environment.get("PYANAMO_SCRIPTS", "")
    if words and (words[0].startswith(S3) or (words[0].endswith(SUFFIXES) and not words[0].startswith("-"))):
        address = words.pop(0)
    if not check and words[:1] == [CHECK]:
        check = bool(words.pop(0))
    sha256 = environment.get("PYANAMO_SCRIPTS_SHA256", "").strip()
    if sha256 and not address:
        raise UsageError(
            "PYANAMO_SCRIPTS_SHA256 is set, and there are no scripts that it could be of",
            hint="PYANAMO_SCRIPTS names their archive, or a first argument does",
        )
    scripts = parse_scripts(address, sha256) if address else None
    flags = words if not words or words[0].startswith("-") else []
    limit = _limit(environment.get(TIMEOUT, ""))
    return Request(scripts, () if flags else tuple(words), tuple(flags), check, limit)


def _limit(text: str) -> timedelta:
    try:
        limit = parse_duration(text) if text else DEFAULT_LIMIT
    except ValueError as error:
        raise UsageError(f"{TIMEOUT}: {error}", hint="write it like 30m or 2h") from None
    if not limit:
        raise UsageError(f"{TIMEOUT} is {text}: no set-up ends at once", hint="write it like 30m or 2h")
    return limit


def parse_scripts(address: str, sha256: str) -> Scripts:
    """Parse the address of an archive.

    Raises:
        UsageError: it is none, or the checksum is none.
    """
    sha256 = sha256.lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        raise UsageError(
            "PYANAMO_SCRIPTS_SHA256 is no SHA-256", hint="it has 64 hexadecimal digits, as sha256sum prints"
        )
    if found := _S3_OBJECT.fullmatch(address):
        return Scripts(address, found["bucket"], found["key"], found["version"] or "", sha256=sha256)
    if "://" in address:
        raise UsageError(
            f"PYANAMO_SCRIPTS {address} is no address of an archive",
            hint="write s3://bucket/key, s3://bucket/key?versionId=ID, or the path of a file",
        )
    return Scripts(address, path=address.removeprefix(FOLDER), sha256=sha256)


def missing(environment: Mapping[str, str]) -> list[str]:
    """Name the variables without which no worker can start."""
    table = environment.get("PYANAMO_TABLE", "")
    names = [] if table else ["PYANAMO_TABLE"]
    if not table.startswith((SQLITE, "memory:")) and not environment.get("S3_BUCKET"):
        names.append("S3_BUCKET")
    return names


def table_name(table: str) -> str:
    """Return what a table is called in names of files: a SQLite file without folder and suffix."""
    name = table.removeprefix(SQLITE).rstrip("/").rsplit("/", 1)[-1]
    if table.startswith(SQLITE):
        name = name.rsplit(".", 1)[0] or name
    name = _UNSAFE.sub("_", name)
    return name if name.strip(".") else "table"


def work_folder(environment: Mapping[str, str]) -> str:
    """Return the folder in which tasks run."""
    default = f"{environment.get('TMPDIR') or DEFAULT_TMPDIR}/{table_name(environment.get('PYANAMO_TABLE', ''))}"
    return environment.get("PYANAMO_WORKDIR") or default


class Merged(Value):
    """The environment of the worker; `protected` and `kept` are the names that set-up scripts could not change."""

    environment: dict[str, str]
    protected: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def merge(job: Mapping[str, str], given: Mapping[str, str], after: Mapping[str, str]) -> Merged:
    """Return the environment after the set-up.

    `job` is the environment of the container, `given` what set-up scripts began with, `after` what they left.
    """
    environment, protected, kept = dict(given), [], []
    for name in sorted(OF_SHELLS | given.keys() | after.keys()):
        before, now = given.get(name), after.get(name)
        if name in OF_SHELLS or now == before:
            continue
        if name.startswith(PROTECTED):
            protected.append(name)
        elif name in job and name not in EXTENDED:
            kept.append(name)
        elif now is None:
            del environment[name]
        else:
            environment[name] = now
    return Merged(environment, tuple(protected), tuple(kept))


def unknown(environment: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    """Return the variables that begin with `PYANAMO_` and have no meaning, each with what may be meant, or ""."""
    names = {name.removeprefix(PREFIX).casefold(): name for name in known}
    return {
        name: did_you_mean(name.removeprefix(PREFIX), names).rstrip()
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known
    }
