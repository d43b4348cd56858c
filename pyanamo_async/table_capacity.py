"""What a DynamoDB table takes, and how it is written as a template.

Every method is thin: what it does is in `operate/`, which is imported when it is first used.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pyanamo_async.ports import Capacity, CapacityAdmin, ScalingPolicy, Throughput
from pyanamo_async.table_editor import TableEditor

ONE_MINUTE = timedelta(minutes=1)


class TableCapacity(TableEditor):
    """One table of items, and what it takes if it is on DynamoDB.

    All methods raise `UsageError` for a table that is not. DynamoDB carries changes out within minutes, during which
    the table works; until then further ones raise `Unavailable`.
    """

    async def capacity(self) -> Capacity:
        """Describe what the table and its indexes take, in units a second."""
        return await (await self._capacity()).describe()

    async def provision(self, *, read: int, write: int) -> bool:
        """Provision units a second for the table, and as many for each index; return False when nothing changes.

        A table that was billed on demand is billed by what is provisioned from now on.

        Raises:
            UsageError: a number is below 1.
        """
        from pyanamo_async.operate import capacity

        return await capacity.provision(await self._capacity(), Throughput(read, write))

    async def bill_on_demand(self) -> bool:
        """Let the table be billed by request; return False when it is so already.

        DynamoDB lets a table be switched to this four times in 24 hours.
        """
        from pyanamo_async.operate import capacity

        return await capacity.bill_on_demand(await self._capacity())

    async def warm(self, *, read: int = 0, write: int = 0) -> bool:
        """Let the table and each index take so many units a second at once; return False when they do already.

        The increase is charged once, by DynamoDB's price for warm throughput; nothing lowers it again.

        Raises:
            UsageError: neither is given.
        """
        from pyanamo_async.operate import capacity

        return await capacity.warm(await self._capacity(), Throughput(read, write))

    async def autoscale(
        self,
        *,
        min_capacity: int = 1,
        max_capacity: int,
        target: float = 70,
        in_cooldown: timedelta = ONE_MINUTE,
        out_cooldown: timedelta = ONE_MINUTE,
    ) -> list[ScalingPolicy]:
        """Let Application Auto Scaling provision reads and writes, of the table and of each index; return how.

        The units stay between the two numbers, such that `target` percent of them (20 to 90) are in use. After it took
        units away or added some, it waits for a cooldown. Policies of ours that are registered are brought in line.

        Raises:
            UsageError: a number is out of range, the table is billed on demand, or another policy scales it.
        """
        from pyanamo_async.operate import capacity

        wanted = capacity.ScalingSettings(min_capacity, max_capacity, target, in_cooldown, out_cooldown)
        return await capacity.autoscale(await self._capacity(), wanted)

    async def cloudformation_template(self) -> dict[str, Any]:
        """Return the table as a template of CloudFormation: its keys, indexes, billing, tags and protection.

        Its items, the row that `create` adds, and what scales it are no part of that.
        """
        return await (await self._capacity()).template()

    async def _capacity(self) -> CapacityAdmin:
        admin = await self._resources.capacity()
        await self.describe()  # nobody pays for a table that is not one of ours
        return admin
