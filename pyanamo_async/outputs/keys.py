"""Name outputs within a bucket or folder: `<table>/<itemID>/<task>/<attempt>.stdout.gz`.

1. Ids are the user's and may hold anything. A character that S3 or a file system may not take is written as `=` and two
   hex digits (many tools would decode `%`).
2. A name that is too long for a file name is cut and ends with a hash of the id.
3. No two ids share a name, and no name begins with a dot: such names are free for partial files.
"""

from __future__ import annotations

import re
from hashlib import sha256

from pyanamo_async.ports import OutputKey

CHECK = "check-"  # begins the names of files and uploads that test whether output can be written
NAME_LENGTH = 200  # of the 255 a file name may have, and of the 1,024 an S3 key may have
_UNSAFE = re.compile(rb"^\.|[^A-Za-z0-9._-]")
_HASH_LENGTH = 32


def output_path(key: OutputKey) -> str:
    """Return the path of an output, relative to its store."""
    return f"{safe_name(key.table)}/{safe_name(key.item_id)}/{safe_name(key.task)}/{key.attempt}.{key.stream}.gz"


def safe_name(identifier: str) -> str:
    """Make a file name from an id."""
    raw = identifier.encode(errors="surrogatepass")
    quoted = _UNSAFE.sub(lambda found: b"=%02X" % found[0][0], raw).decode()
    if 0 < len(quoted) <= NAME_LENGTH:
        return quoted
    suffix = "=h" + sha256(raw).hexdigest()[:_HASH_LENGTH]  # quoting never writes `=h`
    return quoted[: NAME_LENGTH - len(suffix)] + suffix
