"""Options that several commands share, and how they become `Settings`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from pyanamo_async.app.settings import DEFAULT_KEY, DEFAULT_TABLE, Settings, settings
from pyanamo_async.core.items import State

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
        help="Where output goes: a bucket, s3://bucket/prefix, or file:DIR. With SQLite file:pyanamo-logs; "
        "with DynamoDB it must be given.",
    ),
]
KeyOption = Annotated[
    str,
    typer.Option("-k", "--bucket-key", envvar="PYANAMO_BUCKET_KEY", metavar="KEY", help="The path under the bucket."),
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


def _addresses(
    table: TableOption = DEFAULT_TABLE,
    bucket: BucketOption = None,
    bucket_key: KeyOption = DEFAULT_KEY,
    region: RegionOption = None,
) -> Settings:
    return settings(table=table, bucket=bucket, bucket_key=bucket_key, region=region)


def addressed(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of addresses, behind its own, and hand it the `Settings` they make."""
    shared = inspect.signature(_addresses, eval_str=True).parameters
    own = [each for name, each in inspect.signature(command, eval_str=True).parameters.items() if name != "given"]

    def with_addresses(**options: Any) -> None:  # noqa: ANN401 - typer passes what the signature says
        addresses = {name: options.pop(name) for name in shared}
        command(given=_addresses(**addresses), **options)

    with_addresses.__name__ = command.__name__
    with_addresses.__doc__ = command.__doc__
    keyword_only = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *shared.values())]
    with_addresses.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]  # typer reads it
    return with_addresses
