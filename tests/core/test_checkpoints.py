"""The rules of checkpoints: which is restored, what is removed, and what is refused."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.checkpoints import (
    Entry,
    Manifest,
    Position,
    decode_manifest,
    digest_of,
    encode_manifest,
    newest,
    outdated,
)

POSITIONS = st.builds(Position, st.integers(1, 5), st.integers(1, 5))
STORED = st.sets(st.tuples(POSITIONS, st.sampled_from(["manifest", "pack"])))


def paths(stored: set[tuple[Position, str]]) -> list[str]:
    return [f"{position}/{what}" for position, what in stored]


@given(STORED, st.integers(1, 6), st.integers(0, 6))
def test_the_latest_whole_one_of_an_earlier_attempt_is_restored(
    stored: set[tuple[Position, str]], attempt: int, since: int
) -> None:
    """Never one of its own attempt or a later one, which a zombie or a clock may have written, nor one given up."""
    whole = [each for each, what in stored if what == "manifest" and since <= each.attempt < attempt]

    assert newest(paths(stored), before=attempt, since=since) == max(whole, default=None)


def test_numbers_are_not_compared_as_text() -> None:
    """Attempt 10 is later than attempt 9; what is no checkpoint is passed over."""
    assert newest(["9/1/manifest", "10/2/manifest", "x/y", "11/1/other", "12/a/manifest"], before=99) == (10, 2)


@given(STORED, POSITIONS, st.sets(st.integers(1, 5)))
def test_nothing_that_may_be_needed_is_removed(
    stored: set[tuple[Position, str]], position: Position, packs: set[int]
) -> None:
    """Neither what a later attempt or sequence wrote, nor the packs of the manifest that stands."""
    removed = outdated(paths(stored), position, frozenset(packs))
    kept = [each for each in stored if f"{each[0]}/{each[1]}" not in removed]

    assert all(each in kept for each in stored if each[0] >= position)
    assert all(
        (Position(position.attempt, pack), "pack") in kept
        for pack in packs
        if (Position(position.attempt, pack), "pack") in stored
    )
    assert all(each.attempt >= position.attempt for each, _ in kept)


ENTRIES = (
    Entry("a", 0o755, is_folder=True),
    Entry("a/last", 0o777, target="x"),
    Entry("a/x", 0o644, size_bytes=3, mtime_ns=5, digest="d", pack=2, offset=7),
    Entry("empty", 0o600, digest="e"),
)


def test_a_manifest_is_read_back() -> None:
    """Byte for byte what was written."""
    manifest = Manifest(ENTRIES, 12.5)

    assert decode_manifest(encode_manifest(manifest)) == manifest
    assert (manifest.size_bytes, manifest.files, manifest.packs) == (3, 3, frozenset({2}))


def test_only_content_makes_a_difference() -> None:
    """The same files, stored at another time in another pack, are the same state."""
    moved = tuple(Entry(*(*each.content[:1], each.mode, *each.content[1:4], 99, each.digest, 4, 1)) for each in ENTRIES)

    assert Manifest(moved, 1.0).is_like(Manifest(ENTRIES))
    assert not Manifest(ENTRIES[:-1]).is_like(Manifest(ENTRIES))
    assert not Manifest(ENTRIES).is_like(None)


@pytest.mark.parametrize("at", [0, 10, 40, -1])
def test_a_damaged_manifest_is_refused(at: int) -> None:
    """Whichever byte is wrong, or missing."""
    stored = bytearray(encode_manifest(Manifest(ENTRIES)))
    stored[at] ^= 1
    for damaged in (bytes(stored), bytes(stored[:-3]), b""):
        with pytest.raises(ValueError, match=r".+"):
            decode_manifest(damaged)


@pytest.mark.parametrize("path", ["../x", "/x", "a/../x", "a//x", "a/last/x", "missing/x", "empty", "", "."])
def test_a_manifest_that_leads_out_is_refused(path: str) -> None:
    """Also through a link or a file, and the same path twice: checksums do not tell who wrote it."""
    with pytest.raises(ValueError, match="no path in a folder"):
        decode_manifest(encode_manifest(Manifest((*ENTRIES, Entry(path, 0o644)))))


@pytest.mark.parametrize(("form", "entries"), list(product(["1", "2"], ["[[1]]", "[[]]", "[7]"])))
def test_what_is_no_manifest_of_ours_is_refused(form: str, entries: str) -> None:
    """With a good checksum, but something else in it."""
    content = f'{{"format": {form}, "seconds": 1, "entries": {entries}}}'.encode()
    with pytest.raises(ValueError, match=r".+"):
        decode_manifest(digest_of(content).encode() + b"\n" + content)
