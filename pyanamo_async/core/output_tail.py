"""The last output of a running task, as people follow it: a bounded part of each stream, with its position in it."""

from __future__ import annotations

from typing import Self

from pyanamo_async.core.values import Value

TAIL_BYTES = 16 * 1024  # of each stream; DynamoDB charges publishing by the KB


class TaskRef(Value, order=True):
    """One attempt at one task of an item: what a person follows."""

    item_id: str
    task: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.item_id}/{self.task}/{self.attempt}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the task that `str` wrote."""
        item_id, task, attempt = text.rsplit("/", 2)
        return cls(item_id, task, int(attempt))


class TailChunk(Value):
    """The last bytes of a stream so far; `end` counts all bytes of the stream."""

    data: bytes = b""
    end: int = 0

    @property
    def start(self) -> int:
        """Return the position of the first byte in the stream."""
        return self.end - len(self.data)


class OutputTail(Value):
    """The last output of a running task."""

    stdout: TailChunk = TailChunk()
    stderr: TailChunk = TailChunk()


class TailBuffer:
    """The last bytes of a stream, as many as there is room for, continued from `known`."""

    def __init__(self, known: TailChunk = TailChunk(), *, room: int = TAIL_BYTES) -> None:  # noqa: B008 - frozen
        self._data, self._end, self._room = known.data, known.end, room

    def feed(self, chunk: bytes) -> None:
        """Append a chunk."""
        self._data = (chunk if len(chunk) >= self._room else self._data + chunk)[-self._room :]
        self._end += len(chunk)

    def chunk(self) -> TailChunk:
        """Return the bytes kept so far."""
        return TailChunk(self._data, self._end)
