"""Options that several commands share, and the table that they open."""

from __future__ import annotations

import inspect
import os
import shlex
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial, wraps
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from pyanamo_async import Table, UsageError, open_table
from pyanamo_async.app.settings import DEFAULT_KEY, DEFAULT_TABLE, DEFAULT_UMASK
from pyanamo_async.cli.completing import complete_items
from pyanamo_async.cli.flags import umask as parse_umask
from pyanamo_async.cli.run_async import with_tables
from pyanamo_async.core.text.durations import show_duration

TABLE_VARIABLE = "PYANAMO_TABLE"
TableOption = Annotated[
    str,
    typer.Option("-t", "--table", envvar=TABLE_VARIABLE, metavar="TABLE", help="A DynamoDB table, or sqlite:PATH."),
]
TablesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TABLE]...", help="DynamoDB tables, or sqlite:PATH.", show_default=False),
]
TablesOption = Annotated[
    list[str] | None,
    typer.Option(
        "-t",
        "--table",
        metavar="TABLE",
        help=f"The same as TABLE. [default: ${TABLE_VARIABLE}, or {DEFAULT_TABLE}]",
        show_default=False,
    ),
]
BucketOption = Annotated[
    str | None,
    typer.Option(
        "-b",
        "--bucket",
        envvar="S3_BUCKET",
        metavar="BUCKET",
        help="Where output goes: a bucket, s3://bucket/prefix, or file:DIR. The default of a SQLite table is "
        "the folder pyanamo-logs beside it; there is none for a DynamoDB table.",
    ),
]
KeyOption = Annotated[
    str,
    typer.Option("-k", "--bucket-key", envvar="PYANAMO_BUCKET_KEY", metavar="KEY", help="The path below the bucket."),
]
RegionOption = Annotated[
    str | None,
    typer.Option(
        "-r", "--region", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], metavar="REGION", help="The AWS region."
    ),
]
UmaskOption = Annotated[
    int | None,
    typer.Option(
        "--umask",
        envvar="PYANAMO_UMASK",
        metavar="MASK",
        parser=parse_umask,
        help="Permissions that new files and folders do not get: 022 lets others read, 007 lets a group write, inherit "
        "takes the umask of this shell.",
    ),
]
ItemArgument = Annotated[str, typer.Argument(metavar="ITEM", help="An itemID.", autocompletion=complete_items)]
SampleOption = Annotated[str | None, typer.Option("--sample", metavar="TASKID", help="Only items of this TaskID.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

FILES = {"file", "from_file", "input_file"}  # options whose value may be any bytes

T = TypeVar("T")
Command = Callable[..., Awaitable[None] | None]


def _open(
    table: TableOption = DEFAULT_TABLE,
    bucket: BucketOption = None,
    bucket_key: KeyOption = DEFAULT_KEY,
    region: RegionOption = None,
) -> Table:
    return open_table(table, bucket=bucket, bucket_key=bucket_key, region=region)


def _open_several(
    arguments: TablesArgument = None,
    options: TablesOption = None,
    bucket: BucketOption = None,
    bucket_key: KeyOption = DEFAULT_KEY,
    region: RegionOption = None,
) -> list[Table]:
    return _all_of(arguments, options, bucket=bucket, bucket_key=bucket_key, region=region)


def _all_of(arguments: list[str] | None, options: list[str] | None, **settings: Any) -> list[Table]:  # noqa: ANN401 - of `open_table`
    names = dict.fromkeys((*(arguments or ()), *(options or ())))
    chosen = names or [os.environ.get(TABLE_VARIABLE) or DEFAULT_TABLE]
    return [open_table(each, **settings) for each in chosen]


def _refuse_bytes(options: Mapping[str, object]) -> None:
    """Refuse what is not UTF-8, except as the name of a file.

    Raises:
        UsageError: there is such an option.
    """
    for name, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and name not in FILES and each != each.encode(errors="replace").decode():
                raise UsageError(f"the argument {each!r} is not UTF-8", hint="names of tables and items are text")


def flag_of(address: str) -> str:
    """Return the flag that names a table, after a space; empty for the table that is the default."""
    return "" if address == os.environ.get(TABLE_VARIABLE, DEFAULT_TABLE) else f" -t {shlex.quote(address)}"


def _open_to_create(
    table: TableOption = DEFAULT_TABLE,
    bucket: BucketOption = None,
    bucket_key: KeyOption = DEFAULT_KEY,
    region: RegionOption = None,
    umask: UmaskOption = f"{DEFAULT_UMASK:03o}",  # type: ignore[assignment]  # parsed as any other text
) -> Table:
    return open_table(table, bucket=bucket, bucket_key=bucket_key, region=region, umask=umask)


def on_table(command: Command) -> Command:
    """Give a command, after its own options, those that say where table and output are, and pass it the `table`.

    If the command is a coroutine, it is run to its end, and the table is closed.
    """
    return _passing("table", _open, _run_to_its_end(command))


def on_tables(command: Command) -> Command:
    """Do as `on_table`, for a command that takes any number of `tables`."""
    return _passing("tables", _open_several, _run_to_its_end(command))


def on_new_files(command: Command) -> Command:
    """Do as `on_table`, for a command that makes a table or output: with an option for their permissions."""
    return _passing("table", _open_to_create, _run_to_its_end(command))


def _run_to_its_end(command: Command) -> Command:
    @wraps(command)
    def run(**options: Any) -> None:  # noqa: ANN401 - typer passes what the signature says
        running = command(**options)
        if running is not None:
            with_tables(options["tables"] if "tables" in options else [options["table"]], lambda _: running)

    return run


def takes(argument: str, make: Callable[..., object]) -> Callable[[Command], Command]:
    """Give a command the options of `make`, before its own, and pass it what `make` returns."""
    return partial(_passing, argument, make, comes_first=True)


def settings(kind: Callable[..., T], flags: Mapping[str, Any]) -> Callable[..., T]:
    """Return `kind` as a function of flags: one for each of these fields, with its type, and its default as text."""
    types, fields = get_type_hints(kind), inspect.signature(kind).parameters

    def make(**given: object) -> T:
        return kind(**{name: value for name, value in given.items() if value is not None})

    make.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=_as_typed(fields[name].default, flag),
                annotation=Annotated[str if flag.parser else types[name], flag],
            )
            for name, flag in flags.items()
        ]
    )
    return make


