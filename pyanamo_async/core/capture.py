"""Decide what a record keeps of one stream: the whole if it is small, otherwise its tags or its tail.

1. Output of up to `inline_bytes` is kept in the record; more goes to a sink, all of it.
2. Memory does not depend on how much a script prints, and the result not on how the output is cut into chunks.
3. What a record keeps fits its budget, counted in UTF-8, and never ends or begins within a character.
4. All tags are counted, also those that a record has no room for, and asked whether they mean a failure.
"""

from __future__ import annotations

import re

from pyanamo_async.core.items import Output
from pyanamo_async.core.output_tail import TailBuffer, TailChunk
from pyanamo_async.core.stored.row_size import STATUS_BYTES

MATCHED_BYTES = 4096  # of a tag, that a pattern sees
MARK = b"\nPyAnamo:\t"  # a tag is a line that begins so
_TAG = re.compile(MARK + rb"([^\n]*)(?=(\n?))")  # its newline may be the first byte of the next mark
_SLACK = 3  # bytes of a cut UTF-8 character: kept, so that the cut can move to the edge of the character


class Capture:
    """Keeps a whole stream while it fits inline, then its tags and its tail; counts bytes and lines.

    The caller passes what `feed` and `end` return to a sink. While they return nothing, the record holds the whole.
    Tags that match `fail_on` mean a failure.
    """

    def __init__(self, inline_bytes: int, *, tagged: bool = True, fail_on: re.Pattern[str] | None = None) -> None:
        self.size_bytes = 0
        self._limit = inline_bytes
        self._tail = TailBuffer(room=inline_bytes + _SLACK)  # the whole while it fits inline
        self._tags = Tags(inline_bytes + _SLACK, fail_on) if tagged else None
        self._newlines = 0
        self._spilled = False

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk and return the bytes for the sink: all so far once they no longer fit, then each chunk."""
        before = b"" if self._spilled else self.tail().data
        self.size_bytes += len(chunk)
        self._newlines += chunk.count(b"\n")
        self._tail.feed(chunk)
        if self._tags:
            self._tags.feed(chunk)
        self._spilled = self._spilled or self.size_bytes > self._limit
        return before + chunk if self._spilled else b""

    def end(self) -> bytes:
        """End the stream; return the bytes for the sink: small output too if it is not UTF-8, for records are text."""
        whole = self.tail().data
        if self._spilled or _is_utf8(whole):
            return b""
        self._spilled = True
        return whole

    def tail(self) -> TailChunk:
        """Return the last bytes so far, as many as are in memory."""
        return self._tail.chunk()

    @property
    def failing_tag(self) -> str | None:
        """Return the first tag that means a failure, without its beginning, however the script exited."""
        return self._tags.match() if self._tags else None

    def output(self, *, at: str = "", status: str = "") -> Output:
        """Return what the record holds. `at` is where the sink stored the whole, `status` why it could not."""
        tail = self.tail().data
        lines = self._newlines + (tail != b"" and not tail.endswith(b"\n"))
        tags, tags_cut = self._tags.count if self._tags else 0, 0
        if self._spilled and self._tags and tags:
            text, whole_lines = _first(self._tags.found, self._limit)
            tags_cut = tags - whole_lines
        else:
            text = _last(tail, self._limit)
        return Output(
            text=text,
            at=at,
            size_bytes=self.size_bytes,
            lines=lines,
            status=_shorten(status, STATUS_BYTES),
            tags=tags,
            tags_cut=tags_cut,
        )


class Tags:
    """Counts the lines that begin with `PyAnamo:<TAB>`, and collects them, without it, up to `room` bytes.

    It also looks for the first that matches `pattern`; of a long one its beginning counts.
    """

    def __init__(self, room: int, pattern: re.Pattern[str] | None = None) -> None:
        self.found = b""
        self.count = 0
        self._room, self._pattern = room, pattern
        self._line = b""  # the tag that is not complete, if there is a pattern
        self._matched: str | None = None
        self._edge = b"\n"  # the end of the text so far, if a mark may have begun in it
        self._open = False  # the text so far ended within a tag

    def feed(self, chunk: bytes) -> None:
        """Look for tags in a chunk."""
        text = (MARK if self._open else self._edge) + chunk
        tags = _TAG.findall(text)
        self.count += len(tags) - self._open
        if len(self.found) < self._room:
            self.found = b"".join((self.found, *(part for tag in tags for part in tag)))[: self._room]
        if self._pattern and self._matched is None:
            self._find_match(tags)
        self._open = bool(tags) and not tags[-1][1]
        self._edge = b"" if self._open else _begun_mark(text)

    def match(self) -> str | None:
        """Return the first tag so far that matches the pattern; one may end where the output ends."""
        return self._matched if self._matched is not None or not self._open else self._if_matching(self._line)

    def _find_match(self, tags: list[tuple[bytes, bytes]]) -> None:
        for text, newline in tags:
            self._line = (self._line + text)[:MATCHED_BYTES]
            if newline:
                self._matched = self._if_matching(self._line)
                self._line = b""
            if self._matched is not None:
                return

    def _if_matching(self, line: bytes) -> str | None:
        text = line.decode(errors="replace")
        return text if self._pattern and self._pattern.search(text) else None


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


def _shorten(text: str, limit: int) -> str:
    """Return a text without its middle if it takes more than `limit` bytes in UTF-8."""
    data = text.encode(errors="replace")
    if len(data) <= limit:
        return data.decode()
    half = (limit - 3) // 2
    return f"{data[:half].decode(errors='ignore')}...{data[-half:].decode(errors='ignore')}"


def _first(data: bytes, limit: int) -> tuple[str, int]:
    """Return the first bytes as text that takes at most `limit` bytes in UTF-8, and how many lines of it are whole."""
    text = data.decode(errors="replace").encode()
    kept, more = text[:limit], text[limit:]
    is_whole = not kept.endswith(b"\n") and (not more or more.startswith(b"\n"))  # the last line, without its end
    return kept.decode(errors="ignore").removesuffix("\n"), kept.count(b"\n") + is_whole


def _last(data: bytes, limit: int) -> str:
    """Return the last bytes as text that takes at most `limit` bytes in UTF-8.

    A line that was cut at the front is left out, unless most of the text is of that line.
    """
    shown = data.decode(errors="replace").encode()
    cut = max(0, len(shown) - limit)
    if cut and shown[cut - 1 : cut] != b"\n":
        cut = shown.find(b"\n", cut, cut + limit // 2) + 1 or cut
    return shown[cut:].decode(errors="ignore")
