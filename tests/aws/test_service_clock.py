"""The time of a service, by the headers of its replies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pyanamo_async.aws.service_clock import ServiceClock
from tests.fakes import NOON

TOLD = "Thu, 01 Jan 2026 12:00:00 GMT"
SECOND = timedelta(seconds=1)


class Client:
    """The events of a client."""

    def __init__(self) -> None:
        self.meta = self.events = self

    def register(self, _: str, handler: Any) -> None:  # noqa: ANN401 # botocore's
        self.handler = handler

    def reply(self, **headers: str) -> None:
        self.handler(parsed={"ResponseMetadata": {"HTTPHeaders": headers}}, model=None)


class Seconds:
    """A monotonic clock."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def listening() -> tuple[ServiceClock, Client, Seconds]:
    seconds, client = Seconds(), Client()
    clock = ServiceClock(monotonic=seconds)
    clock.listen(client)
    return clock, client, seconds


def test_the_machine_is_asked_only_before_the_first_reply() -> None:
    """After it the service's time goes on with the monotonic clock, however wrong the machine's is."""
    clock, client, seconds = listening()
    wrong = NOON + timedelta(hours=5)
    assert clock.time(wrong) == wrong

    client.reply(date=TOLD)
    seconds.now += 61.5

    assert clock.time(wrong) == NOON + 61.5 * SECOND


def test_a_header_without_fractions_does_not_set_the_time_back() -> None:
    """A reply of the same second is no news."""
    clock, client, seconds = listening()
    client.reply(date=TOLD)
    seconds.now += 0.5
    client.reply(date=TOLD)

    assert clock.time(NOON) == NOON + 0.5 * SECOND


def test_a_clock_that_stood_still_is_set_again() -> None:
    """As after a suspension, in which the monotonic clock does not go on."""
    clock, client, seconds = listening()
    client.reply(date=TOLD)
    seconds.now += 0.1
    client.reply(date="Thu, 01 Jan 2026 13:00:00 GMT")

    assert clock.time(NOON) == NOON + timedelta(hours=1)


def test_replies_without_a_date_are_no_news() -> None:
    """Nor is one that cannot be read."""
    clock, client, _ = listening()
    client.reply(server="x")
    client.reply(date="noon")

    assert clock.time(NOON) == NOON


@pytest.mark.parametrize(
    "header",
    [
        "",
        "yesterday",
        "Thu, 99 Jan 2026 12:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ],
)
def test_a_header_that_tells_no_time_is_no_news(header: str) -> None:
    """A proxy may write what it likes."""
    clock, client, _ = listening()
    client.reply(date=TOLD)
    client.reply(date=header)

    assert clock.time(NOON + timedelta(hours=5)) == NOON


def test_a_time_of_no_known_place_is_utc() -> None:
    """RFC 5322 has `-0000` for it."""
    clock, client, _ = listening()
    client.reply(date=TOLD.replace("GMT", "-0000"))
    client.reply(date=TOLD)

    assert clock.time(NOON + timedelta(hours=5)) == NOON
