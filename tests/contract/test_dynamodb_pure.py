"""The parts of the DynamoDB store that need no DynamoDB: values, requests, places, the candidate cache, the schema."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core import transitions
from pyanamo_async.core.items import State, TaskState
from pyanamo_async.core.outcomes import Succeeded
from pyanamo_async.core.values import replace
from pyanamo_async.errors import SchemaMismatch
from pyanamo_async.store.dynamodb import schema
from pyanamo_async.store.dynamodb.candidate_cache import IDLE_TTL_S, CandidateCache
from pyanamo_async.store.dynamodb.codec import marshal, marshal_row, unmarshal, unmarshal_row
from pyanamo_async.store.dynamodb.rows import Candidate, change, claiming, place
from pyanamo_async.store.dynamodb.writes import Delete, Insert, Update, request, statement
from tests.contract.steps import POLICY, a_record, settled
from tests.fakes import NOON, an_item

IDLE_S = 16 * IDLE_TTL_S
FLOATS = st.floats(min_value=-1e125, max_value=1e125, allow_subnormal=False).filter(lambda x: not 0 < abs(x) < 1e-129)
SCALARS = st.text() | st.integers(-(10**37), 10**37) | FLOATS
PLAIN = st.recursive(
    SCALARS, lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(min_size=1), each, max_size=4)
)
NAMES = st.text("abcXYZ_019", min_size=1, max_size=8)


class TestValues:
    @given(PLAIN)
    def test_every_plain_value_reads_back_as_it_was(self, value: object) -> None:
        """Texts of any characters, whole numbers of any size, floats to the last bit, and what is made of them."""
        assert unmarshal(marshal(value)) == value

    @given(st.dictionaries(NAMES, SCALARS))
    def test_values_are_typed_as_amazons_own_reader_has_them(self, row: dict[str, Any]) -> None:
        """Numbers are read by boto3 as the same numbers, texts as the same texts."""
        theirs = {name: TypeDeserializer().deserialize(value) for name, value in marshal_row(row).items()}

        assert row == {name: float(v) if isinstance(row[name], float) else v for name, v in theirs.items()}

    @pytest.mark.parametrize("value", [None, True, b"bytes", float("nan"), float("inf"), Decimal(1), {1}, (1,)])
    def test_what_is_not_plain_is_refused(self, value: object) -> None:
        """Nothing is stored that would not read back as it was."""
        with pytest.raises(TypeError):
            marshal(value)

    def test_what_others_stored_is_read(self) -> None:
        """A notebook's sets, booleans and nulls do not keep an item from being read."""
        row: dict[str, Any] = {"a": {"BOOL": True}, "b": {"NULL": True}, "c": {"SS": ["x"]}, "d": {"B": b"y"}}

        assert unmarshal_row(row) == {"a": True, "b": None, "c": ["x"], "d": b"y"}


