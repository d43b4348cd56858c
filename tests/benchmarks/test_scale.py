"""The flow behind `python -m benchmarks.scale`: it keeps every item, obeys every limit, and goes as real workers go."""

from __future__ import annotations

import math
import random

import pytest

from simulation.flow import Flow
from simulation.flow_plan import Limits, Plan, ceilings
from simulation.items import sleepers
from simulation.network import Client
from simulation.service import Bill, Service
from simulation.virtual_time import VirtualLoop, run
from simulation.workers import work, worker

TAIL = 0.02  # which everybody waits for


def events(plan: Plan, limits: Limits) -> tuple[float, Bill]:
    """Let the product's own workers do it, request by request: items a second without the last 2 %, and the bill."""

    async def main(loop: VirtualLoop) -> tuple[float, Bill]:
        rng = random.Random(1)
        service = Service(shards=plan.shards, rng=rng, capacity=limits.capacity, per_partition=limits.per_partition)
        service.seed(sleepers(round(plan.items), mean_s=plan.seconds, rng=rng))
        client = Client(service, rng)
        crews = [worker(loop, client, number, slots=plan.slots) for number in range(plan.workers)]
        await work(crews, within_s=1, rng=rng)
        return service.settling_rate(1 - TAIL), service.bill

    return run(main)


@pytest.mark.parametrize(
    ("shards", "capacity", "binding"), [(1, 120, "shards"), (16, 120, "table"), (4, 2000, "slots")]
)
def test_the_flow_goes_as_the_real_workers_go(shards: int, capacity: float, binding: str) -> None:
    """Within a tenth in items a second and in write units: by the hottest key, by the whole index, or by the slots."""
    plan = Plan(workers=24, shards=shards, seconds=1.0, items=1000, slots=4)
    limits = Limits(capacity, capacity / 4, capacity, doubling_s=math.inf, split_s=math.inf)

    rate, bill = events(plan, limits)
    course = Flow(plan, limits).run(longest_s=3600)

    assert (bill.throttled > 100) == (binding != "slots")
    assert course.rate == pytest.approx(rate, rel=0.1)
    assert course.writes == pytest.approx(bill.writes + 2 * plan.items, rel=0.1)
    looks = 2 * 3 * shards / 2 * plan.workers  # before each goes home: twice at three queues, for half a unit a shard
    assert (bill.reads - looks) / plan.items < 2  # a throttled worker does not read again and again what it knows


@pytest.mark.parametrize("shards", [1, 4, 16, 64])
def test_no_item_is_lost_or_made_and_no_limit_broken(shards: int) -> None:
    """At every moment each item is in one place, and the index has given no more than it had."""
    plan = Plan(workers=2000, shards=shards, seconds=10.0, items=1e6)
    flow = Flow(plan)
    while flow.course.done < plan.items * 0.999:
        flow.run(longest_s=flow.course.seconds + 60)
        there = sum(flow.todo) + sum(flow.running) + sum(flow.ended)
        assert there + flow.course.done == pytest.approx(plan.items)
        assert min(*flow.todo, *flow.running, *flow.ended) > -1e-6
        assert flow.spare() > -1e-6


def test_shards_lift_the_ceiling_until_it_is_the_tables() -> None:
    """Each takes 500 items a second; from four on, a new table has less than they would take, and time lifts that."""
    rates = [Flow(Plan(3000, shards, 1.0)).run() for shards in (1, 4, 16, 64)]

    assert rates[0].rate == pytest.approx(500, rel=0.05)
    assert rates[1].rate > 2.5 * rates[0].rate
    assert rates[2].rate > 1.2 * rates[1].rate
    assert max(each.rate for each in rates[2:]) < 1.2 * min(each.rate for each in rates[2:])
    table = ceilings(rates[3].plan)["table"]
    assert rates[3].first_half_hour == pytest.approx(table, rel=0.1)
    assert rates[3].best > 4 * table


def test_few_workers_are_limited_by_their_slots_and_pay_by_the_item() -> None:
    """Eight write units an item, half a read unit, and the beats."""
    course = Flow(Plan(100, 16, 60.0)).run()

    assert course.rate == pytest.approx(100 * 8 / 60, rel=0.01)
    assert course.throttled_s == 0
    assert course.writes / course.plan.items == pytest.approx(8 + 3 * 60 / 8 / 20, rel=0.01)
    assert course.usd_per_million == pytest.approx(8 * 0.625 + 1.125 * 0.625, rel=0.03)


def test_heartbeats_of_ten_thousand_workers_fill_one_partition() -> None:
    """A fifth of all that a new table takes: more workers need a longer beat."""
    few, plural = ceilings(Plan(100, 64, 60.0)), ceilings(Plan(10_000, 64, 60.0))
    slower = ceilings(Plan(10_000, 64, 60.0, heartbeat_s=60))

    assert plural["table"] == pytest.approx(750)
    assert few["table"] == pytest.approx(997.5)
    assert slower["table"] > 900
