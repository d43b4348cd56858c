"""Values are frozen, equal by type and content, and not tracked by the garbage collector."""

from __future__ import annotations

import gc

import pytest

from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Succeeded
from pyanamo_async.core.values import Value, replace
from tests.fakes import an_item


class Point(Value):
    x: int
    y: int = 0


class Pixel(Value):
    x: int
    y: int = 0


def test_a_value_never_changes() -> None:
    """Neither a field nor a new attribute can be set; `replace` returns another value."""
    point = Point(1)

    with pytest.raises(AttributeError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        point.z = 2  # type: ignore[attr-defined]
    assert (replace(point, x=2), point) == (Point(2), Point(1))


def test_only_fields_can_be_changed() -> None:
    """A name that is not a field is refused, by mypy too."""
    with pytest.raises(TypeError, match="no field 'z'"):
        replace(Point(1), z=2)  # type: ignore[call-arg]


def test_values_are_equal_by_type_and_content() -> None:
    """Equal values have equal hashes; values of two types are never equal."""
    assert Point(1) == Point(1, 0)
    assert len({Point(1), Point(1, 0), Point(2)}) == 2
    assert Point(1) != Pixel(1)  # type: ignore[comparison-overlap]
    assert (
        len({Succeeded(), Succeeded(), Failed(exit_code=1), Failed(exit_code=1), Interrupted(InterruptReason.STOP)})
        == 3
    )


def test_the_garbage_collector_does_not_track_values() -> None:
    """A collection takes no longer when a worker holds many items."""
    item = an_item("a")

    assert not gc.is_tracked(item)
    assert not gc.is_tracked(replace(item, attempt=1))