class TestWrites:
    def test_both_languages_say_the_same(self) -> None:
        """An update has its values in the statement's order, and the same names and values in the plain request."""
        update = Update("a", {"Gone": None, "Attempt": 1}, {("Log", "Task_3"): "x", ("ItemState",): "done"}, [("Old",)])

        assert statement(update, "t") == {
            "Statement": 'UPDATE "t" SET "Log"."Task_3"=? SET "ItemState"=? REMOVE "Old"'
            ' WHERE "itemID"=? AND "Gone" IS MISSING AND "Attempt"=?',
            "Parameters": [{"S": "x"}, {"S": "done"}, {"S": "a"}, {"N": "1"}],
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        operation, arguments = request(update, "t")
        assert operation == "update_item"
        names = arguments["ExpressionAttributeNames"]
        assert sorted(names.values()) == ["Attempt", "Gone", "ItemState", "Log", "Old", "Task_3"]
        assert list(arguments["ExpressionAttributeValues"].values()) == [{"S": "x"}, {"S": "done"}, {"N": "1"}]

    def test_names_cannot_break_out(self) -> None:
        """A quote in a name stays within the name."""
        text = statement(Delete("a", {'x" OR "y': 1}), "t")

        assert text is not None
        assert text["Statement"] == 'DELETE FROM "t" WHERE "itemID"=? AND "x"" OR ""y"=?'

    def test_a_statement_that_would_be_too_long_is_none(self) -> None:
        """What PartiQL does not take travels as a plain request."""
        plural: dict[str, object] = {"itemID": "a"} | {f"attribute_{number}": number for number in range(1000)}

        assert statement(Insert(plural), "t") is None
        assert request(Insert(plural), "t")[1]["Item"]["attribute_7"] == {"N": "7"}


class TestChanges:
    def test_a_save_writes_only_what_changed(self) -> None:
        """A script of 100 KB does not travel again because an item is done."""
        held = transitions.claim(an_item("a", script="x" * 100_000), worker="w", token="t", now=NOON)
        done = settled(held)

        update = change(held, done, shards=16, tiebreak="00")

        assert ("TaskScript",) not in update.sets
        assert update.expected == {"ItemState": "locked", "Attempt": 1, "lockID": "t"}
        assert update.sets[("ItemState",)] == "done"
        assert update.sets[("Queue",)] == place(done, shards=16, tiebreak="00")["Queue"]

    def test_progress_writes_only_the_tasks_that_ended(self) -> None:
        """One task of many costs a request of one task; the item keeps its place in the index."""
        before = transitions.claim(an_item("a", nested=["true"] * 50), worker="w", token="t", now=NOON)
        one = transitions.record(before, {"Task_3": a_record(Succeeded(), before)}, policy=POLICY)
        two = transitions.record(one, {"Task_7": a_record(Succeeded(), before)}, policy=POLICY)

        update = change(one, two, shards=16, tiebreak="00")

        assert set(update.sets) == {("TaskScript", "Task_7"), ("Log", "Task_7"), ("Log_Length",)}
        assert not update.removes

    def test_the_first_progress_makes_the_log(self) -> None:
        """A member cannot be set in a map that is not there yet."""
        before = transitions.claim(an_item("a", nested=["true"] * 3), worker="w", token="t", now=NOON)
        after = transitions.record(before, {"Task_1": a_record(Succeeded(), before)}, policy=POLICY)

        assert set(change(before, after, shards=16, tiebreak="00").sets) == {
            ("Log",),
            ("Log_Length",),
            ("TaskScript", "Task_1"),
        }

    def test_many_tasks_at_once_go_as_a_whole(self) -> None:
        """The text of a change stays within what DynamoDB parses, however many tasks an item has."""
        before = transitions.claim(an_item("a", nested=["true"] * 500), worker="w", token="t", now=NOON)
        tasks = tuple(replace(task, state=TaskState.FAILED, failures=3) for task in before.tasks)

        update = change(before, replace(before, tasks=tasks), shards=16, tiebreak="00")

        assert set(update.sets) == {("TaskScript",), ("Failures",)}
        assert statement(update, "t") is not None

    def test_a_change_of_nothing_is_still_a_fence(self) -> None:
        """Saving an item as it was asks whether it still is."""
        held = transitions.claim(an_item("a"), worker="w", token="t", now=NOON)

        assert change(held, held, shards=16, tiebreak="00").sets == {("ItemState",): "locked"}

    def test_a_claim_is_conditional_on_exactly_what_was_seen(self) -> None:
        """Its place in the queue, which whoever was there meanwhile has changed, and the state that belongs to it."""
        seen = Candidate("a", "todo#3", "05abcd", 0, "token")

        update = claiming(seen, worker="w", now=NOON)

        assert update.expected == {"Queue": "todo#3", "Queue_Key": "05abcd", "ItemState": "todo"}
        assert update.sets[("Queue",)] == "locked#3"
        assert update.returning

    def test_an_item_without_a_time_has_a_place_too(self) -> None:
        """A key of an index cannot be empty."""
        assert place(an_item("a", state=State.DONE), shards=1, tiebreak="") == {"Queue": "done#0", "Queue_Key": "-"}


class TestCandidateCache:
    @pytest.mark.parametrize("every_s", [1.0, 4.0, 8.0, 15.0])
    def test_an_idle_worker_asks_for_each_state_at_most_sixty_times_a_minute(self, every_s: float) -> None:
        """An hour of polling an empty table of 16 shards; from a period of 4 s on it is 20 times a minute."""
        cache, queried, now_s = a_cache(16), 0, 0.0
        while now_s < 3600:
            for shard in cache.shards_to_query(NOON, now_s=now_s):
                cache.note_head(shard, None, now_s=now_s)
                queried += 1
            assert len(cache.shards_of_unknown_due(now_s=now_s)) == 0
            now_s += every_s

        assert queried / 60 <= (60.5 if every_s == 1 else 20)

    @pytest.mark.parametrize("every_s", [2.0, 7.0, 15.0])
    def test_what_comes_is_found_within_eighty_seconds(self, every_s: float) -> None:
        """No shard goes unseen for longer, however the worker polls; and not all are looked at together."""
        cache, seen = a_cache(16), dict.fromkeys(range(16), 0.0)
        now_s, most = 0.0, 0
        while now_s < 3600:
            queried = cache.shards_to_query(NOON, now_s=now_s)
            most = max(most, len(queried)) if now_s > 600 else 0
            for shard in queried:
                assert now_s - seen[shard] <= 80 + every_s
                seen[shard] = now_s
                cache.note_head(shard, None, now_s=now_s)
            now_s += every_s

        assert most < 12

    def test_whoever_has_just_claimed_sweeps_when_there_is_no_more(self) -> None:
        """Beliefs from before the last claim of this store, in this state, hold for two seconds only."""
        cache = a_cache(4)
        for shard in range(4):
            cache.note_head(shard, None, now_s=0)
        cache.forget_head(3, now_s=1)

        assert cache.shards_of_unknown_due(now_s=1.5) == [3]
        assert cache.shards_of_unknown_due(now_s=3) == [0, 1, 2, 3]

    def test_after_an_announcement_nothing_is_believed_for_long(self) -> None:
        """Neither what was seen before, nor what an index shows that may be late; then all is as before."""
        cache = a_cache(4)
        for shard in range(4):
            cache.note_head(shard, None, now_s=shard)
        cache.expire_heads(now_s=3)
        cache.forget_head(3, now_s=3)
        assert sorted(cache.shards_to_query(NOON, now_s=3.5)) == [0, 1, 3]

        for now_s in (3.5, 6.5):
            assert len(cache.shards_of_unknown_due(now_s=now_s + 2)) == 4
            for shard in range(4):
                cache.note_head(shard, None, now_s=now_s)
        assert cache.shards_of_unknown_due(now_s=8.6) == []

    def test_no_look_is_repeated_within_two_seconds(self) -> None:
        """A sweep that found nothing is believed, however often the worker asks."""
        cache = a_cache(4)
        for shard in range(4):
            cache.note_head(shard, None, now_s=shard / 10)

        assert cache.shards_to_query(NOON, now_s=1.9) == []
        assert cache.shards_to_query(NOON, now_s=2.1) == [0]

    def test_a_queue_that_seemed_claimable_is_never_believed(self) -> None:
        """Others may have taken all of it since: when it is due is asked again."""
        cache = a_cache()
        cache.note_head(0, "05abc", now_s=0)

        assert cache.shards_of_unknown_due(now_s=0) == [0]

    def test_a_delayed_queue_is_looked_at_when_it_is_due(self) -> None:
        """No look is wasted on a shard whose first item is not due, none is missed when it is."""
        cache = a_cache(2)
        cache.note_head(0, "12026-01-01T12:00:05.000Z", now_s=0)
        cache.note_head(1, None, now_s=1)

        assert cache.next_due() == NOON + timedelta(seconds=5)
        assert cache.shards_to_query(NOON + timedelta(seconds=4), now_s=2) == [0]  # the longest unseen
        cache.note_head(0, "12026-01-01T12:00:05.000Z", now_s=2.5)
        assert cache.shards_to_query(NOON + timedelta(seconds=4), now_s=3) == [1]
        assert cache.shards_to_query(NOON + timedelta(seconds=5), now_s=2.5) == [0]

    def test_hints_go_stale(self) -> None:
        """What is left over of a page is tried for 40 ms: then others have had it."""
        cache = a_cache()
        cache.add_hints([Candidate(name, "todo#0", "05a", 0, "t") for name in "abc"], now_s=0)

        assert len(cache.take(2, now_s=0.04)) == 2
        assert cache.take(2, now_s=0.05) == []

    def test_hints_live_long_where_nobody_else_claims(self) -> None:
        """When no claim was lost for 15 s, what is left over of a page is tried for a second."""
        cache = a_cache()
        for added_s, taken_s, expected in ((0, 0.5, 0), (16, 16.9, 1), (17, 18.1, 0)):
            cache.add_hints([Candidate(str(added_s), "todo#0", "05a", 0, "t")], now_s=added_s)
            assert len(cache.take(1, now_s=taken_s)) == expected
        cache.note_lost_claim(now_s=19)
        cache.add_hints([Candidate("late", "todo#0", "05a", 0, "t")], now_s=20)
        assert cache.take(1, now_s=20.5) == []

    def test_a_lost_claim_drops_the_rest_of_its_page(self) -> None:
        """Another worker knows the same page: the next is read elsewhere."""
        cache = a_cache()
        cache.add_hints([Candidate(str(number), "todo#0", "05a", 0, "t") for number in range(20)], now_s=0)
        cache.note_lost_claim(now_s=0)

        assert cache.take(5, now_s=0) == []

    def test_a_lost_claim_does_not_drop_what_may_be_ours(self) -> None:
        """An unanswered claim stays until it is answered."""
        cache = a_cache()
        cache.keep_unanswered(Candidate("a", "todo#0", "05a", 0, "t"))
        cache.note_lost_claim(now_s=0)

        assert [each.item_id for each in cache.take(1, now_s=99)] == ["a"]

    def test_a_stale_index_does_not_bring_back_what_was_tried(self) -> None:
        """An item that the index still shows is not contended for twice."""
        cache = a_cache()
        seen = Candidate("a", "todo#0", "05a", 0, "t")
        cache.add_hints([seen], now_s=0)
        assert cache.take(1, now_s=0) == [seen]
        cache.add_hints([seen, replace(seen, queue_key="05b")], now_s=0)

        assert cache.take(5, now_s=0) == [replace(seen, queue_key="05b")]

    def test_an_unanswered_claim_is_tried_again_first(self) -> None:
        """However late: only its token tells whether the item is ours."""
        cache = a_cache()
        seen = Candidate("a", "todo#0", "05a", 0, "t")
        cache.keep_unanswered(seen)
        cache.add_hints([replace(seen, item_id="b")], now_s=999)

        assert cache.take(1, now_s=999) == [replace(seen, unanswered=True)]

    def test_a_throttled_claim_is_tried_again_and_was_not_won(self) -> None:
        """A throttled worker does not look again and again for what it may hold; unless an earlier claim was lost."""
        cache = a_cache()
        for was_lost in (False, True):
            cache.keep_unanswered(Candidate("a", "todo#0", "05a", 0, "t", unanswered=was_lost), throttled=True)
            assert cache.has_unanswered is was_lost
            [again] = cache.take(1, now_s=99)
            cache.keep_unanswered(again, throttled=True)
            assert cache.has_unanswered is was_lost
            assert [each.item_id for each in cache.take(1, now_s=99)] == ["a"]


def a_cache(shards: int = 1) -> CandidateCache:
    """An empty cache."""
    return CandidateCache(shards, rng=random.Random(1), idle_ttl_s=IDLE_S)


class TestSchema:
    def test_further_indexes_bring_their_attributes(self) -> None:
        """Keys of further indexes are declared, numbers as numbers."""
        extra_indexes = {
            "IndexName": "ByLog",
            "KeySchema": [
                {"AttributeName": "taskID", "KeyType": "HASH"},
                {"AttributeName": "Log_Length", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }

        created = schema.creation("t", [extra_indexes])

        types = {each["AttributeName"]: each["AttributeType"] for each in created["AttributeDefinitions"]}
        assert types == {"itemID": "S", "Queue": "S", "Queue_Key": "S", "taskID": "S", "Log_Length": "N"}
        assert [index["IndexName"] for index in created["GlobalSecondaryIndexes"]] == ["QueueIndex", "ByLog"]

    def test_further_indexes_are_described_as_they_are_created(self) -> None:
        """So that a table can be made like another."""
        extra_indexes = {
            "IndexName": "ByTask",
            "KeySchema": [{"AttributeName": "taskID", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["Log"]},
        }
        told = {"IndexStatus": "ACTIVE", "IndexSizeBytes": 0, "ProvisionedThroughput": {"ReadCapacityUnits": 0}}
        created = schema.creation("t", [extra_indexes])
        described = created | {"TableStatus": "ACTIVE"}
        described["GlobalSecondaryIndexes"] = [index | told for index in created["GlobalSecondaryIndexes"]]

        assert schema.description(described, 1).extra_indexes == (extra_indexes,)

    @pytest.mark.parametrize(
        ("row", "hint"),
        [
            (None, "table create"),
            ({"itemID": "#table"}, "update pyanamo"),
            ({"itemID": "#table", "Schema_Version": 1}, "import the items there"),
            ({"itemID": "#table", "Schema_Version": 99}, "update pyanamo"),
        ],
    )
    def test_a_table_of_another_version_is_refused_with_a_way_out(self, row: dict[str, Any] | None, hint: str) -> None:
        """A table is used only by the schema that created it."""
        with pytest.raises(SchemaMismatch, match="table 't'") as refused:
            schema.shards_of(row, "t")

        assert hint in refused.value.hint
