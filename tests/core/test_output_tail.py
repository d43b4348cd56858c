"""The last output of a task, for people who follow it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.capture import Capture
from pyanamo_async.core.output_tail import TAIL_BYTES, TailBuffer, TailChunk, TaskRef

SIZES = st.sampled_from([0, 1, 7, TAIL_BYTES - 1, TAIL_BYTES, TAIL_BYTES + 1, 3 * TAIL_BYTES])


@given(sizes=st.lists(SIZES, max_size=8))
def test_a_tail_buffer_holds_the_end_of_the_stream(sizes: list[int]) -> None:
    """The buffer holds the last `TAIL_BYTES`, however the stream was cut into chunks."""
    buffer, whole = TailBuffer(TailChunk()), b""
    for number, size in enumerate(sizes):
        chunk = bytes([number]) * size
        buffer.feed(chunk)
        whole += chunk

    tail = buffer.chunk()

    assert (whole[-TAIL_BYTES:], len(whole)) == (tail.data, tail.end)
    assert whole[tail.start : tail.end] == tail.data


@given(sizes=st.lists(st.integers(0, 3000), max_size=6), tagged=st.booleans())
def test_a_capture_returns_the_end_of_the_stream_so_far(sizes: list[int], tagged: bool) -> None:
    """The tail is the whole stream while that is small."""
    capture, whole = Capture(2048, tagged=tagged), b""
    for number, size in enumerate(sizes):
        capture.feed(bytes([number]) * size)
        whole += bytes([number]) * size

    tail = capture.tail()

    assert (len(whole), whole[tail.start :]) == (tail.end, tail.data)
    assert len(tail.data) >= min(len(whole), 2048)


@given(item_id=st.text(min_size=1), task=st.sampled_from(["Task_0", "Task_19"]), attempt=st.integers(1, 10**9))
def test_a_task_reference_reads_back_as_written(item_id: str, task: str, attempt: int) -> None:
    """The id of an item may hold any characters, slashes too."""
    reference = TaskRef(item_id, task, attempt)

    assert TaskRef.read(str(reference)) == reference
