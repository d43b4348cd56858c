"""Which samples are through which steps: one table for each step, and any number of items for each sample."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from pyanamo_async.core.items import UNFINISHED, State
from pyanamo_async.core.values import Value


class SampleStep(Value):
    """The items of one sample in one step: how many there are, and in which states."""

    items: int = 0
    done: int = 0
    failed: int = 0
    locked: int = 0
    waiting: int = 0

    @property
    def held(self) -> int:
        """Return how many are parked."""
        return self.items - self.done - self.failed - self.locked - self.waiting

    @property
    def is_through(self) -> bool:
        """Return whether the sample is through the step: it has items there, and all of them are done."""
        return 0 < self.items == self.done

    @property
    def state(self) -> str:
        """Return what a person wants to know first of it: `failed`, `held`, `running`, `todo` or `done`, or nothing."""
        for name, count in (("failed", self.failed), ("held", self.held), ("running", self.locked)):
            if count:
                return name
        return "todo" if self.waiting else "done" if self.items else ""


class SampleRow(Value):
    """A sample, and how it is in each step."""

    sample: str
    steps: tuple[SampleStep, ...]


NOTHING = SampleStep()


def with_item(known: SampleStep, state: State) -> SampleStep:
    """Return the items of a sample in a step, and one more in this state."""
    return SampleStep(
        known.items + 1,
        known.done + (state is State.DONE),
        known.failed + (state is State.FAILED),
        known.locked + (state is State.LOCKED),
        known.waiting + (state in UNFINISHED and state is not State.LOCKED),
    )


def sample_rows(
    steps: Sequence[Mapping[str, SampleStep]],
    *,
    through: Collection[int] = (),
    not_through: Collection[int] = (),
    failed_in: Collection[int] = (),
) -> Iterator[SampleRow]:
    """Yield the samples of steps by name: those that are through some, not through others, and failed in others."""
    for sample in sorted(set[str]().union(*steps)):
        row = SampleRow(sample, tuple(step.get(sample, NOTHING) for step in steps))
        if (
            all(row.steps[number].is_through for number in through)
            and not any(row.steps[number].is_through for number in not_through)
            and all(row.steps[number].failed for number in failed_in)
        ):
            yield row
