"""What a record keeps of a stream: the laws of `core.capture` and `core.stored.row_size`."""

from __future__ import annotations

import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.capture import Capture
from pyanamo_async.core.items import Output
from pyanamo_async.core.stored.row_size import INLINE_BYTES, ITEM_OUTPUT_BYTES, STATUS_BYTES, inline_bytes

TAGGED_LINE = re.compile(rb"(?m)^PyAnamo:\t([^\n]*)")

lines = st.sampled_from([b"PyAnamo:\tkey=1", b"PyAnamo:\t", b"PyAnamo: no", b" PyAnamo:\tno", b"PyAnamo", b"", b"text"])
texts = st.lists(lines, max_size=12).map(b"\n".join)


def fed(*chunks: bytes, limit: int = 16, tagged: bool = True) -> tuple[Capture, bytes]:
    """Feed chunks to a capture; return it and the bytes for its sink."""
    capture = Capture(limit, tagged=tagged)
    sent = b"".join([*map(capture.feed, chunks), capture.end()])
    return capture, sent


def test_what_fits_inline_is_kept_whole_and_not_sent() -> None:
    """Output up to the limit is in the record, tags as printed, and the sink gets nothing."""
    capture, sent = fed(b"PyAnamo:\ta=1", b"\nb\n", limit=16)

    assert (b"", Output(text="PyAnamo:\ta=1\nb\n", size_bytes=15, lines=2, tags=1)) == (sent, capture.output())


@given(st.lists(st.binary(max_size=9)), st.integers(0, 20))
def test_what_does_not_fit_is_sent_whole(chunks: list[bytes], limit: int) -> None:
    """However output is cut, either the record holds all of it or the sink gets every byte in order."""
    capture, sent = fed(*chunks, limit=limit)
    whole = b"".join(chunks)

    assert whole == (sent or capture.output().text.encode())
    assert not sent or len(whole) > limit or "\ufffd" in whole.decode(errors="replace")


def test_sending_begins_with_the_chunk_that_no_longer_fits() -> None:
    """Every chunk goes to the sink at once when the whole does not fit, so memory stays bounded."""
    capture = Capture(4)

    assert [capture.feed(b"ab"), capture.feed(b"cde"), capture.feed(b"f")] == [b"", b"abcde", b"f"]


def test_small_output_that_is_not_utf8_is_sent_at_its_end() -> None:
    """The sink keeps bytes that are not UTF-8; the record shows replacement characters."""
    capture, sent = fed(b"\xff\xfe", limit=16)

    assert (sent, capture.output().text) == (b"\xff\xfe", "\ufffd\ufffd")


@given(texts, st.data())
def test_tags_are_found_however_they_are_cut(text: bytes, data: st.DataObject) -> None:
    """Tags are the lines that begin with the mark, however they are cut into chunks."""
    text += b"\n" + b"." * 16
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=30)))
    chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    capture, _ = fed(*chunks, limit=16)
    expected = b"".join(tag + b"\n" for tag in TAGGED_LINE.findall(text))[:16].decode().removesuffix("\n")

    assert expected == capture.output().text or not TAGGED_LINE.search(text)


@given(texts, st.data())
def test_the_first_tag_that_means_a_failure_is_found_however_it_is_cut(text: bytes, data: st.DataObject) -> None:
    """Also one that the record has no room for, and one without a newline at the end."""
    text = b"PyAnamo:\tkey=2\n" * 9 + text
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=30)))
    capture = Capture(16, fail_on=re.compile("key=1|^$"))
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        capture.feed(text[start:end])
    tags = [tag.decode() for tag in TAGGED_LINE.findall(text)]

    assert capture.failing_tag == next((tag for tag in tags if tag in {"key=1", ""}), None)
    assert capture.output().tags == len(tags)


