"""Gathering parts in memory and in temporary files, and writing to a disk that is full."""

from __future__ import annotations

import asyncio
import io
import os
from dataclasses import replace
from pathlib import Path

import aiofiles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.errors import OutputError
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.outputs.disk import append
from pyanamo_async.outputs.spool import Part, Spool

QUICK = RetrySchedule(limit_s=60.0, first_pause_s=0.01, longest_pause_s=0.05)
sizes = st.lists(st.sampled_from([0, 1, 1000, 300_000]), max_size=8)


@given(sizes, st.integers(0, 1_000_000))
def test_a_part_gives_back_what_it_was_given(lengths: list[int], memory_bytes: int) -> None:
    """Whether all of it was in memory, some, or none; as often as it is read."""

    async def twice() -> tuple[bytes, bytes, int]:
        spool = Spool(memory_bytes)
        part = Part(spool)
        for chunk in chunks:
            await part.append(chunk)
        read = part.body().read(), part.body().read(), part.size
        part.close()
        part.close()
        assert spool.free_bytes == memory_bytes
        return read

    chunks = [os.urandom(length) for length in lengths]
    whole = b"".join(chunks)

    assert asyncio.run(twice()) == (whole, whole, len(whole))


async def test_parts_share_the_memory_and_never_wait_for_it() -> None:
    """A part without memory goes to a file, and freed memory is used again."""
    spool = Spool(4)
    first, second, third = Part(spool), Part(spool), Part(spool)
    await first.append(bytes(3))
    await second.append(bytes(2))
    assert [in_memory(first), in_memory(second), spool.free_bytes] == [True, False, 1]
    first.close()
    await third.append(bytes(4))

    assert [in_memory(third), spool.free_bytes] == [True, 0]
    second.close()
    third.close()


async def test_temporary_files_have_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is killed leaves none behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    part = Part(Spool(0))
    await part.append(b"text")

    assert (list(tmp_path.iterdir()), part.body().read()) == ([], b"text")
    part.close()


async def test_a_full_disk_is_waited_for() -> None:
    """What does not fit is written when there is room again, and no byte is lost or doubled."""
    async with (
        aiofiles.tempfile.TemporaryFile("w+b", buffering=0) as roomy,
        aiofiles.open("/dev/full", "wb", 0) as file,
    ):
        await append(roomy, b"begun, ", at=0, what="disk", schedule=QUICK)
        asyncio.get_running_loop().call_later(0.1, os.dup2, roomy.fileno(), file.fileno())  # now it leads to the other
        end = await append(file, b"and ended", at=7, what="disk", schedule=QUICK)
        await roomy.seek(0)

        assert (end, await roomy.read()) == (16, b"begun, and ended")


async def test_a_disk_that_stays_full_is_given_up() -> None:
    """With how long it was tried, and what to do about it."""
    async with aiofiles.open("/dev/full", "wb", 0) as file:
        with pytest.raises(OutputError, match=r"logs: No space left on device \(tried.*hint: free some space"):
            await append(file, b"text", at=0, what="logs", schedule=replace(QUICK, limit_s=1.0))


def in_memory(part: Part) -> bool:
    return isinstance(part.body(), io.BytesIO)
