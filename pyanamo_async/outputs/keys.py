"""Where output stands under the key of a bucket or folder: `<table>/<itemID>/<task>/<attempt>.stdout.gz`.

Ids are the user's: anything may be in them. What S3 or a file system may take amiss is quoted as `=` and two hex digits
(`%` would be decoded by too many tools on the way), and what is too long for a file name is cut and told apart by its
hash. No two ids share a name, and none begins with a dot: such names are free for files under way.
"""

from __future__ import annotations

import re
from hashlib import sha256

from pyanamo_async.ports import OutputKey

CHECK = "check-"  # begins the names of what is written to find out whether anything can be
NAME_LENGTH = 200  # of the 255 a file name may have, and of the 1,024 an S3 key may have
_UNSAFE = re.compile(rb"^\.|[^A-Za-z0-9._-]")
_HASH_LENGTH = 32


def path(key: OutputKey) -> str:
    """Tell the path of an output below the key of its store."""
    return f"{name(key.table)}/{name(key.item_id)}/{name(key.task)}/{key.attempt}.{key.stream}.gz"


def name(identifier: str) -> str:
    """Make a file name of an id."""
    raw = identifier.encode(errors="surrogatepass")
    quoted = _UNSAFE.sub(lambda found: b"=%02X" % found[0][0], raw).decode()
    if 0 < len(quoted) <= NAME_LENGTH:
        return quoted
    mark = "=h" + sha256(raw).hexdigest()[:_HASH_LENGTH]  # quoting never writes `=h`
    return quoted[: NAME_LENGTH - len(mark)] + mark
