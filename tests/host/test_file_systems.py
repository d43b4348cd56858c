"""Network file systems, recognised by what is mounted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyanamo_async.host.file_systems import network_file_system

OTHER = "23 1 8:1 / /boot rw,relatime shared:2 - nfs4 server:/boot rw"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("nfs4", "nfs4"),
        ("lustre", "lustre"),
        ("fuse.sshfs", "fuse.sshfs"),
        ("ext4", ""),
        ("overlay", ""),
        ("fuse.fuse-overlayfs", ""),
        ("9p", ""),
    ],
)
def test_a_network_file_system_is_recognised(tmp_path: Path, kind: str, expected: str) -> None:
    """By its name; what sandboxes and virtual machines live on is local to them."""
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"{OTHER}\n36 35 {os.major(device)}:{os.minor(device)} / /mnt\\040x rw,noatime master:1 - {kind} host:/x rw\n"
    )

    assert network_file_system(tmp_path, mounts=mounts) == expected


def test_what_is_mounted_may_be_unknown(tmp_path: Path) -> None:
    """On other systems than Linux, and where nothing is mounted there: then it is taken for local."""
    mounts = tmp_path / "mountinfo"
    assert network_file_system(tmp_path, mounts=mounts) == ""

    mounts.write_text(f"{OTHER}\nnonsense\n")
    assert network_file_system(tmp_path, mounts=mounts) == ""
    assert network_file_system(tmp_path / "absent", mounts=mounts) == ""
    assert network_file_system(tmp_path) == ""
