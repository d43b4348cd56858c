"""How storage calls are retried, and what their callers are told."""

from __future__ import annotations

import pytest

from pyanamo_async.errors import BucketMissing, Denied, OutputError, OutputMissing, PyanamoError, Unavailable
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.outputs.retrying import ONCE, WRITE_SCHEDULE, retry_output
from simulation.virtual_time import VirtualLoop, run

DOWN = Unavailable("bucket 'b' does not answer", hint="look")


class Service:
    """Fails with these errors, one at each call, then answers; `times` are when it was called."""

    def __init__(self, *errors: PyanamoError) -> None:
        self.errors = list(errors)
        self.times: list[float] = []

    def call(self, schedule: RetrySchedule = WRITE_SCHEDULE) -> str:
        """Call it on virtual time until it answers."""

        async def main(loop: VirtualLoop) -> str:
            async def answer() -> str:
                self.times.append(loop.time())
                if self.errors:
                    raise self.errors.pop(0)
                return "answer"

            return await retry_output(answer, schedule, monotonic=loop.time)

        return run(main)


def test_what_is_unavailable_is_tried_again() -> None:
    """Failures that may pass are waited out."""
    service = Service(*[DOWN] * 9)

    assert service.call() == "answer"
    assert len(service.times) == 10


def test_pauses_grow_to_fifteen_seconds() -> None:
    """From 0.2 s on, each anywhere in its range."""
    pauses = [[WRITE_SCHEDULE.pause_s(failures, jitter) for jitter in (0.0, 1.0)] for failures in (1, 2, 7, 8, 100)]

    assert pauses == [[0.0, 0.2], [0.0, 0.4], [0.0, 12.8], [0.0, 15.0], [0.0, 15.0]]


def test_retrying_ends_after_five_minutes() -> None:
    """The last failure becomes an `OutputError` that says how long the call was tried."""
    service = Service(*[DOWN] * 1000)

    with pytest.raises(OutputError, match=r"bucket 'b' does not answer \(tried again for 5 minutes\). hint: look"):
        service.call()
    assert service.times[-1] == pytest.approx(300)


def test_a_long_wait_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A short failure is not logged; a long one is, with its reason, and not at every try."""
    Service(*[Unavailable("disk full")] * 3).call()
    assert caplog.messages == []

    Service(*[Unavailable("disk full", hint="free some")] * 9).call()
    assert caplog.messages == ["output waits: disk full. hint: free some"]


def test_a_pause_that_the_service_asks_for_is_kept() -> None:
    """A service that says when to come back is not called before."""
    service = Service(Unavailable("slow down", retry_after_s=40))
    service.call()

    assert service.times == [0, pytest.approx(40)]


@pytest.mark.parametrize("error", [Denied("no"), PyanamoError("odd")])
def test_what_no_retry_heals_fails_at_once(error: PyanamoError) -> None:
    """It becomes an `OutputError`, so that a caller has one error to know."""
    service = Service(error)

    with pytest.raises(OutputError, match=error.what):
        service.call()
    assert len(service.times) == 1


@pytest.mark.parametrize("error", [OutputMissing("gone"), BucketMissing("none")])
def test_errors_of_output_stay_what_they_are(error: OutputError) -> None:
    """A reader needs to know what is missing."""
    with pytest.raises(type(error)):
        Service(error).call()


def test_without_retries_the_first_failure_counts() -> None:
    """And the error claims no retry."""
    service = Service(Unavailable("down"))

    with pytest.raises(OutputError, match=r"^down$"):
        service.call(ONCE)
    assert len(service.times) == 1
