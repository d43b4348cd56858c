"""What is kept of a stream for those who watch it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.capture import Capture
from pyanamo_async.core.output_tail import TAIL_BYTES, TailBuffer, TailChunk, TaskRef

SIZES = st.sampled_from([0, 1, 7, TAIL_BYTES - 1, TAIL_BYTES, TAIL_BYTES + 1, 3 * TAIL_BYTES])


@given(sizes=st.lists(SIZES, max_size=8))
def test_a_piece_is_the_end_of_the_stream(sizes: list[int]) -> None:
    """However it was cut into chunks, and never more than there is room for."""
    rolling, whole = TailBuffer(TailChunk()), b""
    for number, size in enumerate(sizes):
        chunk = bytes([number]) * size
        rolling.feed(chunk)
        whole += chunk

    piece = rolling.chunk()

    assert (whole[-TAIL_BYTES:], len(whole)) == (piece.data, piece.end)
    assert whole[piece.start : piece.end] == piece.data


@given(sizes=st.lists(st.integers(0, 3000), max_size=6), tagged=st.booleans())
def test_a_capture_shows_the_end_of_what_it_has_seen(sizes: list[int], tagged: bool) -> None:
    """All of it while it is small."""
    capture, whole = Capture(2048, tagged=tagged), b""
    for number, size in enumerate(sizes):
        capture.feed(bytes([number]) * size)
        whole += bytes([number]) * size

    piece = capture.tail()

    assert (len(whole), whole[piece.start :]) == (piece.end, piece.data)
    assert len(piece.data) >= min(len(whole), 2048)


@given(item_id=st.text(min_size=1), task=st.sampled_from(["Task_0", "Task_19"]), attempt=st.integers(1, 10**9))
def test_a_feed_is_read_as_it_was_written(item_id: str, task: str, attempt: int) -> None:
    """Whatever the item is called."""
    feed = TaskRef(item_id, task, attempt)

    assert TaskRef.read(str(feed)) == feed
