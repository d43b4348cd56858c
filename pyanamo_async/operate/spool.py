"""Ids that are kept in a file: many of them, each once, in the order in which they came."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from types import TracebackType
from typing import Self

from pyanamo_async.core.selection import CheckedIds

DIGEST_BYTES = 16
IN_MEMORY_BYTES = 8 << 20  # of ids, beyond which they go to a file
READ_TOGETHER = 1000


class SpooledIds(CheckedIds):
    """Ids in a temporary file that leaving the block deletes. Memory holds a digest of each, a third of an id."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, "w+b")  # noqa: SIM115 # closed by `__exit__`
        self._known: set[bytes] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, item_id: str) -> None:
        """Add an id, unless it is there; not while somebody iterates."""
        digest = _digest(item_id)
        if digest not in self._known:
            self._known.add(digest)
            self._file.write(json.dumps(item_id).encode() + b"\n")  # a line, whatever characters it has

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, item_id: object) -> bool:
        return isinstance(item_id, str) and _digest(item_id) in self._known

    def __iter__(self) -> Iterator[str]:
        self._file.flush()
        position = 0
        while True:
            self._file.seek(position)
            lines = list(islice(self._file, READ_TOGETHER))
            position = self._file.tell()
            if not lines:
                return
            for line in lines:
                yield json.loads(line)


def _digest(item_id: str) -> bytes:
    return blake2b(item_id.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()
