"""Output that nobody finished: in a folder, and in a bucket."""

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


async def test_output_under_way_is_listed_by_its_place(kept: Kept) -> None:
    """What is whole is not under way, and that of other tables is not ours."""
    await write_all(kept.store, OutputKey("table", "whole", "Task_0", 1, "stdout"), [b"text"])
    sinks = [await begun(kept), await begun(kept, OutputKey("table 2", "item", "Task_0", 1, "stdout"))]

    [found] = await unfinished(kept)

    assert found.location == kept.store.location(KEY)
    assert found.since <= datetime.now(UTC)
    for sink in sinks:
        await sink.abort()
    assert await unfinished(kept) == []


async def test_discarded_output_leaves_nothing(kept: Kept) -> None:
    """Discarding twice is harmless, and what is whole stays."""
    location = await write_all(kept.store, OutputKey("table", "whole", "Task_0", 1, "stdout"), [b"text"])
    await begun(kept)  # by a worker that was killed

    [found] = await unfinished(kept)
    await kept.store.discard(found)
    await kept.store.discard(found)

    assert await unfinished(kept) == []
    assert await read_all(kept.store, location) == b"text"


async def test_a_sink_whose_file_was_discarded_fails(tmp_path: Path) -> None:
    """It says so: nothing counts as stored that is not; not asked of moto, which breaks at an aborted upload."""
    kept = files(tmp_path)
    sink = await begun(kept)
    [found] = await unfinished(kept)
    assert datetime.now(UTC) - found.since < timedelta(minutes=1)
    await kept.store.discard(found)

    with pytest.raises(OutputError):
        await sink.close()


async def test_where_nothing_was_ever_kept_nothing_is_left(kept: Kept) -> None:
    """A folder that is not there has nothing in it."""
    assert await unfinished(kept) == []


async def test_a_check_that_was_cut_short_is_found_in_a_folder(tmp_path: Path) -> None:
    """Whatever the table; files of others are not ours, though they are hidden."""
    kept = files(tmp_path)
    folder = Path(kept.store.location(KEY).removeprefix("file:")).parents[3]
    folder.mkdir(parents=True)
    (folder / ".check-0123.0123abcd").touch()
    (folder / ".hidden").touch()
    (folder / ".theirs.0123abcd").touch()

    assert [Path(each.name).name for each in await unfinished(kept)] == [".check-0123.0123abcd"]
