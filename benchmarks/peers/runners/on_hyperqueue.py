"""Run a script so many times with HyperQueue: `python on_hyperqueue.py SLOTS SCRIPTS SCRIPT`; prints seconds and tasks.

Server and worker run before the clock starts. The API looks only once a second whether a job has ended, so the clock
stops when the last output file was made: when the last task began.
"""

import sys
import time
from pathlib import Path

from hyperqueue import Job, LocalCluster  # type: ignore[import-not-found]
from hyperqueue.cluster import WorkerConfig  # type: ignore[import-not-found]


def main(slots: int, scripts: int, script: str) -> None:
    with LocalCluster(worker_config=WorkerConfig(cores=slots)) as cluster:
        client = cluster.client()
        began = time.time()
        job = Job(max_fails=None)
        for _ in range(scripts):
            job.program(["sh", "-c", script])
        if not client.wait_for_jobs([client.submit(job)]):
            sys.exit("tasks failed")
        files = [file.stat().st_mtime for file in Path().glob("*.stdout")]
    print(max(files) - began, len(files))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
