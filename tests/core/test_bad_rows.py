"""Rows that cannot be read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyanamo_async.core import transitions
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import Item, State
from pyanamo_async.core.reasons import REASON_LENGTH
from pyanamo_async.core.stored.bad_rows import BadRows, burial, read_row, sort_rows
from pyanamo_async.core.stored.record import decode, decode_held, encode, encode_summary, summarise
from pyanamo_async.core.stored.worker_row import encode_worker, heartbeat_at, read_orders, read_worker
from pyanamo_async.core.trace import joblog, trace
from pyanamo_async.core.workers import NEVER, Desired, Orders, Worker, WorkerState
from pyanamo_async.errors import BadRow
from tests.damage import damage, damaged, paths, samples
from tests.fakes import NOON, an_item

MANY = settings(deadline=None, max_examples=300)
WORKER = Worker("w", "host", NOON, NOON, timedelta(seconds=180), slots=2)


@MANY
@given(st.sampled_from(samples()).flatmap(lambda item: damage(encode(item), keep=())))
def test_any_row_is_an_item_or_a_bad_row(row: dict[str, Any]) -> None:
    """Whatever is wrong with a row, reading it gives one error, or an item with which all goes on."""
    items, bad_rows = sort_rows([row], decode)
    for bad in bad_rows:
        assert bad.why.isprintable()
        assert len(burial(bad, now=NOON)["Reason"]) <= REASON_LENGTH
    for item in items:
        _use(item)


def _use(item: Item) -> None:
    assert item == decode(orjson.loads(orjson.dumps(encode(item))))
    assert len([*trace(item)]) == len([*joblog(item)])
    policy = FailurePolicy()
    claimed = transitions.claim(item, worker="w", token="t", now=NOON)
    settled = transitions.settle(claimed, {}, interrupted_by=None, now=NOON, policy=policy, jitter=0.5)
    assert encode(settled)
    assert encode(transitions.reclaim(claimed, now=NOON, policy=policy))


@MANY
@given(
    st.sampled_from(samples()).flatmap(lambda item: damage(encode(item), keep=())),
    st.sampled_from(State),
    st.sampled_from(["", "zzz", "1zzz", "12026-01-01T12:00:00.000Z", "2026-01-01T12:00:00.000Z", "w"]),
)
def test_any_row_of_an_index_is_a_line_of_a_listing_or_bad(row: dict[str, Any], state: State, key: str) -> None:
    """So is what an index shows of it; a key without a time just tells none."""
    try:
        summary = read_row(row, lambda row: summarise(row, state=state, key=key))
    except BadRow:
        return

    assert orjson.dumps(encode_summary(summary))


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (("TaskScript",), {}, "TaskScript is empty"),
        (("TaskScript",), 7, "script of Task_0 is 7: not text"),
        (("ItemState",), "paused", "ItemState is 'paused': 'paused' is not a valid State"),
        (("Attempt",), "one", "Attempt is 'one': not a whole number"),
        (("Attempt",), 1e100, "Attempt is 1e+100: not a whole number"),
        (("Attempt",), 10**9 + 1, "Attempt is 1000000001: not from 0 to 1,000,000,000"),
        (("Done_Date",), "yesterday", "Done_Date is 'yesterday': Invalid isoformat string: 'yesterday'"),
        (("Done_Date",), "2026-01-01", "Done_Date is '2026-01-01': not a time with an offset from UTC"),
        (("Log",), ["done"], "Log is ['done']: not a map"),
        (("Log",), {"Status": "Great"}, "Status is 'Great', none that is known"),
        (("itemID",), "#table", "itemID is '#table': not the id of an item"),
    ],
)
def test_a_bad_row_says_what_is_wrong(path: tuple[str, ...], value: object, why: str) -> None:
    """By the attribute, its value and its kind: a person mends it, or finds who wrote it."""
    with pytest.raises(BadRow) as caught:
        read_row(damaged(encode(an_item("a")), path, value), decode)

    assert why == caught.value.why


def test_a_missing_attribute_is_named() -> None:
    """A row without a script is no item."""
    with pytest.raises(BadRow, match="the row of 'a' cannot be read: TaskScript is missing"):
        read_row({"itemID": "a", "ItemState": "todo"}, decode)


def test_a_held_row_needs_what_ends_its_claim() -> None:
    """Without its token no write of its holder, or of who takes it over, could ever pass the fence."""
    held = transitions.claim(an_item("a"), worker="w", token="t", now=NOON)

    assert held == decode_held(encode(held), "w")
    for name in ("lockID", "Attempt", "InstanceID"):
        with pytest.raises(ValueError, match="held by 'w'"):
            decode_held({key: value for key, value in encode(held).items() if key != name}, "w")


def test_a_bad_row_is_told_of_once() -> None:
    """However often it is met."""
    told: list[str] = []
    rows = BadRows()
    rows.tell = lambda bad: told.append(bad.row_id)

    for _ in range(3):
        assert rows.skip([{"itemID": "a"}, encode(an_item("b"))], decode) == [an_item("b")]

    assert told == ["a"]
    assert len(rows) == 1


WORKER_ROW = {**encode_worker(WORKER), "Desired": "run", "Heartbeat": "2026-01-01T12:00:00.000Z", "State": "running"}


@MANY
@given(damage(WORKER_ROW, keep=("Heartbeat", "State")))
def test_a_worker_whose_row_is_bad_is_judged_by_its_heartbeat(row: dict[str, Any]) -> None:
    """It may live, and keep its items, or be dead, and lose them: that is known whatever else is not."""
    bad: list[BadRow] = []
    stamp, state = WORKER_ROW["Heartbeat"], WorkerState.RUNNING

    worker = read_worker(row, "w", stamp=stamp, state=state, following=[], note=bad.append)

    assert (worker.heartbeat, worker.state) == (NOON, WorkerState.RUNNING)
    assert bool(worker.problem) == bool(bad)


@pytest.mark.parametrize("stamp", ["", "zzz", "2026-01-01", None, 7, "9999-12-31T23:59:59Z"])
def test_a_heartbeat_that_cannot_be_read_makes_a_suspect(stamp: object) -> None:
    """One in the future is a suspect's: it dies if it shows the same for the lease, and its items go on."""
    assert heartbeat_at(stamp) == NEVER


@pytest.mark.parametrize("desired", ["pause", "", None, 7, []])
def test_orders_that_cannot_be_read_are_none(desired: object) -> None:
    """A worker goes on, and obeys what it understands."""
    orders = read_orders(desired, ["a/Task_0/1", "nothing", "a/Task_0/one"])

    assert orders.desired == Desired.RUN
    assert [str(each) for each in orders.following] == ["a/Task_0/1"]
    assert Orders(Desired.DRAIN) == read_orders("drain", [])


def test_every_attribute_is_damaged() -> None:
    """The strategies above reach the members of nested items and of their records."""
    deep = {path[-1] for item in samples() for path in paths(encode(item))}

    assert {"itemID", "TaskScript", "Task_1", "Script", "Status", "Log", "Exit_Code", "Started", "Attempt"} <= deep
