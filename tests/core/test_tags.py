"""Tags of records."""

from __future__ import annotations

from pyanamo_async.core.capture import Capture
from pyanamo_async.core.tags import tag_lines

PRINTED = b"begin\nPyAnamo:\tS1\t0.5\nPyAnamo: no tag\nPyAnamo:\tS2\t\nend\n"


def test_tags_are_the_same_whether_the_output_was_small_or_large() -> None:
    """The beginning of a tag is gone in both, and lines that are no tags are left out."""
    small, large = Capture(1000), Capture(20)
    small.feed(PRINTED)
    large.feed(PRINTED)

    assert tag_lines(small.output()) == ("S1\t0.5", "S2\t")
    assert tag_lines(large.output(at="elsewhere")) == ("S1\t0.5", "S2\t")


def test_no_output_has_no_tags() -> None:
    """A script that prints nothing has no tags, and neither has one that prints other lines."""
    silent, other = Capture(100), Capture(100)
    other.feed(b"hello\n")

    assert () == tag_lines(silent.output()) == tag_lines(other.output())
