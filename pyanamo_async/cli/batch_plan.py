"""A plan of workers on AWS Batch, as people and programs read it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from pyanamo_async import BatchPlan
from pyanamo_async.cli.console import note, say_json
from pyanamo_async.core.text.plural import plural


def show_plan(plan: BatchPlan, *, json: bool) -> None:
    """Show what would be submitted."""
    if json:
        say_json({"dry_run": True, **plan_json(plan)})
        return
    first = plan.orders[0]
    sizes = " + ".join(f"{order.size:,}" for order in plan.orders)
    split = f" ({sizes})" if len(plan.orders) > 1 else ""
    note(f"{plan.jobs:,} job{'s' * (plan.jobs > 1)}{split} of {first.definition} in {first.queue}, called {first.name}")
    if plan.because:
        note(f"  for {plan.because}")
    if share := next((each.share for each in plan.all_orders if each.share), ""):
        note(f"  share identifier {share}")
    if plan.last_attempts:
        lost = plural(plan.last_attempts_after, "time")
        note(f"  and 1 job in {plan.last_attempts.queue}, for items that lost their machine {lost}")
    for what, values in (("with", first.environment), ("tagged", first.tags)):
        if values:
            note(f"  {what} {_assigned(values)}")


def _assigned(values: Mapping[str, str]) -> str:
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in values.items())


def plan_json(plan: BatchPlan) -> dict[str, object]:
    """Return a plan for JSON."""
    first = plan.orders[0]
    return {
        "jobs": plan.jobs,
        "sizes": [order.size for order in plan.orders],
        "because": plan.because,
        "name": first.name,
        "queue": first.queue,
        "definition": first.definition,
        "share": first.share or None,
        "last_attempts": plan.last_attempts
        and {
            "queue": plan.last_attempts.queue,
            "after": plan.last_attempts_after,
            "environment": dict(plan.last_attempts.environment),
        },
        "environment": dict(first.environment),
        "tags": dict(first.tags),
    }