def test_a_tag_of_any_length_takes_bounded_memory() -> None:
    """Of a long one the beginning is asked."""
    capture = Capture(16, fail_on=re.compile("^Error.*end$"))
    capture.feed(b"PyAnamo:\tError")
    tracemalloc.start()
    for _ in range(100):
        capture.feed(b"x" * 100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    capture.feed(b"end\nPyAnamo:\tError end")

    assert peak < 2_000_000
    assert capture.failing_tag == "Error end"


@pytest.mark.parametrize("cut", range(40))
def test_a_tag_cut_at_any_byte_is_found(cut: int) -> None:
    """A mark, a tag or its newline may be cut at any byte."""
    text = b"head\nPyAnamo:\treads=12\nPyAnamo:\tok\n" + b"x" * 100
    capture, _ = fed(text[:cut], text[cut:], limit=64)

    assert capture.output().text == "reads=12\nok"


def test_a_tag_is_found_byte_by_byte_and_at_the_end_without_newline() -> None:
    """A tag is complete when its output ends."""
    text = b"x" * 100 + b"\nPyAnamo:\tlast"
    capture, _ = fed(*(text[at : at + 1] for at in range(len(text))), limit=64)

    assert capture.output().text == "last"


def test_tags_are_kept_up_to_the_limit() -> None:
    """Tags are kept in their order; the first that does not fit is cut and the rest are dropped."""
    capture, _ = fed(b"PyAnamo:\t123456\nPyAnamo:\tabcdefghijkl\nPyAnamo:\tz\n", limit=10)

    assert capture.output().text == "123456\nabc"


def test_without_tags_the_tail_is_kept() -> None:
    """Of large output without tags the record keeps the last bytes."""
    capture, _ = fed(*[b"0123456789"] * 100, b"the end", limit=10)

    assert capture.output().text == "789the end"


@pytest.mark.parametrize(
    ("text", "tail"),
    [
        (b"0123456789\n1\n2\n3\n4", "1\n2\n3\n4"),
        (b"0123456789\n1\n2\n34\n\n", "1\n2\n34\n\n"),
        (b"0123\n123\n45678\n", "123\n45678\n"),
        (b"0123\n123456789", "123456789"),
        (b"0123456789-123456789\n", "123456789\n"),
        (b"0123456789-123456\n1\n", "-123456\n1\n"),
    ],
)
def test_a_tail_begins_with_a_whole_line(text: bytes, tail: str) -> None:
    """A line cut at the front is left out, unless most of the tail is of that line."""
    capture, _ = fed(text, limit=10)

    assert capture.output().text == tail


def test_stderr_keeps_its_tail_even_with_tags() -> None:
    """Tags on stderr mean nothing: failures are explained at its end."""
    capture, _ = fed(b"PyAnamo:\ttag\n" + b"x" * 20 + b"Traceback", limit=9, tagged=False)

    assert capture.output().text == "Traceback"


@given(st.text(min_size=20), st.integers(0, 20))
def test_a_cut_never_splits_a_character(text: str, limit: int) -> None:
    """Tail and tags begin and end at the edges of characters, within the limit."""
    text = text.replace("\n", "-")
    tail = fed(text.encode(), limit=limit, tagged=False)[0].output().text
    tag = fed(f"PyAnamo:\t{text}".encode(), limit=limit)[0].output().text

    assert text.endswith(tail)
    assert text.startswith(tag)
    assert limit - 3 <= len(tail.encode()) <= limit
    assert len(tag.encode()) <= limit


@given(st.binary(min_size=17), st.integers(0, 16))
def test_kept_text_stays_within_the_limit_whatever_the_bytes(data: bytes, limit: int) -> None:
    """The limit counts replacement characters as the three bytes they take."""
    capture, _ = fed(data, limit=limit)

    assert len(capture.output().text.encode()) <= limit


@given(st.lists(st.sampled_from([b"\n", b"a", b"a\n", b"\n\n", b""])))
def test_lines_are_counted_with_the_last_one(chunks: list[bytes]) -> None:
    """A last line without a newline counts too, whether or not the output fits."""
    expected = len(b"".join(chunks).splitlines())

    assert {expected} == {fed(*chunks, limit=limit)[0].output().lines for limit in (0, 1, 100)}


def test_memory_does_not_depend_on_the_output() -> None:
    """Output of 64 MB, all of it one tag that never ends, leaves a few KB in memory."""
    capture = Capture(2048)
    capture.feed(b"PyAnamo:\t")
    chunk = b"x" * (1 << 20)
    tracemalloc.start()
    for _ in range(64):
        capture.feed(chunk)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 16_384
    assert capture.output().size_bytes == (1 << 26) + 9


def test_location_and_status_are_passed_on() -> None:
    """The record names the location of the whole, or says why it was not stored."""
    capture, _ = fed(b"some text that is long")

    assert (capture.output(at="s3://b/k").at, capture.output(status="disk full").status) == ("s3://b/k", "disk full")


@given(st.text(min_size=STATUS_BYTES // 4, max_size=600))
def test_a_long_status_is_shortened_in_the_middle(text: str) -> None:
    """An error of any length fits the row; its beginning and its end, which say most, are kept."""
    capture, _ = fed(b"some text that is long")
    status = capture.output(status=f"not stored: {text} (No space left on device)").status

    assert len(status.encode()) <= STATUS_BYTES
    assert (status[:12], status[-25:]) == ("not stored: ", " (No space left on device)"[-25:])


@pytest.mark.parametrize("tasks", [1, 16, 17, 100, 5000])
def test_the_output_of_an_item_stays_within_its_budget(tasks: int) -> None:
    """Both streams of all tasks together fit the budget of their item; up to 16 tasks get the full size."""
    assert inline_bytes(tasks) * 2 * tasks <= ITEM_OUTPUT_BYTES
    assert tasks > 16 or inline_bytes(tasks) == INLINE_BYTES
