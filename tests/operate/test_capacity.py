"""What is asked of a table to give it capacity, with a fake at the port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from pyanamo_async.core.values import replace
from pyanamo_async.errors import Unavailable, UsageError
from pyanamo_async.operate.capacity import ScalingSettings, autoscale, bill_on_demand, provision, warm
from pyanamo_async.ports import Capacity, CapacityAdmin, Operation, PartCapacity, ScalingPolicy, Throughput

TEN = Throughput(10, 10)
ON_DEMAND = Capacity("step", on_demand=True, is_changing=False, parts=(PartCapacity(""), PartCapacity("QueueIndex")))
PROVISIONED = Capacity(
    "step", on_demand=False, is_changing=False, parts=(PartCapacity("", TEN), PartCapacity("QueueIndex", TEN))
)
MINUTE = timedelta(minutes=1)
SETTINGS = ScalingSettings(1, 100, 70, MINUTE, MINUTE)


@dataclass
class FakeAdmin(CapacityAdmin):
    """A table whose changes are written down, and policies that are kept."""

    seen: Capacity
    changes: list[dict[str, Any]] = field(default_factory=list)
    policies: dict[str, ScalingPolicy] = field(default_factory=dict)
    puts: int = 0

    async def describe(self) -> Capacity:
        return self.seen

    async def change(
        self,
        *,
        on_demand: bool | None = None,
        provisioned: Mapping[str, Throughput] | None = None,
        warm: Mapping[str, Throughput] | None = None,
    ) -> None:
        asked = {"on_demand": on_demand, "provisioned": provisioned, "warm": warm}
        self.changes.append({name: value for name, value in asked.items() if value is not None})

    async def scaling(self) -> list[ScalingPolicy]:
        return list(self.policies.values())

    async def scale(self, policy: ScalingPolicy) -> None:
        self.puts += 1
        self.policies[policy.name] = policy

    async def template(self) -> dict[str, Any]:
        return {}


async def test_only_what_differs_is_provisioned() -> None:
    """DynamoDB refuses the whole request for one number that is as it was."""
    more = Throughput(10, 20)
    admin = FakeAdmin(replace(PROVISIONED, parts=(PartCapacity("", TEN), PartCapacity("QueueIndex", more))))

    assert await provision(admin, more) is True
    assert admin.changes == [{"provisioned": {"": more}}]


async def test_what_is_so_already_is_not_asked_for() -> None:
    """Commands may stand in scripts."""
    admin = FakeAdmin(PROVISIONED)

    assert await provision(admin, TEN) is False
    assert await bill_on_demand(FakeAdmin(ON_DEMAND)) is False
    assert await warm(FakeAdmin(_warm(20, 20)), Throughput(5, 20)) is False
    assert admin.changes == []


async def test_a_table_on_demand_is_provisioned_with_all_its_indexes() -> None:
    """In one request, as DynamoDB wants it."""
    admin = FakeAdmin(ON_DEMAND)

    assert await provision(admin, TEN) is True
    assert admin.changes == [{"on_demand": False, "provisioned": {"": TEN, "QueueIndex": TEN}}]


async def test_a_provisioned_table_is_switched_to_on_demand() -> None:
    """Without naming any units."""
    admin = FakeAdmin(PROVISIONED)

    assert await bill_on_demand(admin) is True
    assert admin.changes == [{"on_demand": True}]


async def test_warm_throughput_is_only_raised() -> None:
    """What takes more than was asked for is left out: DynamoDB refuses less."""
    admin = FakeAdmin(_warm(12_000, 4_000))

    assert await warm(admin, Throughput(100, 20_000)) is True
    assert admin.changes == [{"warm": {"": Throughput(0, 20_000), "QueueIndex": Throughput(0, 20_000)}}]


@pytest.mark.parametrize("change", [provision, warm])
async def test_a_table_that_is_being_changed_is_left_alone(change: Any) -> None:  # noqa: ANN401 # either
    """The same command may succeed later."""
    admin = FakeAdmin(replace(PROVISIONED, is_changing=True))

    with pytest.raises(Unavailable, match="still being changed"):
        await change(admin, Throughput(30, 30))
    with pytest.raises(Unavailable, match="still being changed"):
        await bill_on_demand(admin)
    assert admin.changes == []


async def test_policies_have_the_names_of_the_original() -> None:
    """For the table and each index, of reads and of writes; those registered by the original are brought in line."""
    admin = FakeAdmin(PROVISIONED)

    registered = await autoscale(admin, SETTINGS)

    assert {(each.name, each.index, each.operation) for each in registered} == {
        ("step_Write_Capacity_Scaling", "", Operation.WRITE),
        ("step_Read_Capacity_Scaling", "", Operation.READ),
        ("step_QueueIndex_Write_Capacity_Scaling", "QueueIndex", Operation.WRITE),
        ("step_QueueIndex_Read_Capacity_Scaling", "QueueIndex", Operation.READ),
    }


async def test_scaling_again_changes_what_differs() -> None:
    """And nothing where nothing does."""
    admin = FakeAdmin(PROVISIONED)
    await autoscale(admin, SETTINGS)

    assert await autoscale(admin, SETTINGS) == list(admin.policies.values())
    assert admin.puts == 4
    again = await autoscale(admin, replace(SETTINGS, max_capacity=200))
    assert {each.max_capacity for each in again} == {200}


async def test_a_table_on_demand_is_not_scaled() -> None:
    """The refusal names the command that comes first."""
    with pytest.raises(UsageError, match="pyanamo table provision"):
        await autoscale(FakeAdmin(ON_DEMAND), SETTINGS)


async def test_a_policy_of_somebody_else_is_named() -> None:
    """Of one metric there can be only one policy."""
    admin = FakeAdmin(PROVISIONED)
    await autoscale(admin, SETTINGS)
    [first, *_] = admin.policies.values()
    admin.policies = {"theirs": replace(first, name="theirs")}

    with pytest.raises(UsageError, match="scaled already, by theirs"):
        await autoscale(admin, SETTINGS)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (replace(SETTINGS, min_capacity=0), "min_capacity"),
        (replace(SETTINGS, min_capacity=200), "max_capacity"),
        (replace(SETTINGS, target_percent=95), "target"),
        (replace(SETTINGS, in_cooldown=timedelta(seconds=-1)), "in_cooldown"),
        (replace(SETTINGS, out_cooldown=timedelta(milliseconds=1500)), "out_cooldown"),
        (replace(SETTINGS, max_capacity="100"), "max_capacity"),  # type: ignore[arg-type]
        (replace(SETTINGS, target_percent=float("nan")), "target"),
        (replace(SETTINGS, target_percent="70"), "target"),  # type: ignore[arg-type]
        (replace(SETTINGS, in_cooldown=60), "in_cooldown"),  # type: ignore[arg-type]
    ],
)
async def test_numbers_out_of_range_are_refused(settings: ScalingSettings, named: str) -> None:
    """Before anything is asked, by the name of the argument."""
    with pytest.raises(UsageError, match=f"`{named}`"):
        await autoscale(FakeAdmin(PROVISIONED), settings)


async def test_no_units_are_refused() -> None:
    """Neither provisioned nor warm."""
    with pytest.raises(UsageError, match="`write` is 0"):
        await provision(FakeAdmin(PROVISIONED), Throughput(1, 0))
    with pytest.raises(UsageError, match=r"`read` is 1\.5"):
        await provision(FakeAdmin(PROVISIONED), Throughput(1.5, 1))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="neither `read` nor `write`"):
        await warm(FakeAdmin(PROVISIONED), Throughput())


def _warm(read: int, write: int) -> Capacity:
    warm = Throughput(read, write)
    return replace(ON_DEMAND, parts=(PartCapacity("", warm=warm), PartCapacity("QueueIndex", warm=warm)))
