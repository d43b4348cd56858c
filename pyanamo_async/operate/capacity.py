"""Give a DynamoDB table capacity.

1. A table is looked at before it is changed: what is as it should be is not asked for again, because DynamoDB refuses
   it, and nothing is asked of a table that is still being changed.
2. The table and all its indexes get the same: every change of an item is written to both, and a throttled index
   throttles its table.
"""

from __future__ import annotations

from datetime import timedelta
from numbers import Real

from pyanamo_async.core.arguments import check_type
from pyanamo_async.core.values import Value
from pyanamo_async.errors import Unavailable, UsageError
from pyanamo_async.ports.capacity import Capacity, CapacityAdmin, Operation, ScalingPolicy, Throughput

TARGET_PERCENT = range(20, 91)  # what DynamoDB takes: "Managing throughput capacity automatically" in its guide
SUFFIXES = {Operation.WRITE: "_Write_Capacity_Scaling", Operation.READ: "_Read_Capacity_Scaling"}
SECOND = timedelta(seconds=1)


class ScalingSettings(Value):
    """How a table is to be scaled: between two numbers of units, such that a share of them is in use."""

    min_capacity: int
    max_capacity: int
    target_percent: float
    in_cooldown: timedelta
    out_cooldown: timedelta


async def provision(admin: CapacityAdmin, wanted: Throughput) -> bool:
    """Provision these units for the table and each index; return whether anything had to be changed.

    Raises:
        UsageError: there are none.
        Unavailable: an earlier change is still being carried out.
    """
    _check_units(wanted, at_least=1)
    seen = await _unchanging(admin)
    differing = [each.index for each in seen.parts if seen.on_demand or each.provisioned != wanted]
    if differing:
        await admin.change(on_demand=False if seen.on_demand else None, provisioned=dict.fromkeys(differing, wanted))
    return bool(differing)


async def bill_on_demand(admin: CapacityAdmin) -> bool:
    """Let the table be billed by request; return whether it had to be changed.

    Raises:
        Unavailable: an earlier change is still being carried out.
    """
    seen = await _unchanging(admin)
    if not seen.on_demand:
        await admin.change(on_demand=True)
    return not seen.on_demand


async def warm(admin: CapacityAdmin, wanted: Throughput) -> bool:
    """Let the table and each index take so much at once; return whether anything had to be changed.

    What takes more already is left as it is: DynamoDB never lowers it.

    Raises:
        UsageError: neither reads nor writes are asked for.
        Unavailable: an earlier change is still being carried out.
    """
    _check_units(wanted, at_least=0)
    if wanted == Throughput():
        raise UsageError("neither `read` nor `write` is given", hint="give at least one of them")
    lacking = {}
    for part in (await _unchanging(admin)).parts:
        more = Throughput(
            wanted.read if wanted.read > part.warm.read else 0, wanted.write if wanted.write > part.warm.write else 0
        )
        if more != Throughput():
            lacking[part.index] = more
    if lacking:
        await admin.change(warm=lacking)
    return bool(lacking)


async def autoscale(admin: CapacityAdmin, wanted: ScalingSettings) -> list[ScalingPolicy]:
    """Scale the reads and the writes of the table and of each index; return what is registered then.

    Raises:
        UsageError: a number is out of range, the table is billed on demand, or a policy of another name scales it.
    """
    _check(wanted)
    seen = await admin.describe()
    if seen.on_demand:
        hint = "provision it first, with `pyanamo table provision`"
        raise UsageError(f"table {seen.table} is billed on demand, which scales by itself", hint=hint)
    policies = [
        ScalingPolicy(
            name=policy_name(seen.table, part.index, operation),
            index=part.index,
            operation=operation,
            min_capacity=wanted.min_capacity,
            max_capacity=wanted.max_capacity,
            target_percent=wanted.target_percent,
            in_cooldown=wanted.in_cooldown,
            out_cooldown=wanted.out_cooldown,
        )
        for part in seen.parts
        for operation in Operation
    ]
    registered = await admin.scaling()
    _refuse_others(seen.table, policies, registered)
    for policy in policies:
        if policy not in registered:
            await admin.scale(policy)
    return await admin.scaling()


def policy_name(table: str, index: str, operation: Operation) -> str:
    """Return the name of a scaling policy, as the original PyAnamo has it."""
    return f"{table}{f'_{index}' if index else ''}{SUFFIXES[operation]}"


async def _unchanging(admin: CapacityAdmin) -> Capacity:
    seen = await admin.describe()
    if seen.is_changing:
        hint = "wait for it, which takes minutes; the table works on meanwhile"
        raise Unavailable(f"table {seen.table} is still being changed", hint=hint)
    return seen


def _check_units(wanted: Throughput, *, at_least: int) -> None:
    for name, units in (("read", wanted.read), ("write", wanted.write)):
        check_type(name, units, int)
        if units < at_least:
            raise UsageError(f"`{name}` is {units}", hint="give 1 or more")


def _check(wanted: ScalingSettings) -> None:
    check_type("min_capacity", wanted.min_capacity, int)
    check_type("max_capacity", wanted.max_capacity, int)
    check_type("target", wanted.target_percent, Real)
    if wanted.min_capacity < 1:
        raise UsageError(f"`min_capacity` is {wanted.min_capacity}", hint="give 1 or more")
    if wanted.max_capacity < wanted.min_capacity:
        hint = f"give {wanted.min_capacity} or more"
        raise UsageError(f"`max_capacity` is {wanted.max_capacity}, less than `min_capacity`", hint=hint)
    if not TARGET_PERCENT[0] <= wanted.target_percent <= TARGET_PERCENT[-1]:
        raise UsageError(
            f"`target` is {wanted.target_percent:g} percent",
            hint=f"DynamoDB takes {TARGET_PERCENT[0]} to {TARGET_PERCENT[-1]}",
        )
    for name, cooldown in (("in_cooldown", wanted.in_cooldown), ("out_cooldown", wanted.out_cooldown)):
        check_type(name, cooldown, timedelta)
        if cooldown < timedelta() or cooldown % SECOND:
            raise UsageError(f"`{name}` is {cooldown.total_seconds():g} s", hint="give whole seconds, 0 or more")


def _refuse_others(table: str, policies: list[ScalingPolicy], registered: list[ScalingPolicy]) -> None:
    """Refuse what Application Auto Scaling would: two policies that track the same."""
    ours = {(each.index, each.operation): each.name for each in policies}
    others = [each.name for each in registered if ours.get((each.index, each.operation), each.name) != each.name]
    if others:
        raise UsageError(
            f"table {table} is scaled already, by {', '.join(others)}",
            hint="delete that first: `aws application-autoscaling delete-scaling-policy`",
        )
