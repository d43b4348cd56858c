"""What processes use of memory, as Linux tells in /proc.

Source: proc(5), "/proc/pid/stat", "/proc/pid/status" and "/proc/pid/smaps_rollup".

A process that ends while it is read is left out; where there is no /proc, nothing is found.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress

from pyanamo_async.core.values import Value

PROC = "/proc"
KIB = 1024
LONGEST = 8192  # bytes of a file of one process
PARENT, SESSION, STACK = 1, 3, 25  # fields of `stat` behind the name
FIELDS = (b"VmHWM:", b"RssAnon:", b"RssFile:", b"RssShmem:")
OOM_SCORE = 500  # of 1000: counts as half of all memory more than a process uses
SHARED_FIELDS = (b"Pss_Anon:", b"Pss_Shmem:")  # since Linux 5.4


class ProcessMemory(Value):
    """The memory of one process, in bytes: its own and shared, of files, and the most it ever had of both together."""

    own_bytes: int
    file_bytes: int
    peak_bytes: int


class Member(Value):
    """A process of a tree: its parent, and where its stack starts, which is random for each program that is started."""

    parent: int
    stack: int


def tree_members(roots: Collection[int], *, proc: str = PROC) -> dict[int, dict[int, Member]]:
    """Return the processes of each session that one of `roots` leads, and their descendants in whatever session."""
    all_members: dict[int, Member] = {}
    found: dict[int, int] = {root: root for root in roots}
    for pid in _pids(proc):
        stat = _read(f"{proc}/{pid}/stat")
        fields = stat[stat.rfind(b")") + 2 :].split(None, STACK + 1)
        if len(fields) > STACK:
            all_members[pid] = Member(int(fields[PARENT]), int(fields[STACK]))
            session = int(fields[SESSION])
            if session in roots:
                found[pid] = session
    members: dict[int, dict[int, Member]] = {root: {} for root in roots}
    for pid, member in all_members.items():
        root = _root_of(pid, all_members, found)
        if root:
            members[root][pid] = member
    return members


def process_memory(pid: int, *, proc: str = PROC) -> ProcessMemory | None:
    """Return what a process uses; None when it has ended, or is a zombie."""
    values = _values(_read(f"{proc}/{pid}/status"), FIELDS)
    if values is None:
        return None
    peak, anonymous, of_files, shared = values
    return ProcessMemory(anonymous + shared, of_files, peak)


def proportional_bytes(pid: int, *, proc: str = PROC) -> int | None:
    """Return a process's memory without files, shared pages divided among those that share them; None if unknown.

    This takes the kernel 18 ms for each GB, during which the process cannot map memory.
    """
    values = _values(_read(f"{proc}/{pid}/smaps_rollup"), SHARED_FIELDS)
    return None if values is None else sum(values)


def raise_oom_score(pid: int, *, proc: str = PROC) -> None:
    """Let the kernel end a process before others when memory runs out; one with a higher score keeps it.

    Source: proc(5), "/proc/pid/oom_score_adj". What the process starts from then on inherits the score.
    """
    path = f"{proc}/{pid}/oom_score_adj"
    score = _read(path).strip()
    if not score or int(score) >= OOM_SCORE:
        return
    with suppress(OSError):  # it has ended, or is another user's
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(file, str(OOM_SCORE).encode())
        finally:
            os.close(file)


def _root_of(pid: int, members: dict[int, Member], found: dict[int, int]) -> int:
    """Return the root above a process, 0 if there is none; what is learned on the way is kept in `found`."""
    path: list[int] = []
    while pid not in found and pid in members:
        path.append(pid)
        found[pid] = 0  # also ends a circle, which a listing that is not of one moment may show
        pid = members[pid].parent
    root = found.get(pid, 0)
    found.update(dict.fromkeys(path, root))
    return root


def _pids(proc: str) -> Iterator[int]:
    try:
        names = os.listdir(proc)  # noqa: PTH208 - a hundred paths are more work than the reading
    except OSError:
        return
    for name in names:
        if name.isdecimal():
            yield int(name)


def _values(text: bytes, names: Collection[bytes]) -> list[int] | None:
    """Return the sizes behind these names, in bytes; None unless all are there."""
    values = []
    for name in names:
        at = text.find(name)
        if at < 0:
            return None
        values.append(int(text[at + len(name) :].split(None, 1)[0]) * KIB)
    return values


def _read(path: str) -> bytes:
    """Read a small file in one piece; empty when that fails."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(file, LONGEST)
    except OSError:
        return b""
    finally:
        os.close(file)
