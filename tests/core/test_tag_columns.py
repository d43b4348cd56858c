"""Columns for the fields of tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.tags import (
    TagColumn,
    TagKind,
    Unfit,
    column_order,
    kind_of,
    on_line,
    parse_tag_names,
    tag_values,
)
from pyanamo_async.errors import UsageError

NAMED = parse_tag_names("SampleID, chromosome:int,,depth:float", taken=("itemID",))


def test_names_have_types() -> None:
    """Text, unless another follows a colon; a field without a name is left out."""
    assert (
        TagColumn("SampleID"),
        TagColumn("chromosome", TagKind.INT),
        TagColumn(""),
        TagColumn("depth", TagKind.FLOAT),
    ) == NAMED
    assert tag_values("S1\t21\tx\t30.5", NAMED) == {"SampleID": "S1", "chromosome": 21, "depth": 30.5}
    assert parse_tag_names(["a:b:int"], taken=()) == (TagColumn("a:b", TagKind.INT),)


def test_without_names_fields_are_numbered_texts() -> None:
    """As they were printed: a sample called 007 stays what it is."""
    assert tag_values("007\t\t1e3 ", None) == {"tag_1": "007", "tag_2": "", "tag_3": "1e3 "}


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("", "names nothing"),
        (",,", "names nothing"),
        ("a,b:number", "'b:number', which has an unknown type"),
        ("a,A", "'A' twice"),
        ("a,ItemID", "another column has that name"),
        ("depth_line2", "not a valid name"),
        ("a\x1b", "not a valid name"),
        ("x" * 101, "not a valid name"),
    ],
)
def test_invalid_names_are_refused(names: str, says: str) -> None:
    """Before anything is read; databases do not tell names by case."""
    with pytest.raises(UsageError, match=says):
        parse_tag_names(names, taken=("itemID",))


@pytest.mark.parametrize("missing", ["", " ", "NA", "nan", "NaN"])
def test_numbers_may_be_missing(missing: str) -> None:
    """Tools print these where there is nothing to count."""
    assert tag_values(f"S1\t{missing}\t\t{missing}", NAMED) == {"SampleID": "S1", "chromosome": None, "depth": None}


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ("S1\t21\tx", "3 fields, but 4 names"),
        ("S1\t21\tx\t1\t2", "5 fields, but 4 names"),
        ("S1\tX\tx\t1", "chromosome is 'X', not of type int"),
        ("S1\t1.5\tx\t1", "chromosome is '1.5', not of type int"),
        ("S1\t1_0\tx\t1", "chromosome is '1_0', not of type int"),
        ("S1\t٣\tx\t1", "not of type int"),
        (f"S1\t{'9' * 19}\tx\t1", "not of type int"),
        ("S1\t1\tx\tinf", "depth is 'inf', not of type float"),
        ("S1\t1\tx\t1e999", "not of type float"),
        ("S1\t1\tx\t1_0.5", "not of type float"),
        ("S1\t1\tx\tdeep", "depth is 'deep', not of type float"),
    ],
)
def test_what_does_not_fit_says_why(tag: str, why: str) -> None:
    """It is never made to fit."""
    with pytest.raises(Unfit, match=why):
        tag_values(tag, NAMED)


@given(st.text())
def test_a_tag_without_names_keeps_every_character(tag: str) -> None:
    """Joined by tabs, the fields are the tag."""
    try:
        values = tag_values(tag, None)
    except Unfit:
        assert tag.count("\t") >= 500
    else:
        assert "\t".join(map(str, values.values())) == tag


def test_tags_in_one_row_have_columns_in_their_order() -> None:
    """By line, then by field, also where there are more than nine."""
    names = [*on_line({"tag_10": "x", "tag_2": "x"}, 1), *on_line({"tag_1": "x"}, 12), *on_line({"tag_1": "x"}, 2)]

    assert sorted(names, key=column_order(None)) == ["tag_2", "tag_10", "tag_1_line2", "tag_1_line12"]
    named = ["depth_line2", "SampleID_line2", "depth", "SampleID"]
    assert sorted(named, key=column_order(NAMED)) == ["SampleID", "depth", "SampleID_line2", "depth_line2"]
    assert [kind_of(name, NAMED) for name in ("depth_line2", "SampleID")] == [TagKind.FLOAT, TagKind.TEXT]
