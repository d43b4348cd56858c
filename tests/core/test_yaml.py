"""Templates as YAML."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.text.yaml import to_yaml

TEXTS = st.text() | st.sampled_from(
    ["no", "ON", "1e3", "2010-09-09", "AWS::DynamoDB::Table", "a: b", "- a", "a b", "~"]
)
VALUES = st.recursive(
    st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
def test_what_is_written_is_read_back(value: dict[str, object]) -> None:
    """Whatever a text looks like, it stays a text."""
    assert yaml.safe_load(to_yaml(value)) == value


@pytest.mark.parametrize("text", ["Table", "AWS::DynamoDB::Table", "PAY_PER_REQUEST"])
def test_plain_words_are_not_quoted(text: str) -> None:
    """A person reads it."""
    assert to_yaml({"a": text}) == f"a: {text}\n"
