"""What a person sees of a task that runs: a bounded piece of what it printed last, by place in the whole stream."""

from __future__ import annotations

from typing import Self

from pyanamo_async.core.values import Value

TAIL_BYTES = 16 * 1024  # of a stream, as much as one look shows; DynamoDB charges a look by the KB


class TaskRef(Value, order=True):
    """What somebody follows: one attempt at one task of an item, and so of one worker."""

    item_id: str
    task: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.item_id}/{self.task}/{self.attempt}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `str` wrote."""
        item_id, task, attempt = text.rsplit("/", 2)
        return cls(item_id, task, int(attempt))


class TailChunk(Value):
    """The last bytes of a stream so far; `end` counts all it has printed."""

    data: bytes = b""
    end: int = 0

    @property
    def start(self) -> int:
        """Tell where in the stream its bytes begin."""
        return self.end - len(self.data)


class OutputTail(Value):
    """What was printed last by a task that runs."""

    stdout: TailChunk = TailChunk()
    stderr: TailChunk = TailChunk()


class TailBuffer:
    """Keeps the last bytes of a stream, from `known` on."""

    def __init__(self, known: TailChunk) -> None:
        self._data, self._end = known.data, known.end

    def feed(self, chunk: bytes) -> None:
        """Take a chunk."""
        self._data = (chunk if len(chunk) >= TAIL_BYTES else self._data + chunk)[-TAIL_BYTES:]
        self._end += len(chunk)

    def chunk(self) -> TailChunk:
        """Show what is kept."""
        return TailChunk(self._data, self._end)
