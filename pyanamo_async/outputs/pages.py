"""A file object in memory, made of pages that `mmap` allocates.

Closed pages go straight back to the operating system. Hundreds of buffers that grow on the heap would fragment it.
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
    """Return how many pages so many bytes take."""
    return -(-size // PAGE_BYTES)


class Pages(io.RawIOBase):
    """Bytes that are appended and then read as a file."""

    def __init__(self) -> None:
        self.size = 0
        self._pages: list[mmap.mmap] = []
        self._offset = 0

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        rest = memoryview(data)
        while rest:
            page, offset = divmod(self.size, PAGE_BYTES)
            if page == len(self._pages):
                self._pages.append(mmap.mmap(-1, PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
            taken = rest[: PAGE_BYTES - offset]
            self._pages[page][offset : offset + len(taken)] = taken
            self.size += len(taken)
            rest = rest[len(taken) :]

    def stored(self) -> Iterator[bytes]:
        """Yield copies of the stored bytes, page by page."""
        for start in range(0, self.size, PAGE_BYTES):
            yield self._pages[start // PAGE_BYTES][: self.size - start]

    def clear(self) -> None:
        """Free all pages."""
        for page in self._pages:
            page.close()
        self._pages.clear()
        self.size = self._offset = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the offset of the next read and return it."""
        self._offset = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self.size}[whence]
        return self._offset

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read at most to the end of the current page; return the number of bytes."""
        page, offset = divmod(self._offset, PAGE_BYTES)
        wanted = memoryview(buffer)
        length = max(0, min(len(wanted), PAGE_BYTES - offset, self.size - self._offset))
        if length:
            wanted[:length] = self._pages[page][offset : offset + length]
        self._offset += length
        return length
