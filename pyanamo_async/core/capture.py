"""What the record keeps of one stream, while the whole goes to storage when it is large.

Memory does not depend on how much a script prints, and what is kept not on how it is cut into chunks. A small output
costs next to nothing: it is looked at once, when it ends or no longer fits.
"""

from __future__ import annotations

from pyanamo_async.core.items import Output
from pyanamo_async.core.output_tail import TailChunk

MARK = b"\nPyAnamo:\t"  # a tag begins a line
_SLACK = 3  # bytes a cut may leave of a UTF-8 character: kept, so that the cut can be moved to the character's edge


class Capture:
    """Keep the whole of a stream while it fits inline, then its tags and its tail; count bytes and lines.

    A sink is to take what `feed` and `end` return. As long as they return nothing, the record holds the whole.
    """

    def __init__(self, inline_bytes: int, *, tagged: bool = True) -> None:
        self.size_bytes = 0
        self._limit = inline_bytes
        self._head = b""
        self._scan: _Scan | None = None
        self._tagged = tagged

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk; return what a sink is to take for it: all so far when it stops fitting, then each chunk."""
        self.size_bytes += len(chunk)
        if self._scan:
            self._scan.feed(chunk)
            return chunk
        self._head += chunk
        return self._spill() if self.size_bytes > self._limit else b""

    def end(self) -> bytes:
        """Take the end; return the whole when it fits but is not UTF-8: no record can hold that byte for byte."""
        return b"" if self._scan or _is_text(self._head) else self._spill()

    def tail(self) -> TailChunk:
        """Show the last bytes so far, as many as are at hand."""
        return TailChunk(self._scan.tail if self._scan else self._head, self.size_bytes)

    def output(self, *, at: str = "", status: str = "") -> Output:
        """Tell what the record is to hold; `at` is where a sink has put the whole, `status` why it could not."""
        if self._scan:
            text, lines = self._scan.text(self._limit), self._scan.lines
        else:
            text, lines = self._head.decode(errors="replace"), _lines(self._head)
        return Output(text=text, at=at, size_bytes=self.size_bytes, lines=lines, status=status)

    def _spill(self) -> bytes:
        whole, self._head = self._head, b""
        self._scan = _Scan(self._limit + _SLACK, tagged=self._tagged)
        self._scan.feed(whole)
        return whole


class _Scan:
    """Look through a stream that is too large to keep."""

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
    """Gather the lines that begin with `PyAnamo:<TAB>`, without it, as far as there is room for them."""

    def __init__(self, room: int) -> None:
        self.found = b""
        self._room = room
        self._edge = b"\n"  # the end of what was seen, when a mark may have begun in it
        self._open = False  # what was seen ended within a tag

    def feed(self, chunk: bytes) -> None:
        """Take a chunk."""
        if len(self.found) == self._room:
            return
        text = self._edge + chunk
        at = 0 if self._open else _after_mark(text, 0)
        while at >= 0:
            end = text.find(b"\n", at) + 1
            self._open = not end
            self.found += text[at : end or None][: self._room - len(self.found)]
            at = -1 if self._open else _after_mark(text, end - 1)
        self._edge = b"" if self._open else _begun_mark(text)


def _after_mark(text: bytes, start: int) -> int:
    at = text.find(MARK, start)
    return at if at < 0 else at + len(MARK)


def _begun_mark(text: bytes) -> bytes:
    _, newline, line = text[1 - len(MARK) :].rpartition(b"\n")
    return newline + line if newline and MARK.startswith(newline + line) else b""


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _lines(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n") if data else 0)


def _first(data: bytes, limit: int) -> str:
    """Show the first bytes as text; what it takes in UTF-8 again stays within `limit`."""
    return data.decode(errors="replace").encode()[:limit].decode(errors="ignore").removesuffix("\n")


def _last(data: bytes, limit: int) -> str:
    """Show the last bytes as text, without the line that was cut at the front unless most is of that line.

    What it takes in UTF-8 again stays within `limit`.
    """
    shown = data.decode(errors="replace").encode()
    cut = max(0, len(shown) - limit)
    if cut and shown[cut - 1 : cut] != b"\n":
        cut = shown.find(b"\n", cut, cut + limit // 2) + 1 or cut
    return shown[cut:].decode(errors="ignore")
