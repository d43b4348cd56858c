"""Machines as AWS sells them: how much memory goes with how many CPUs.

Sources: "Amazon EC2 Instance Types", current generations of the families c, m and r (such as c7i, m7i, r7i); "Amazon
ECS task definition parameters for Fargate", task size. A CPU is a vCPU, and GB are GiB, as AWS counts them.
"""

from __future__ import annotations

from pyanamo_async.core.text.byte_sizes import GIB
from pyanamo_async.core.values import Value

PER_CPU = ((2, "c"), (4, "m"), (8, "r"))  # GB for each CPU, and the family
SIZES = {
    2: "large",
    4: "xlarge",
    8: "2xlarge",
    16: "4xlarge",
    32: "8xlarge",
    48: "12xlarge",
    64: "16xlarge",
    96: "24xlarge",
}
FARGATE = ((1, 2, 8, 1), (2, 4, 16, 1), (4, 8, 30, 1), (8, 16, 60, 4), (16, 32, 120, 8))  # CPUs; GB from, to, step


class Machine(Value):
    """CPUs and whole GB of memory; `name` is what such an instance is called, empty on Fargate."""

    cpus: int
    gigabytes: int
    name: str = ""


def smallest_instance(cpus: float, memory_bytes: float) -> Machine | None:
    """Return the instance with the fewest CPUs, then with the least memory, that has both; None for none."""
    fitting = (
        Machine(size, size * per_cpu, f"{family} {name}")
        for size, name in SIZES.items()
        for per_cpu, family in PER_CPU
        if size >= cpus and size * per_cpu * GIB >= memory_bytes
    )
    return next(fitting, None)


def smallest_fargate(cpus: float, memory_bytes: float) -> Machine | None:
    """Return the task size of Fargate that has both, with the fewest CPUs, then the least memory; None for none."""
    fitting = (
        Machine(size, gigabytes)
        for size, least, most, step in FARGATE
        for gigabytes in range(least, most + 1, step)
        if size >= cpus and gigabytes * GIB >= memory_bytes
    )
    return next(fitting, None)
