"""Descriptors are watched as the loop watches them: what one callback does costs no other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from pyanamo_async.execution.readers import Readers
from tests.process.scripts import until

pytestmark = pytest.mark.asyncio(loop_factories=["fast"])  # the others have their own


@pytest.fixture
def readable() -> Iterator[Callable[[], int]]:
    """Make descriptors that can be read at once."""
    opened: list[int] = []

    def one() -> int:
        reading, writing = os.pipe()
        opened.extend((reading, writing))
        os.write(writing, b"x")
        return reading

    yield one
    for fd in opened:
        with suppress(OSError):
            os.close(fd)


async def test_a_callback_that_fails_is_told_and_costs_the_others_nothing(readable: Callable[[], int]) -> None:
    """By the loop's exception handler."""
    loop, told, called = asyncio.get_running_loop(), list[Any](), list[int]()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    failing, others = readable(), [readable(), readable()]

    def fail() -> None:
        raise ZeroDivisionError

    loop.add_reader(failing, fail)
    for number, fd in enumerate(others):
        loop.add_reader(fd, called.append, number)
    await until(lambda: {*called} == {0, 1})  # and not only the one that fails, turn after turn
    assert [loop.remove_reader(fd) for fd in (failing, *others, failing)] == [True, True, True, False]

    assert {type(error) for error in told} == {ZeroDivisionError}


async def test_what_was_readable_is_not_told_to_who_has_the_number_since(readable: Callable[[], int]) -> None:
    """A callback may close another's descriptor, and the next that is opened bears its number."""
    readers, called = Readers(asyncio.get_running_loop()), list[str]()
    pair, (empty, writing) = [readable(), readable()], os.pipe()

    def replace(own: int) -> None:
        [other] = [fd for fd in pair if fd != own]
        called.append("first")
        readers.remove(other)
        os.dup2(empty, other)
        readers.add(other, lambda: called.append("wrong"))

    for fd in pair:
        readers.add(fd, lambda fd=fd: replace(fd))  # type: ignore[misc]
    readers.read()
    readers.close()
    os.close(empty)
    os.close(writing)

    assert called == ["first"]
