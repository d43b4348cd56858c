"""Run a script so many times with Parsl: `python on_parsl.py SLOTS SCRIPTS SCRIPT`; prints seconds and tasks.

Its high-throughput executor, with a pool of workers that has run a first script before the clock starts.
"""

import sys
import time

import parsl  # type: ignore[import-not-found]
from parsl.config import Config  # type: ignore[import-not-found]
from parsl.executors import HighThroughputExecutor  # type: ignore[import-not-found]
from parsl.providers import LocalProvider  # type: ignore[import-not-found]

A_CORE_FOR_MANY = 0.001


@parsl.bash_app  # type: ignore[untyped-decorator]
def run(script: str) -> str:
    return script


def main(slots: int, scripts: int, script: str) -> None:
    executor = HighThroughputExecutor(
        label="bench",
        address="127.0.0.1",
        max_workers_per_node=slots,
        cores_per_worker=A_CORE_FOR_MANY,
        provider=LocalProvider(init_blocks=1, max_blocks=1),
    )
    with parsl.load(Config(executors=[executor], strategy="none")):
        run("true").result()
        began = time.time()
        statuses = [future.result() for future in [run(script) for _ in range(scripts)]]
        seconds = time.time() - began
    print(seconds, statuses.count(0))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
