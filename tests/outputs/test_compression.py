"""Gzip as sinks write it and stores read it."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.errors import OutputError
from pyanamo_async.outputs.compression import BLOCK_BYTES, CHUNK_BYTES, Compressor, decompressed

chunks = st.lists(st.binary(max_size=50).flatmap(lambda text: st.integers(1, 9000).map(lambda times: text * times)))


async def compressed(*pieces: bytes) -> bytes:
    compressor = Compressor()
    return b"".join([*[await compressor.feed(piece) for piece in pieces], await compressor.end()])


async def read(data: bytes, *, step: int = 1000, start: int = 0) -> list[bytes]:
    async def stream() -> AsyncIterator[bytes]:
        for at in range(0, len(data), step):
            yield data[at : at + step]

    return [piece async for piece in decompressed(stream(), start=start)]


@given(chunks)
def test_what_is_written_is_one_gzip_member(pieces: list[bytes]) -> None:
    """Browsers show nothing after the first member."""
    stored = asyncio.run(compressed(*pieces))
    inflate = zlib.decompressobj(31)

    assert inflate.decompress(stored) == b"".join(pieces)
    assert inflate.eof
    assert inflate.unused_data == b""


@given(chunks, st.integers(1, 5000), st.integers(0, 100_000))
def test_reading_gives_back_what_was_written(pieces: list[bytes], step: int, start: int) -> None:
    """However it was cut, and from any byte on."""
    stored = asyncio.run(compressed(*pieces))

    assert b"".join(asyncio.run(read(stored, step=step, start=start))) == b"".join(pieces)[start:]


@given(chunks, chunks)
def test_outputs_that_share_a_thread_do_not_mix(one: list[bytes], two: list[bytes]) -> None:
    """It deflates their blocks by turns."""
    block = [b"lots of it " * (BLOCK_BYTES // 11), b"more"]
    pieces = [*one, *block], [*two, *reversed(block)]

    async def by_turns() -> list[bytes]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        return await asyncio.gather(*(compressed(*its) for its in pieces))

    assert [gzip.decompress(stored) for stored in asyncio.run(by_turns())] == [b"".join(its) for its in pieces]


async def test_members_one_after_the_other_are_read_as_one() -> None:
    """Output that was appended with gzip and cat can be read too."""
    stored = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two")

    assert b"".join(await read(stored, step=1)) == b"one two"


async def test_highly_compressed_output_is_read_in_chunks() -> None:
    """100 MB from 100 KB are never in memory at once."""
    stored = await compressed(*[bytes(BLOCK_BYTES)] * 800)
    pieces = await read(stored, step=len(stored))

    assert max(map(len, pieces)) <= CHUNK_BYTES
    assert sum(map(len, pieces)) == 800 * BLOCK_BYTES


@pytest.mark.parametrize("cut", [0, 1, 9, 11, 200, -9, -1])
async def test_a_missing_end_is_noticed(cut: int) -> None:
    """Truncated output is never taken for complete."""
    stored = await compressed(*[b"line %d\n" % number for number in range(1000)])

    with pytest.raises(OutputError, match="damaged"):
        await read(stored[:cut])


async def test_damage_is_noticed() -> None:
    """Neither a flipped byte nor something that is not gzip passes for output."""
    stored = bytearray(await compressed(b"text " * 1000))
    stored[-6] ^= 1

    for damaged in (bytes(stored), b"not gzip at all, but long enough"):
        with pytest.raises(OutputError, match="damaged"):
            await read(damaged)
