"""Tags of records."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.capture import Capture
from pyanamo_async.core.tags import LONGEST_TAG, TagFinder, tag_lines

PRINTED = b"begin\nPyAnamo:\tS1\t0.5\nPyAnamo: no tag\nPyAnamo:\tS2\t\nend\n"


def test_tags_are_the_same_whether_the_output_was_small_or_large() -> None:
    """The beginning of a tag is gone in both, and lines that are no tags are left out."""
    small, large = Capture(1000), Capture(20)
    small.feed(PRINTED)
    large.feed(PRINTED)

    assert tag_lines(small.output()) == ("S1\t0.5", "S2\t")
    assert tag_lines(large.output(at="elsewhere")) == ("S1\t0.5", "S2\t")


def test_what_a_record_has_no_room_for_is_counted() -> None:
    """All tags are counted; those that the record cuts or lacks are known to be cut."""
    tags = [f"S{number}\t{'x' * 30}" for number in range(10)]
    printed = "".join(f"PyAnamo:\t{tag}\n" for tag in tags).encode()
    for room in range(1, 400):
        capture = Capture(room)
        for at in range(0, len(printed), 7):
            capture.feed(printed[at : at + 7])
        output = capture.output(at="elsewhere")
        lines = tag_lines(output)
        whole = [held for held, tag in zip(lines, tags, strict=False) if held == tag]

        assert (output.tags, output.tags_cut) == (10, 10 - len(whole))


def test_the_end_of_a_large_output_is_no_tag() -> None:
    """A record without tags holds the tail; its lines are not taken for tags."""
    capture = Capture(20)
    capture.feed(b"line\n" * 100)

    assert capture.output(at="elsewhere").text
    assert tag_lines(capture.output(at="elsewhere")) == ()


def test_no_output_has_no_tags() -> None:
    """A script that prints nothing has no tags, and neither has one that prints other lines."""
    silent, other = Capture(100), Capture(100)
    other.feed(b"hello\n")

    assert () == tag_lines(silent.output()) == tag_lines(other.output())


PIECES = st.sampled_from([b"PyAnamo:\t", b"PyAnamo:", b"\n", b"x", b"\t", b"PyAnamo:\ty\n", "\u00e9".encode(), b"\xff"])


@given(st.lists(PIECES, max_size=12).map(b"".join), st.integers(1, 9))
def test_a_finder_finds_the_tags_of_a_stream_however_it_is_cut(printed: bytes, size: int) -> None:
    """The same that a small record would hold."""
    finder, found = TagFinder(), list[str]()
    for start in range(0, len(printed), size):
        found += finder.feed(printed[start : start + size])
    whole = [line for line in printed.split(b"\n") if line.startswith(b"PyAnamo:\t")]

    assert [*found, *finder.end()] == [line.removeprefix(b"PyAnamo:\t").decode(errors="replace") for line in whole]


def test_a_finder_keeps_no_more_than_the_longest_tag() -> None:
    """A line without end is cut there, and other lines are not kept at all."""
    finder = TagFinder()
    assert finder.feed(b"no tag") == finder.feed(b"z" * LONGEST_TAG) == []
    [tag] = [*finder.feed(b"\nPyAnamo:\t" + b"x" * LONGEST_TAG), *finder.feed(b"x" * 1000), *finder.feed(b"\n")]

    assert set(tag) == {"x"}
    assert len(tag) < LONGEST_TAG
