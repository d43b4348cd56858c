"""A file in memory that is made of pages.

They come straight from the system and go back there: of hundreds of buffers that grow on the heap, each would leave
holes as large as itself behind.
"""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PAGE_BYTES = 256 * 1024


def pages_of(size: int) -> int:
    """Count the pages that so many bytes take."""
    return -(-size // PAGE_BYTES)


class Pages(io.RawIOBase):
    """Bytes to append to, and then to read as a file."""

    def __init__(self) -> None:
        self.size = 0
        self._pages: list[mmap.mmap] = []
        self._at = 0

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        left = memoryview(data)
        while left:
            page, offset = divmod(self.size, PAGE_BYTES)
            if page == len(self._pages):
                self._pages.append(mmap.mmap(-1, PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
            taken = left[: PAGE_BYTES - offset]
            self._pages[page][offset : offset + len(taken)] = taken
            self.size += len(taken)
            left = left[len(taken) :]

    def stored(self) -> Iterator[bytes]:
        """Copy what it holds, page by page."""
        for start in range(0, self.size, PAGE_BYTES):
            yield self._pages[start // PAGE_BYTES][: self.size - start]

    def clear(self) -> None:
        """Give the pages back."""
        for page in self._pages:
            page.close()
        self._pages.clear()
        self.size = self._at = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read again."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Choose where the next read begins."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read on, at most to the end of a page."""
        page, offset = divmod(self._at, PAGE_BYTES)
        wanted = memoryview(buffer)
        length = max(0, min(len(wanted), PAGE_BYTES - offset, self.size - self._at))
        if length:
            wanted[:length] = self._pages[page][offset : offset + length]
        self._at += length
        return length
