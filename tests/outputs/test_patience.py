"""The laws of `outputs.patience`."""

from __future__ import annotations

import pytest

from pyanamo_async.errors import BucketMissing, Denied, OutputError, OutputMissing, PyanamoError, Unavailable
from pyanamo_async.outputs.patience import IMPATIENT
from tests.outputs.fake_time import FakeTime


class Service:
    """Fails as often as it is told to, then answers."""

    def __init__(self, *errors: PyanamoError) -> None:
        self.errors = list(errors)
        self.asked = 0

    async def answer(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


async def test_what_is_unavailable_is_tried_again() -> None:
    """Failures that may pass are waited out, with pauses that grow to 15 seconds."""
    time, service = FakeTime(), Service(*[Unavailable("down")] * 9)

    assert await time.patience().through(service.answer) == "answer"
    assert time.pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15, 15]


async def test_patience_ends() -> None:
    """After five minutes the last failure becomes an `OutputError` that says how long was tried."""
    time, service = FakeTime(), Service(*[Unavailable("bucket 'b' does not answer", hint="look")] * 1000)

    with pytest.raises(OutputError, match=r"bucket 'b' does not answer \(tried again for 5 minutes\). hint: look"):
        await time.patience().through(service.answer)
    assert time.seconds == 300


async def test_who_waits_long_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """A short failure is nobody's business; a long one is told with its reason, not at every try."""
    time = FakeTime()
    await time.patience().through(Service(*[Unavailable("disk full")] * 3).answer)
    assert caplog.messages == []

    await time.patience().through(Service(*[Unavailable("disk full", hint="free some")] * 9).answer)
    assert caplog.messages == ["output waits: disk full. hint: free some"]


async def test_the_wish_of_a_service_is_heard() -> None:
    """A service that says when to come back is not asked before."""
    time, service = FakeTime(), Service(Unavailable("slow down", retry_after_s=40))
    await time.patience().through(service.answer)

    assert time.pauses == [40]


@pytest.mark.parametrize("error", [Denied("no"), PyanamoError("odd")])
async def test_what_no_waiting_mends_fails_at_once(error: PyanamoError) -> None:
    """It becomes an `OutputError`, so that whoever writes has one error to know."""
    time, service = FakeTime(), Service(error)

    with pytest.raises(OutputError, match=error.what):
        await time.patience().through(service.answer)
    assert time.pauses == []


@pytest.mark.parametrize("error", [OutputMissing("gone"), BucketMissing("none")])
async def test_errors_of_output_stay_what_they_are(error: OutputError) -> None:
    """Whoever reads wants to know what is missing."""
    with pytest.raises(type(error)):
        await FakeTime().patience().through(Service(error).answer)


async def test_the_impatient_ask_once() -> None:
    """Without patience the first failure counts, and no waiting is claimed."""
    service = Service(Unavailable("down"))

    with pytest.raises(OutputError, match=r"^down$"):
        await IMPATIENT.through(service.answer)
    assert service.asked == 1