def _as_typed(default: object, flag: Any) -> object:  # noqa: ANN401 - typer's
    """Return a default as a person would type it; None for one that is made anew for each value."""
    match default:
        case timedelta():
            return show_duration(default)
        case int() if flag.parser:
            return str(default)
        case None | int() | str():
            return default
    return None


def _passing(argument: str, make: Callable[..., object], command: Command, *, comes_first: bool = False) -> Command:
    shared = inspect.signature(make, eval_str=True).parameters
    own = [each for name, each in inspect.signature(command, eval_str=True).parameters.items() if name != argument]

    def with_options(**options: Any) -> Awaitable[None] | None:  # noqa: ANN401 - typer passes what the signature says
        _refuse_bytes(options)
        taken = {name: options.pop(name) for name in shared}
        return command(**{argument: make(**taken)}, **options)

    with_options.__name__ = command.__name__
    with_options.__doc__ = command.__doc__
    ordered = (*shared.values(), *own) if comes_first else (*own, *shared.values())
    keyword_only = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in ordered]
    with_options.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]  # typer reads it
    return with_options


def command_line(words: str, address: str, item_id: str = "") -> str:
    """Return a command of this program as a person may type it here, on the table of this address."""
    item = f"{' --' if item_id.startswith('-') else ''} {shlex.quote(item_id)}" if item_id else ""
    return f"pyanamo {words}{flag_of(address)}{item}"
