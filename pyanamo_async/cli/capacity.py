"""`pyanamo table provision`, `on-demand`, `warm`, `autoscale` and `export-template`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from pyanamo_async import ScalingPolicy, Table
from pyanamo_async.cli.console import note, say, say_json
from pyanamo_async.cli.flags import duration
from pyanamo_async.cli.listing import Column, rows_of, say_table
from pyanamo_async.cli.options import JsonOption, on_table
from pyanamo_async.core.text.durations import show_duration
from pyanamo_async.core.text.yaml import to_yaml

SWITCHES = "DynamoDB lets a table be switched to on demand at most four times in 24 hours"
CAPACITY_COLUMNS = (
    Column("part", show=lambda part: part.index or "table"),
    Column("reads/s", rank=1, right=True, show=lambda part: str(part.provisioned.read or "")),
    Column("writes/s", rank=2, right=True, show=lambda part: str(part.provisioned.write or "")),
    Column("warm reads/s", rank=4, right=True, show=lambda part: str(part.warm.read or "")),
    Column("warm writes/s", rank=3, right=True, show=lambda part: str(part.warm.write or "")),
)
SCALING_COLUMNS = (
    Column("policy", show=lambda policy: policy.name),
    Column("min", rank=1, right=True, show=lambda policy: str(policy.min_capacity)),
    Column("max", rank=2, right=True, show=lambda policy: str(policy.max_capacity)),
    Column("target", rank=3, right=True, show=lambda policy: f"{policy.target_percent:g}%"),
    Column("in cooldown", rank=5, right=True, show=lambda policy: show_duration(policy.in_cooldown)),
    Column("out cooldown", rank=4, right=True, show=lambda policy: show_duration(policy.out_cooldown)),
)


@on_table
async def provision(
    table: Table,
    *,
    read: Annotated[int, typer.Option("--read", metavar="N", help="Read units per second.")],
    write: Annotated[int, typer.Option("--write", metavar="N", help="Write units per second.")],
) -> None:
    """Provision units per second for a DynamoDB table, and as many for each of its indexes.

    From then on the table is billed for them, used or not.
    """
    await _show_change(table, changed=await table.provision(read=read, write=write))


@on_table
async def on_demand(table: Table) -> None:
    """Bill a DynamoDB table by request; DynamoDB allows this at most four times in 24 hours."""
    changed = await table.bill_on_demand()
    if changed:
        note(SWITCHES)
    await _show_change(table, changed=changed)


@on_table
async def warm(
    table: Table,
    *,
    write: Annotated[int, typer.Option("--write", metavar="N", help="Write units per second.")] = 0,
    read: Annotated[int, typer.Option("--read", metavar="N", help="Read units per second.")] = 0,
) -> None:
    """Prepare a DynamoDB table and its indexes for this much load, before a large run.

    DynamoDB charges for the increase once, and never lowers it.
    """
    await _show_change(table, changed=await table.warm(read=read, write=write))


@on_table
async def autoscale(
    table: Table,
    *,
    max_capacity: Annotated[int, typer.Option("--max", metavar="N", help="The most units to provision.")],
    min_capacity: Annotated[int, typer.Option("--min", metavar="N", help="The fewest units to provision.")] = 1,
    target: Annotated[
        float,
        typer.Option(
            "--target", metavar="PERCENT", help="How much of the provisioned units should be in use: 20 to 90."
        ),
    ] = 70,
    in_cooldown: Annotated[
        timedelta,
        typer.Option(
            "--in-cooldown", parser=duration, metavar="DURATION", help="How long to wait after units were removed."
        ),
    ] = "60s",  # type: ignore[assignment]  # parsed as any other text
    out_cooldown: Annotated[
        timedelta,
        typer.Option(
            "--out-cooldown", parser=duration, metavar="DURATION", help="How long to wait after units were added."
        ),
    ] = "60s",  # type: ignore[assignment]  # as above
    json: JsonOption = False,
) -> None:
    """Let AWS scale the reads and writes that are provisioned for a DynamoDB table and each of its indexes.

    It shows the policies that are registered afterwards. Repeat it to change them.
    """
    registered = await table.autoscale(
        min_capacity=min_capacity,
        max_capacity=max_capacity,
        target=target,
        in_cooldown=in_cooldown,
        out_cooldown=out_cooldown,
    )
    if json:
        say_json([_policy_json(each) for each in registered])
    else:
        await say_table(SCALING_COLUMNS, rows_of(SCALING_COLUMNS, registered))


@on_table
async def export_template(
    table: Table, *, json: Annotated[bool, typer.Option("--json", help="Print JSON instead of YAML.")] = False
) -> None:
    """Print a DynamoDB table as a template of CloudFormation: keys, indexes, billing, tags and protection."""
    template = await table.cloudformation_template()
    if json:
        say_json(template)
    else:
        for line in to_yaml(template).splitlines():
            say(line)


async def _show_change(table: Table, *, changed: bool) -> None:
    seen = await table.capacity()
    billing = "on demand" if seen.on_demand else "by provisioned capacity"
    note(f"table {seen.table} is billed {billing}" + ("" if changed else "; nothing was changed"))
    if seen.is_changing:
        note("DynamoDB carries the change out within minutes; meanwhile the table can be used")
    await say_table(CAPACITY_COLUMNS, rows_of(CAPACITY_COLUMNS, seen.parts))


def _policy_json(policy: ScalingPolicy) -> dict[str, object]:
    return {
        "policy": policy.name,
        "index": policy.index or None,
        "operation": str(policy.operation),
        "min": policy.min_capacity,
        "max": policy.max_capacity,
        "target_percent": policy.target_percent,
        "in_cooldown_seconds": policy.in_cooldown.total_seconds(),
        "out_cooldown_seconds": policy.out_cooldown.total_seconds(),
    }
