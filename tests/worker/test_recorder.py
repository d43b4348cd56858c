"""The laws of `worker.recorder`: memory is bounded by waiting, and nobody waits for what is lost."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.capture import Capture
from pyanamo_async.core.items import Output
from pyanamo_async.errors import OutputError
from pyanamo_async.worker.recorder import HIGH_WATER_BYTES, Recorder

CHUNK = b"x" * (HIGH_WATER_BYTES // 4)


class Stuck:
    """A sink that takes nothing until it is told to, or told that it cannot."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.way_out: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def write(self, chunk: bytes) -> None:
        await asyncio.shield(self.way_out)
        self.taken.append(chunk)

    async def close(self) -> str:
        return "there"

    async def abort(self) -> None:
        """Nothing is kept anyway."""


@pytest.mark.parametrize("lost", [False, True])
async def test_a_slow_storage_makes_the_script_wait_until_it_takes_or_fails(lost: bool) -> None:
    """The script is read again when there is room; of what cannot be stored the tail is kept, and why."""
    sink, resumed = Stuck(), asyncio.Event()
    recorder = Recorder(Capture(2048), lambda: sink)
    recorder.resume_with(resumed.set)
    resumed.clear()  # nothing was waiting yet
    fed = 1
    while recorder.feed(CHUNK):
        fed += 1
        await asyncio.sleep(0)
        assert fed * len(CHUNK) <= HIGH_WATER_BYTES + 2 * len(CHUNK)
    assert not resumed.is_set()

    sink.way_out.set_exception(OutputError("the bucket is on fire")) if lost else sink.way_out.set_result(None)
    async with asyncio.timeout(5):
        await resumed.wait()
    assert recorder.feed(b"end")
    output = await recorder.close()

    assert b"".join(sink.taken) == (b"" if lost else CHUNK * fed + b"end")
    assert (output.at, output.status) == (("", "not stored: the bucket is on fire") if lost else ("there", ""))
    assert output.text.endswith("xend")
    assert output.size_bytes == fed * len(CHUNK) + 3


async def test_a_script_that_was_paused_before_anybody_could_resume_it_goes_on() -> None:
    """A script may print, and its storage catch up, before its start is known."""
    sink, resumed = Stuck(), asyncio.Event()
    sink.way_out.set_result(None)
    recorder = Recorder(Capture(2048), lambda: sink)
    while recorder.feed(CHUNK):
        pass
    for _ in range(20):  # rounds of the loop: the sink takes all
        await asyncio.sleep(0)

    recorder.resume_with(resumed.set)

    assert resumed.is_set()
    await recorder.close()


@given(st.lists(st.binary(max_size=9)), st.integers(0, 20), st.integers(0, 60))
def test_the_sink_gets_no_more_than_it_may(chunks: list[bytes], inline: int, most: int) -> None:
    """However output is cut into chunks: the rest is counted, and the record says how much is missing."""

    async def record(most_bytes: int | None) -> tuple[bytes, Output]:
        sink = Stuck()
        sink.way_out.set_result(None)
        recorder = Recorder(Capture(inline), lambda: sink, most_bytes=most_bytes)
        for chunk in chunks:
            recorder.feed(chunk)
        output = await recorder.close()
        return b"".join(sink.taken), output

    all_of_it, whole = asyncio.run(record(None))
    stored, cut = asyncio.run(record(most))

    assert stored == all_of_it[:most]
    assert (cut.text, cut.lines, cut.size_bytes) == (whole.text, whole.lines, whole.size_bytes)
    missing = f"cut: {len(stored):,} of {len(all_of_it):,} bytes are stored"
    assert cut.status == (missing if len(all_of_it) > most else "")
