"""Options that several commands share, and the table that they open."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from pyanamo_async import State, Table, open_table
from pyanamo_async.app.settings import DEFAULT_KEY, DEFAULT_TABLE
from pyanamo_async.cli.run_async import with_table

TableOption = Annotated[
    str,
    typer.Option("-t", "--table", envvar="PYANAMO_TABLE", metavar="TABLE", help="A DynamoDB table, or sqlite:PATH."),
]
BucketOption = Annotated[
    str | None,
    typer.Option(
        "-b",
        "--bucket",
        envvar="S3_BUCKET",
        metavar="BUCKET",
        help="Where output goes: a bucket, s3://bucket/prefix, or file:DIR. The default is file:pyanamo-logs for a "
        "SQLite table; a DynamoDB table has none.",
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
ItemArgument = Annotated[str, typer.Argument(metavar="ITEM", help="An itemID.")]
StateOption = Annotated[State | None, typer.Option("-s", "--state", help="Only items in this state.")]
SampleOption = Annotated[str | None, typer.Option("--sample", metavar="TASKID", help="Only items of this TaskID.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _open(
    table: TableOption = DEFAULT_TABLE,
    bucket: BucketOption = None,
    bucket_key: KeyOption = DEFAULT_KEY,
    region: RegionOption = None,
) -> Table:
    return open_table(table, bucket=bucket, bucket_key=bucket_key, region=region)


def on_table(command: Callable[..., Awaitable[None] | None]) -> Callable[..., None]:
    """Give a command the options that say where table and output are, behind its own, and pass it the `table`.

    A coroutine runs to its end, and the table is closed.
    """
    shared = inspect.signature(_open, eval_str=True).parameters
    own = [each for name, each in inspect.signature(command, eval_str=True).parameters.items() if name != "table"]

    def with_options(**options: Any) -> None:  # noqa: ANN401 - typer passes what the signature says
        table = _open(**{name: options.pop(name) for name in shared})
        running = command(table=table, **options)
        if running is not None:
            with_table(table, lambda _: running)

    with_options.__name__ = command.__name__
    with_options.__doc__ = command.__doc__
    keyword_only = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *shared.values())]
    with_options.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]  # typer reads it
    return with_options
