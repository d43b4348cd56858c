"""The files of `examples/` for Slurm and Kubernetes do what they say."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.program import ROOT
from pyanamo_async import open_table
from pyanamo_async.app.bootstrap import WORK_LEFT
from pyanamo_async.core.workers import STOPPED_WITHIN

SBATCH = ROOT / "examples/slurm/workers.sbatch"
MANIFEST = ROOT / "examples/kubernetes/workers.yaml"
SRUN = '#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\nexec "$@"\n'
SCONTROL = '#!/bin/bash\necho "$@" > requeued\n'


def submit(folder: Path, pyanamo: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script as Slurm does, with commands of ours for Slurm's."""
    commands = folder / "bin"
    commands.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL), ("pyanamo", pyanamo)):
        if text:
            (commands / name).write_text(text)
            (commands / name).chmod(0o755)
    environ = {
        "PATH": f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "108",
        "SLURM_ARRAY_JOB_ID": "100",
        "SLURM_ARRAY_TASK_ID": "8",
        "SLURM_CPUS_PER_TASK": "1",
        "PYANAMO_TABLE": f"sqlite:{folder}/steps.db",
        "HOME": str(folder),
    }
    return subprocess.run(
        ["bash", SBATCH], env=environ, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def test_an_array_of_slurm_works_through_a_table(tmp_path: Path) -> None:
    """Its workers are named after the job of the array."""
    (tmp_path / "items.txt").write_text("itemID|TaskID|TaskScript\na|s|true\nb|s|true\n")

    async def prepare() -> None:
        async with open_table(f"sqlite:{tmp_path}/steps.db") as table:
            await table.import_file(tmp_path / "items.txt")

    async def look() -> tuple[int, list[str]]:
        async with open_table(f"sqlite:{tmp_path}/steps.db") as table:
            return (await table.counts()).left, [each.worker.job for each in await table.workers()]

    asyncio.run(prepare())
    said = submit(tmp_path)

    assert said.returncode == 0, said.stderr
    assert asyncio.run(look()) == (0, ["slurm 100_8 attempt 1"])
    assert not (tmp_path / "requeued").exists()


@pytest.mark.parametrize(("status", "requeued"), [(75, True), (1, False), (3, False)])
def test_a_job_that_leaves_work_is_put_into_slurms_queue_again(tmp_path: Path, status: int, requeued: bool) -> None:
    """And none that failed itself."""
    said = submit(tmp_path, pyanamo=f"#!/bin/bash\nexit {status}\n")

    assert (tmp_path / "requeued").exists() is requeued
    assert said.returncode == (0 if requeued else status)


def test_the_job_of_kubernetes_is_a_work_queue() -> None:
    """Parallel without completions; an interrupted worker is replaced, and what it needs to end is there."""
    job = yaml.safe_load(MANIFEST.read_text())
    pod = job["spec"]["template"]["spec"]
    [worker] = pod["containers"]
    ignored = [rule.get("onExitCodes", {}).get("values") for rule in job["spec"]["podFailurePolicy"]["rules"]]

    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert "completions" not in job["spec"]
    assert [WORK_LEFT] in ignored
    assert pod["restartPolicy"] == "Never"
    assert pod["terminationGracePeriodSeconds"] > STOPPED_WITHIN.total_seconds()
    assert worker["livenessProbe"]["exec"]["command"][:2] == ["pyanamo", "alive"]
    assert {"POD_NAME", "POD_NAMESPACE", "NODE_NAME", "PYANAMO_HEARTBEAT_FILE"} <= {
        each["name"] for each in worker["env"]
    }
    assert worker["resources"]["limits"]["cpu"]
