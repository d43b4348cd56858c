"""Sorting rows of any number."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.operate.row_files import sort_rows, with_same_columns

KEYS = st.none() | st.integers(0, 9) | st.floats(0, 9) | st.sampled_from(["a", "b", "B"])
Row = tuple[int, object]
DECODER = msgspec.msgpack.Decoder(Row)


async def _rows(keys: Sequence[object]) -> AsyncIterator[Row]:
    for row in enumerate(keys):
        yield row


async def _sorted(keys: Sequence[object], *, reverse: bool = False, limit: int | None = None) -> list[object]:
    found = sort_rows(_rows(keys), lambda row: row[1], DECODER.decode, reverse=reverse, limit=limit)
    return [key async for _, key in found]


@pytest.mark.parametrize(
    ("reverse", "expected"), [(False, [3, 2.5, 1, "a", "b", None]), (True, ["b", "a", 1, 2.5, 3, None])]
)
async def test_numbers_come_before_texts_and_missing_values_last(reverse: bool, expected: list[object]) -> None:
    """The largest number first; reversed, missing values are still last."""
    assert await _sorted([None, 1, "b", 2.5, "a", 3], reverse=reverse) == expected


@given(st.lists(KEYS), st.none() | st.integers(0, 5))
async def test_the_first_of_all_are_the_first_of_some(keys: list[object], limit: int | None) -> None:
    """Nothing is lost, and a limit takes the beginning; equal keys stay in their order."""
    everything = await _sorted(keys)

    assert sorted(map(repr, everything)) == sorted(map(repr, keys))
    assert await _sorted(keys, limit=limit) == everything[:limit]


async def test_memory_does_not_grow_with_the_rows() -> None:
    """Sorted, or until their columns are known: they wait in a file."""
    text = "x" * 6000

    async def rows() -> AsyncIterator[dict[str, object]]:
        for number in range(6000):
            yield {"number": number % 1000, f"text_{number % 2}": text}

    same_columns = with_same_columns(rows(), {"number": None}, str)
    by_number = sort_rows(rows(), lambda row: row["number"], msgspec.msgpack.decode, limit=None)
    for found in (same_columns, by_number):
        tracemalloc.start()
        try:
            number = sum([1 async for _ in found])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert number == 6000
        assert peak < 20 << 20
