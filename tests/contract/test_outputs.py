"""The laws of `ports.OutputStore` and `ports.Sink`, over every store."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from uuid import uuid4

import pytest

from pyanamo_async.errors import OutputMissing
from pyanamo_async.host.clock import SystemClock
from pyanamo_async.ports import OutputKey
from tests.outputs.stores import Kept, files, logs, logs_client, memory, read_all, s3, s3_client, write_all

KEY = OutputKey("table", "item", "Task_0", 1, "stdout")
NOISE = random.Random(1).randbytes(3_000_000)  # does not get smaller when compressed


@pytest.fixture(params=["memory", "files", "s3", "logs"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    """Each store in turn."""
    match request.param:
        case "memory":
            yield memory()
        case "files":
            yield files(tmp_path)
        case "s3":
            async with s3_client(request.getfixturevalue("moto_endpoint")) as client:
                yield s3(client, request.getfixturevalue("bucket"))
        case "logs":
            async with logs_client(request.getfixturevalue("moto_endpoint")) as client:
                yield logs(client, f"/PyAnamo/{uuid4().hex}", files(tmp_path), SystemClock())


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([], id="nothing"),
        pytest.param([b"x"], id="one byte"),
        pytest.param([b"", b"a", b"", b"b\n"], id="empty chunks"),
        pytest.param([b"line %d\n" % number for number in range(50_000)], id="many small chunks"),
        pytest.param([b"\0\xff\xfe\r\n"] * 70_000, id="not text"),
        pytest.param([NOISE], id="one large chunk"),
        pytest.param([NOISE[at : at + 65_536] for at in range(0, len(NOISE), 65_536)], id="as from a pipe"),
        pytest.param([b"x" * 1_000_000] * 30, id="compresses a thousandfold"),
    ],
)
async def test_what_was_written_is_read_back(kept: Kept, chunks: list[bytes]) -> None:
    """Every byte, in order, however it was cut."""
    location = await write_all(kept.store, KEY, chunks)

    assert await read_all(kept.store, location) == b"".join(chunks)


@pytest.mark.parametrize("start", [0, 1, 131_071, 131_072, 2_999_999, 3_000_000, 4_000_000])
async def test_reading_begins_anywhere(kept: Kept, start: int) -> None:
    """`start` counts bytes of the output as it was printed; after its end there is nothing."""
    location = await write_all(kept.store, KEY, [NOISE])

    assert await read_all(kept.store, location, start=start) == NOISE[start:]


async def test_output_is_at_the_location_of_its_key(kept: Kept) -> None:
    """Stored output can be found by its key, without a record."""
    location = await write_all(kept.store, KEY, [NOISE] * 4)  # too large for Logs

    assert location == kept.store.location(KEY)


async def test_nothing_is_created_before_there_is_something_to_keep(kept: Kept) -> None:
    """An open sink costs nothing."""
    sink = kept.store.open(KEY)
    assert await kept.traces() == []
    await sink.abort()

    assert await kept.traces() == []


@pytest.mark.parametrize("size", [10, 3_000_000, 30_000_000])
async def test_an_aborted_sink_leaves_nothing_behind(kept: Kept, size: int) -> None:
    """Nothing of it is left, in parts or whole, however often it is aborted."""
    sink = kept.store.open(KEY)
    for chunk in noise(size):
        await sink.write(chunk)
    await sink.abort()
    await sink.abort()

    assert await kept.traces() == []


async def test_removed_output_leaves_nothing(kept: Kept) -> None:
    """Nor what had to be made for it; what others have there stays, and removing twice is harmless."""
    other = OutputKey("table", "item", "Task_1", 1, "stdout")
    await kept.store.check()  # as workers do: it sees what is not there yet
    for key in (KEY, other):
        await write_all(kept.store, key, [NOISE] * 4)  # too large for Logs
    await kept.store.remove(kept.store.location(KEY))
    assert await read_all(kept.store, kept.store.location(other)) == NOISE * 4
    await kept.store.remove(kept.store.location(other))
    await kept.store.remove(kept.store.location(other))

    assert await kept.traces() == []


async def test_abort_after_close_is_harmless(kept: Kept) -> None:
    """What was made durable stays."""
    sink = kept.store.open(KEY)
    await sink.write(b"kept")
    location = await sink.close()
    await sink.abort()

    assert await read_all(kept.store, location) == b"kept"


@pytest.mark.parametrize("size", [10, 30_000_000])
@pytest.mark.parametrize("moments", range(0, 60, 7))
async def test_a_cancelled_sink_leaves_nothing_behind(kept: Kept, size: int, moments: int) -> None:
    """Wherever a cancellation hits, either the output was closed or an abort leaves no trace of it."""
    sink = kept.store.open(KEY)

    async def carry() -> str:
        for chunk in noise(size):
            await sink.write(chunk)
        return await sink.close()

    task = asyncio.create_task(carry())
    for _ in range(moments):
        await asyncio.sleep(0)
    task.cancel()
    [ended] = await asyncio.gather(task, return_exceptions=True)
    await sink.abort()

    assert await kept.traces() == [] if isinstance(ended, asyncio.CancelledError) else isinstance(ended, str)


async def test_outputs_are_kept_apart(kept: Kept) -> None:
    """No two attempts, tasks, items or streams share a place, whatever their ids look like."""
    ids = [
        "a",
        "A",
        "a/b",
        "a=2Fb",
        "a b",
        ".",
        "..",
        "../a",
        ".a",
        "",
        "ä",
        "\u0061\u0308",
        "x" * 500,
        "x" * 501,
        "%2F",
    ]
    keys = [OutputKey("t", item, "Task_0", 1, "stdout") for item in ids]
    keys += [OutputKey("t", "i", task, 1, "stderr") for task in ids]
    keys += [OutputKey(table, "i", "Task_0", 2, "stdout") for table in ids]
    texts = [b"output %d" % number for number in range(len(keys))]
    locations = [await write_all(kept.store, key, [text]) for key, text in zip(keys, texts, strict=True)]

    assert [await read_all(kept.store, location) for location in locations] == texts


async def test_many_sinks_work_at_once(kept: Kept) -> None:
    """Forty sinks that write by turns do not mix, and none waits for ever."""
    keys = [OutputKey("t", f"item {number}", "Task_0", 1, "stdout") for number in range(40)]
    texts = [[b"%d " % number * 50_000] * 5 for number in range(40)]
    writing = (write_all(kept.store, key, text) for key, text in zip(keys, texts, strict=True))
    locations = await asyncio.gather(*writing)

    for location, text in zip(locations, texts, strict=True):
        assert await read_all(kept.store, location) == b"".join(text)


async def test_reading_missing_output_says_so(kept: Kept) -> None:
    """Reading output that was never written raises `OutputMissing`."""
    location = await write_all(kept.store, KEY, [b"text"])

    with pytest.raises(OutputMissing):
        await read_all(kept.store, location.replace("item", "other"))


async def test_reading_holds_little_at_a_time(kept: Kept) -> None:
    """A few KB may stand for gigabytes: they are read in chunks."""
    location = await write_all(kept.store, KEY, [b"x" * 10_000_000] * 3)

    async for chunk in kept.store.read(location):
        assert 0 < len(chunk) <= kept.most_at_once


async def test_a_check_leaves_nothing_behind(kept: Kept) -> None:
    """Where output can be written, `check` is silent and leaves no trace."""
    await kept.store.check()

    assert await kept.traces() == []


def noise(size: int) -> Iterable[bytes]:
    """Make `size` bytes that do not compress, in chunks."""
    rest = size
    while rest > 0:
        yield NOISE[: min(rest, 250_000)]
        rest -= 250_000
