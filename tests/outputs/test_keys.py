"""The names of outputs within a bucket or folder."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.values import replace
from pyanamo_async.outputs.keys import NAME_LENGTH, folder_name, folder_path, output_path, safe_name
from pyanamo_async.ports import OutputKey

LONGEST_FILE_NAME = 255
ids = st.one_of(st.text(), st.text(alphabet="a=/.%h0F", min_size=150), st.text(min_size=180, max_size=300))


def test_the_path_is_that_of_the_documentation() -> None:
    """Ordinary ids are not changed."""
    key = OutputKey("step_1", "NA12878.chr1-2", "Task_0", 3, "stdout")

    assert output_path(key) == "step_1/NA12878.chr1-2/Task_0/3.stdout.gz"
    assert output_path(replace(key, mark="1f0a9b7c")) == "step_1/NA12878.chr1-2/Task_0/3-1f0a9b7c.stdout.gz"


@given(ids, ids)
def test_no_two_ids_share_a_name(one: str, other: str) -> None:
    """Different ids have different names."""
    assert (safe_name(one) == safe_name(other)) == (one == other)


@given(ids)
def test_a_name_is_safe_everywhere(identifier: str) -> None:
    """Names have letters, digits, `.`, `_`, `-` and `=`, are no longer than 200, and are neither empty nor hidden."""
    assert re.fullmatch(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*", safe_name(identifier))
    assert len(safe_name(identifier)) <= NAME_LENGTH


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("..", "=2E."),
        ("", "=h" + "e3b0c44298fc1c149afbf4c8996fb924"),
        ("a b/c", "a=20b=2Fc"),
        ("100%", "100=25"),
        ("é", "=C3=A9"),
    ],
)
def test_unsafe_characters_are_quoted(identifier: str, expected: str) -> None:
    """Each byte of it as `=` and two hex digits."""
    assert safe_name(identifier) == expected


variants = st.text(alphabet="aAbB_0=T", max_size=12) | st.sampled_from(["Task_0", "task_0", "TASK_0", "tAsk_00"]) | ids


@given(variants, variants | st.none(), st.randoms())
def test_no_two_ids_share_a_folder_where_case_is_ignored(one: str, other: str | None, dice: Random) -> None:
    """File systems of macOS and Windows, and shares of theirs, take `a` and `A` for one name."""
    other = "".join(dice.choice((each.lower(), each.upper())) for each in one) if other is None else other

    assert (folder_name(one).lower() == folder_name(other).lower()) == (one == other)
    assert len(folder_name(one)) <= LONGEST_FILE_NAME


def test_most_names_in_a_folder_are_as_in_a_bucket() -> None:
    """Names without capitals, and those of tasks; others say which of their letters are."""
    key = OutputKey("step-1f", "HG002.chr1", "Task_12", 3, "stdout")

    assert folder_path(key) == "step-1f/HG002.chr1=u18/Task_12/3.stdout.gz"
    assert folder_path(replace(key, mark="1f0a9b7c")) == "step-1f/HG002.chr1=u18/Task_12/3-1f0a9b7c.stdout.gz"
