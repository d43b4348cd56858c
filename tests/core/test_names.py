"""Names that a person types are found in any case, or answered with what there is."""

from __future__ import annotations

import pytest

from pyanamo_async.core.names import did_you_mean, find_name
from pyanamo_async.errors import UsageError
from pyanamo_async.operate import listing

KNOWN = {"itemid": "itemID", "id": "itemID", "priority": "Priority"}


def find(text: str) -> str:
    return find_name(text, KNOWN, argument="columns", owner="item", names=["itemID", "Priority"], called="names")


@pytest.mark.parametrize("typed", ["itemID", "ITEMID", " id "])
def test_a_name_is_found_in_any_case_and_by_its_other_word(typed: str) -> None:
    """Blanks around it do not matter."""
    assert find(typed) == "itemID"


@pytest.mark.parametrize(
    ("typed", "what", "hint"),
    [
        ("", "`columns` has an empty name", "the names are itemID, Priority"),
        ("priorty", "`columns` has 'priorty', which no item has", "did you mean Priority? the names are"),
        ("zzz", "`columns` has 'zzz', which no item has", "the names are itemID"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_those_that_are(typed: str, what: str, hint: str) -> None:
    """An empty one is called empty."""
    with pytest.raises(UsageError) as refused:
        find(typed)

    assert refused.value.what == what
    assert refused.value.hint.startswith(hint)


def test_a_likely_name_is_asked_for_in_the_quotes_of_its_place() -> None:
    """And nothing is asked when nothing is near."""
    assert did_you_mean("PRIORTY", KNOWN, quote='"') == 'did you mean "Priority"? '
    assert did_you_mean("x" * 1000, KNOWN) == ""


@pytest.mark.parametrize(
    ("head", "stored"),
    [("since", "Done_Date"), ("remark", "Reason"), ("tasks", "Nested_Tasks")],
)
def test_the_heads_of_a_listing_are_names_too(head: str, stored: str) -> None:
    """What a person reads above a column can be typed."""
    assert listing.find_field(head, "sort") == stored
