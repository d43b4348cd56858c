"""Events of CloudWatch Logs: complete, in order, and within the limits of the service."""

from __future__ import annotations

import io
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.outputs.events import EventJoiner, batches, event_prefix, events
from pyanamo_async.ports import OutputKey

PREFIX = event_prefix(OutputKey("t", "item 1", "Task_0", 2, "stdout"))
BATCH_BYTES, BATCH_EVENTS, EVENT_OVERHEAD_BYTES = 1_048_576, 10_000, 26  # what PutLogEvents is documented to take
MOST_EVENT_BYTES = 256 * 1024 - EVENT_OVERHEAD_BYTES
chunks = st.lists(st.one_of(st.binary(), st.sampled_from([b"\n", b"a b\n", "ä€😀".encode(), b"\xff", b"\r\n", b"\0"])))


def events_of(output: bytes, prefix: str = PREFIX) -> list[str]:
    return list(events(prefix, io.BytesIO(output)))


def joined(messages: list[str]) -> bytes:
    joiner = EventJoiner(PREFIX)
    return b"".join(map(joiner.feed, messages))


def test_a_line_is_an_event_with_item_task_and_attempt() -> None:
    """People read and search them; bytes that are not text are in base64."""
    assert events_of(b"one\ntwo\n\xff\n\nend") == [
        "item=201/Task_0/2.stdout 0. one",
        "item=201/Task_0/2.stdout 1. two",
        "item=201/Task_0/2.stdout 2= /wo=",
        "item=201/Task_0/2.stdout 3. ",
        "item=201/Task_0/2.stdout 4+ end",
        "item=201/Task_0/2.stdout 5$ ",
    ]


@given(chunks)
def test_events_hold_every_byte(pieces: list[bytes]) -> None:
    """Whatever the bytes."""
    assert joined(events_of(b"".join(pieces))) == b"".join(pieces)


@given(chunks, st.data())
def test_a_missing_event_is_noticed(pieces: list[bytes], data: st.DataObject) -> None:
    """Wherever it was, at the end too, and not before all have come."""
    messages = events_of(b"".join(pieces))
    missing = data.draw(st.integers(0, len(messages) - 1))
    joiner = EventJoiner(PREFIX)

    for message in (*messages[:missing], *messages[missing + 1 :]):
        joiner.feed(message)
        assert not joiner.is_complete
    joiner.feed(messages[missing])
    assert joiner.is_complete


@given(chunks, st.randoms())
def test_events_may_come_in_any_order_more_than_once_and_among_others(pieces: list[bytes], rng: random.Random) -> None:
    """A request that is sent again doubles them, and events of one moment have no order of their own."""
    ours = events_of(b"".join(pieces))
    others = events_of(b"".join(pieces), "other/Task_0/1.stdout") + events_of(b"".join(pieces), PREFIX + "2")
    messages = [*ours, *ours, *others, "something else"]
    rng.shuffle(messages)

    assert joined(messages) == b"".join(pieces)


@pytest.mark.parametrize("unit", [b"x", "ä".encode(), "😀".encode(), b"\xff", "€".encode() + b"\x80"])
def test_long_lines_are_split_within_the_limit(unit: bytes) -> None:
    """No event is larger than the service takes, and nothing is lost."""
    line = b"a" + unit * (1_000_000 // len(unit)) + b"\nnext\n"
    messages = events_of(line)

    assert max(len(message.encode()) for message in messages) <= MOST_EVENT_BYTES
    assert joined(messages) == line
    assert "�" not in "".join(messages)


def test_the_longest_prefix_leaves_room_for_bytes_that_are_not_text() -> None:
    """Ids are bounded, so are events."""
    longest = event_prefix(OutputKey("t", "x" * 500, "y" * 500, 10**9, "stdout"))

    assert max(len(message) for message in events_of(b"\xff" * 1_000_000, longest)) <= MOST_EVENT_BYTES


@given(st.lists(st.integers(0, MOST_EVENT_BYTES), max_size=60))
def test_requests_stay_within_the_limits_of_bytes(lengths: list[int]) -> None:
    """Each event counts 26 bytes more; all are sent, in order, and none is sent alone without need."""
    messages = ["é" * (length // 2) for length in lengths]
    sent = list(batches(messages))

    assert [message for batch in sent for message in batch] == messages
    assert all(counted(batch) <= BATCH_BYTES for batch in sent)
    assert all(counted([*batch, after[0]]) > BATCH_BYTES for batch, after in pairwise(sent))


def test_requests_stay_within_the_limit_of_events() -> None:
    """10,000 a request."""
    assert [len(batch) for batch in batches(["x"] * (2 * BATCH_EVENTS + 1))] == [BATCH_EVENTS, BATCH_EVENTS, 1]


def test_what_each_event_counts_more_is_counted() -> None:
    """Short lines reach the limit of bytes by their overhead."""
    fit = 1_048_576 // (100 + 26)

    assert [len(batch) for batch in batches(["x" * 100] * 9_000)] == [fit, 9_000 - fit]


def counted(batch: list[str]) -> int:
    return sum(len(message.encode()) + EVENT_OVERHEAD_BYTES for message in batch)
