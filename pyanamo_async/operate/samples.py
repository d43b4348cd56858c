"""Find out how the samples of a table are: memory grows with the number of samples, not with that of items."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pyanamo_async.core.items import Summary
from pyanamo_async.core.samples import NOTHING, SampleStep, with_item


async def samples_of(summaries: AsyncIterator[Summary]) -> dict[str, SampleStep]:
    """Return the items of each sample, counted."""
    found: dict[str, SampleStep] = {}
    async for each in summaries:
        found[each.sample] = with_item(found.get(each.sample, NOTHING), each.state)
    return found
