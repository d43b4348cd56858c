"""Recognise network file systems, by the names that Linux gives to what is mounted.

`statfs` tells less: all file systems in user space have one number there, sshfs and a rootless container's alike. What
a virtual machine shares with its host (9p, virtiofs) is taken for local: whole sandboxes live on it.
"""

from __future__ import annotations

import os
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
BLOCK_DEVICES = Path("/sys/dev/block")
NETWORK = frozenset(
    {"afs", "beegfs", "beegfs_nodev", "ceph", "cifs", "coda", "gfs2", "gpfs", "lustre", "nfs", "nfs4", "ocfs2"}
    | {"orangefs", "panfs", "pvfs2", "smb3", "smbfs", "vboxsf"}
    | {f"fuse.{name}" for name in ("ceph", "gcsfuse", "glusterfs", "goofys", "juicefs", "JuiceFS", "mount-s3")}
    | {f"fuse.{name}" for name in ("mountpoint-s3", "rclone", "s3fs", "s3ql", "sshfs")}
)
MEMORY = frozenset({"ramfs", "tmpfs"})


def network_file_system(path: Path, *, mounts: Path = MOUNTS) -> str:
    """Return the kind of network file system that a file or folder is on; empty for none, or when it is unknown."""
    kind = file_system(path, mounts=mounts)
    return kind if kind in NETWORK else ""


def file_system(path: Path, *, mounts: Path = MOUNTS) -> str:
    """Return the kind of file system that a file or folder is on; empty when it is unknown."""
    try:
        device = path.stat().st_dev
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:  # proc(5): 36 35 98:0 /root /at options... - kind source options
        mounted, _, kind = line.partition(" - ")
        if mounted.split(" ", 3)[2:3] == [number]:
            return kind.partition(" ")[0]
    return ""


def is_rotational(path: Path, *, devices: Path = BLOCK_DEVICES) -> bool:
    """Return whether a folder is on a disk that rotates; False when it is unknown.

    Source: Documentation/ABI/stable/sysfs-block of Linux.
    """
    try:
        number = path.stat().st_dev
        device = devices / f"{os.major(number)}:{os.minor(number)}"
        queue = device / "queue" if (device / "queue").is_dir() else device.resolve().parent / "queue"  # of a partition
        return (queue / "rotational").read_text().strip() == "1"
    except OSError:
        return False
