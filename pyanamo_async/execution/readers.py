"""Descriptors that are read whenever there is something to read: an epoll of ours within the loop's.

A script has up to three of them for some milliseconds. For each, uvloop makes and unmakes a handle of libuv and proves
that it may be watched: 8 us and seven system calls, against 2.5 us and two here.

Laws: a callback that fails is told to the loop's exception handler, and costs the others nothing. None is called for
what was readable before it was added: the descriptor may bear the number of one that was closed since.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


class Readers:
    """The descriptors of one loop that are watched, each with its callback."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], object]] = {}

    def fileno(self) -> int:
        """Tell the descriptor that is readable when any of them is."""
        return self._epoll.fileno()

    def add(self, fd: int, callback: Callable[[], object]) -> None:
        """Watch a descriptor, or give it another callback.

        Raises:
            OSError: it is none, or of a kind that is always ready (a regular file).
        """
        if fd not in self._callbacks:
            self._epoll.register(fd, select.EPOLLIN)
        self._callbacks[fd] = callback

    def remove(self, fd: int) -> bool:
        """Watch it no longer; False when it was not watched. To be called before it is closed."""
        if self._callbacks.pop(fd, None) is None:
            return False
        self._epoll.unregister(fd)
        return True

    def read(self) -> None:
        """Call back for all that are readable."""
        for fd, callback in [(fd, self._callbacks.get(fd)) for fd, _ in self._epoll.poll(0)]:
            if callback is not None and self._callbacks.get(fd) is callback:  # unless one before removed or replaced it
                try:
                    callback()
                except Exception as error:  # noqa: BLE001 - as the loop does
                    self._loop.call_exception_handler({"message": f"reading descriptor {fd}", "exception": error})

    def close(self) -> None:
        """Let go of the epoll; harmless when repeated."""
        self._epoll.close()


def descriptor(file: FileDescriptorLike) -> int:
    """Tell the descriptor of a file, or of a number that is one."""
    return file if isinstance(file, int) else file.fileno()
