"""Decide what a record keeps of one stream: the whole if it is small, otherwise its tags or its tail.

1. Output of up to `inline_bytes` is kept in the record; more goes to a sink, all of it.
2. Memory does not depend on how much a script prints, and the result not on how the output is cut into chunks.
3. What a record keeps fits its budget, counted in UTF-8, and never ends or begins within a character.
"""

from __future__ import annotations

from pyanamo_async.core.items import Output
from pyanamo_async.core.output_tail import TailChunk
from pyanamo_async.core.stored.budget import STATUS_BYTES

MARK = b"\nPyAnamo:\t"  # a tag is a line that begins so
_SLACK = 3  # bytes of a cut UTF-8 character: kept, so that the cut can move to the edge of the character


class Capture:
    """Keeps a whole stream while it fits inline, then its tags and its tail; counts bytes and lines.

    The caller passes what `feed` and `end` return to a sink. While they return nothing, the record holds the whole.
    """

    def __init__(self, inline_bytes: int, *, tagged: bool = True) -> None:
        self.size_bytes = 0
        self._limit = inline_bytes
        self._head = b""
        self._scan: _Scan | None = None
        self._tagged = tagged

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk and return the bytes for the sink: all so far once they no longer fit, then each chunk."""
        self.size_bytes += len(chunk)
        if self._scan:
            self._scan.feed(chunk)
            return chunk
        self._head += chunk
        return self._spill() if self.size_bytes > self._limit else b""

    def end(self) -> bytes:
        """End the stream; return the bytes for the sink: small output too if it is not UTF-8, for records are text."""
        return b"" if self._scan or _is_utf8(self._head) else self._spill()

    def tail(self) -> TailChunk:
        """Return the last bytes so far, as many as are in memory."""
        return TailChunk(self._scan.tail if self._scan else self._head, self.size_bytes)

    def output(self, *, at: str = "", status: str = "") -> Output:
        """Return what the record holds. `at` is where the sink stored the whole, `status` why it could not."""
        if self._scan:
            text, lines = self._scan.text(self._limit), self._scan.lines
        else:
            text, lines = self._head.decode(errors="replace"), _count_lines(self._head)
        return Output(text=text, at=at, size_bytes=self.size_bytes, lines=lines, status=_shorten(status, STATUS_BYTES))

    def _spill(self) -> bytes:
        """Stop keeping the whole, and return it."""
        whole, self._head = self._head, b""
        self._scan = _Scan(self._limit + _SLACK, tagged=self._tagged)
        self._scan.feed(whole)
        return whole


class _Scan:
    """Finds the tags, the tail and the lines of a stream that is too large to keep."""

    def __init__(self, room: int, *, tagged: bool) -> None:
        self._room = room
        self._newlines = 0
        self.tail = b""
        self._tags = Tags(room) if tagged else None

    def feed(self, chunk: bytes) -> None:
        self._newlines += chunk.count(b"\n")
        self.tail = (chunk if len(chunk) >= self._room else self.tail + chunk)[-self._room :]
        if self._tags:
            self._tags.feed(chunk)

    @property
    def lines(self) -> int:
        return self._newlines + (not self.tail.endswith(b"\n"))

    def text(self, limit: int) -> str:
        if self._tags and self._tags.found:
            return _first(self._tags.found, limit)
        return _last(self.tail, limit)


class Tags:
    """Collects the lines that begin with `PyAnamo:<TAB>`, without it, up to `room` bytes."""

    def __init__(self, room: int) -> None:
        self.found = b""
        self._room = room
        self._edge = b"\n"  # the end of the text so far, if a mark may have begun in it
        self._open = False  # the text so far ended within a tag

    def feed(self, chunk: bytes) -> None:
        """Look for tags in a chunk."""
        if len(self.found) == self._room:
            return
        text = self._edge + chunk
        start = 0 if self._open else _after_mark(text, 0)
        while start >= 0:
            end = text.find(b"\n", start) + 1
            self._open = not end
            self.found += text[start : end or None][: self._room - len(self.found)]
            start = -1 if self._open else _after_mark(text, end - 1)
        self._edge = b"" if self._open else _begun_mark(text)


def _after_mark(text: bytes, start: int) -> int:
    """Return the position after the next mark, or -1."""
    mark = text.find(MARK, start)
    return mark if mark < 0 else mark + len(MARK)


def _begun_mark(text: bytes) -> bytes:
    """Return the end of a text that may be the beginning of a mark."""
    _, newline, line = text[1 - len(MARK) :].rpartition(b"\n")
    return newline + line if newline and MARK.startswith(newline + line) else b""


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _count_lines(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n") if data else 0)


def _shorten(text: str, limit: int) -> str:
    """Return a text without its middle if it takes more than `limit` bytes in UTF-8."""
    data = text.encode(errors="replace")
    if len(data) <= limit:
        return data.decode()
    half = (limit - 3) // 2
    return f"{data[:half].decode(errors='ignore')}...{data[-half:].decode(errors='ignore')}"


def _first(data: bytes, limit: int) -> str:
    """Return the first bytes as text that takes at most `limit` bytes in UTF-8."""
    return data.decode(errors="replace").encode()[:limit].decode(errors="ignore").removesuffix("\n")


def _last(data: bytes, limit: int) -> str:
    """Return the last bytes as text that takes at most `limit` bytes in UTF-8.

    A line that was cut at the front is left out, unless most of the text is of that line.
    """
    shown = data.decode(errors="replace").encode()
    cut = max(0, len(shown) - limit)
    if cut and shown[cut - 1 : cut] != b"\n":
        cut = shown.find(b"\n", cut, cut + limit // 2) + 1 or cut
    return shown[cut:].decode(errors="ignore")
