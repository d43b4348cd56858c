"""How many CPUs this process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyanamo_async.host.limits import available_memory, usable_cpus

HERE = len(os.sched_getaffinity(0))


def quota(root: Path, group: str, text: str, *, own: str = "/") -> Path:
    """Make a root folder whose control groups have this quota."""
    folder = root / "sys/fs/cgroup" / group
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(text)
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/cgroup").write_text(f"0::{own}\n")
    return root


def test_without_a_quota_the_affinity_counts(tmp_path: Path) -> None:
    """On a machine without control groups, and in a group without a limit."""
    assert usable_cpus(root=tmp_path) == HERE
    assert usable_cpus(root=quota(tmp_path, ".", "max 100000\n")) == HERE


@pytest.mark.parametrize(("text", "cpus"), [("50000 100000", 1), ("100000 100000", 1), ("1000 100000", 1)])
def test_a_quota_counts(tmp_path: Path, text: str, cpus: int) -> None:
    """As a container has it; a share of a CPU is one."""
    assert usable_cpus(root=quota(tmp_path, ".", text)) == cpus


def test_the_quota_of_a_group_above_counts(tmp_path: Path) -> None:
    """The least of them all is in force."""
    quota(tmp_path, "pod", "100000 100000", own="/pod/container")

    assert usable_cpus(root=quota(tmp_path, "pod/container", "max 100000", own="/pod/container")) == 1


def test_half_a_cpu_more_is_one_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1.5 CPUs keep two items busy."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))

    assert usable_cpus(root=quota(tmp_path, ".", "150000 100000")) == 2


def test_the_old_hierarchy_counts(tmp_path: Path) -> None:
    """Control groups version 1 keep quota and period apart; -1 is none."""
    cpu = tmp_path / "sys/fs/cgroup/cpu"
    cpu.mkdir(parents=True)
    (cpu / "cpu.cfs_period_us").write_text("100000\n")
    (cpu / "cpu.cfs_quota_us").write_text("-1\n")
    assert usable_cpus(root=tmp_path) == HERE

    (cpu / "cpu.cfs_quota_us").write_text("100000\n")
    assert usable_cpus(root=tmp_path) == 1


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
def test_the_old_hierarchy_counts_for_the_group_of_a_job(tmp_path: Path, mount: str) -> None:
    """Slurm and Docker limit a group below the root; the controller is mounted together with others, or alone."""
    job = tmp_path / "sys/fs/cgroup" / mount / "slurm/job_7"
    job.mkdir(parents=True)
    (job / "cpu.cfs_period_us").write_text("100000\n")
    (job / "cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("5:memory:/elsewhere\n4:cpu,cpuacct:/slurm/job_7/step_0\n0::/\n")

    assert usable_cpus(root=tmp_path) == 1


def test_available_memory_is_what_the_machine_says(tmp_path: Path) -> None:
    """Nothing is known where it says nothing."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable:       5 kB\n")

    assert available_memory(root=tmp_path) == 5 * 1024
    assert available_memory(root=tmp_path / "elsewhere") is None
