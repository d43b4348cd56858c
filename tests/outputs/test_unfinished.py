"""Unfinished output, in a folder and in a bucket."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pyanamo_async.errors import OutputError
from pyanamo_async.ports import OutputKey, Sink, UnfinishedOutput
from tests.outputs.stores import Kept, files, read_all, s3, s3_client, write_all

KEY = OutputKey("table", "item/1", "Task_0", 2, "stdout")
NOISE = random.Random(4).randbytes(10_000_000)


@pytest.fixture(params=["files", "s3"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    """Each store that something can be left in."""
    if request.param == "files":
        yield files(tmp_path)
        return
    async with s3_client(request.getfixturevalue("moto_endpoint")) as client:
        yield s3(client, request.getfixturevalue("bucket"))


async def begun(kept: Kept, key: OutputKey = KEY) -> Sink:
    sink = kept.store.open(key)
    await sink.write(NOISE)
    await sink.write(NOISE)
    return sink


async def unfinished(kept: Kept, table: str = "table") -> list[UnfinishedOutput]:
    return [each async for each in kept.store.unfinished(table)]


async def test_unfinished_output_is_listed_by_its_location(kept: Kept) -> None:
    """Complete output is not listed, and neither is that of other tables."""
    await write_all(kept.store, OutputKey("table", "whole", "Task_0", 1, "stdout"), [b"text"])
    sinks = [await begun(kept), await begun(kept, OutputKey("table 2", "item", "Task_0", 1, "stdout"))]

    [found] = await unfinished(kept)

    assert found.location == kept.store.location(KEY)
    assert found.since <= datetime.now(UTC)
    for sink in sinks:
        await sink.abort()
    assert await unfinished(kept) == []


async def test_discarded_output_leaves_nothing(kept: Kept) -> None:
    """Discarding twice is harmless, and complete output stays."""
    location = await write_all(kept.store, OutputKey("table", "whole", "Task_0", 1, "stdout"), [b"text"])
    await begun(kept)  # by a worker that was killed

    [found] = await unfinished(kept)
    await kept.store.discard(found)
    await kept.store.discard(found)

    assert await unfinished(kept) == []
    assert await read_all(kept.store, location) == b"text"


async def test_a_sink_whose_file_was_discarded_fails(tmp_path: Path) -> None:
    """Output that is not stored never counts as stored. Folders only: moto breaks at an aborted upload."""
    kept = files(tmp_path)
    sink = await begun(kept)
    [found] = await unfinished(kept)
    assert datetime.now(UTC) - found.since < timedelta(minutes=1)
    await kept.store.discard(found)

    with pytest.raises(OutputError):
        await sink.close()


async def test_without_output_nothing_is_unfinished(kept: Kept) -> None:
    """A missing folder has nothing in it."""
    assert await unfinished(kept) == []


async def test_a_check_that_was_cut_short_is_found_in_a_folder(tmp_path: Path) -> None:
    """Whatever the table; hidden files of others are not listed."""
    kept = files(tmp_path)
    folder = Path(kept.store.location(KEY).removeprefix("file:")).parents[3]
    folder.mkdir(parents=True)
    (folder / ".check-0123.0123abcd").touch()
    (folder / ".hidden").touch()
    (folder / ".theirs.0123abcd").touch()

    assert [Path(each.name).name for each in await unfinished(kept)] == [".check-0123.0123abcd"]
