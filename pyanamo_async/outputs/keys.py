"""Name outputs within a bucket or folder: `<table>/<itemID>/<task>/<attempt>-<mark>.stdout.gz`.

1. Ids are the user's and may hold anything. A character that S3 or a file system may not take is written as `=` and two
   hex digits (many tools would decode `%`).
2. A name that is too long for a file name is cut and ends with a hash of the id.
3. No two ids share a name, and no name begins with a dot: such names are free for partial files.
4. The mark is the item's: output of a deleted item is never written over by that of another with the same id.
5. Folders may be on a file system that ignores case: names in them say where an id has capitals (`HG002=u3`).
"""

from __future__ import annotations

import re
from hashlib import sha256

from pyanamo_async.ports import OutputKey

CHECK = "check-"  # begins the names of files and uploads that test whether output can be written
NAME_LENGTH = 200  # of the 255 a file name may have, and of the 1,024 an S3 key may have
_UNSAFE = re.compile(rb"^\.|[^A-Za-z0-9._-]")
_HASH_LENGTH = 32
_HASHED = "=h"  # quoting never writes it, nor `=u`
NAMED_BY_KEY = (".stdout.gz", ".stderr.gz")
OUTPUT_DEPTH = 4  # names in the path of an output below its root
_USUAL = re.compile(r"Task_\d+")  # needs no mark, so that the paths of most outputs are easy to type


def output_path(key: OutputKey) -> str:
    """Return the path of an output, relative to its store."""
    return f"{safe_name(key.table)}/{safe_name(key.item_id)}/{safe_name(key.task)}/{run_name(key)}.gz"


def folder_path(key: OutputKey) -> str:
    """Return the path of an output, relative to a folder; no two differ in case alone."""
    return f"{folder_name(key.table)}/{folder_name(key.item_id)}/{folder_name(key.task)}/{run_name(key)}.gz"


def run_name(key: OutputKey) -> str:
    """Return the name of a stream among those of its task; marks that we make have no capitals."""
    mark = f"-{folder_name(key.mark)}" if key.mark else ""
    return f"{key.attempt}{mark}.{key.stream}"


def beside_output(location: str, key: OutputKey) -> str:
    """Return the location of an output beside another of its task; empty if that is none that is named by its key."""
    return f"{location.rpartition('/')[0]}/{run_name(key)}.gz" if location.endswith(NAMED_BY_KEY) else ""


def folder_name(identifier: str) -> str:
    """Make a file name from an id that differs from those of other ids in more than case."""
    name = safe_name(identifier)
    if _HASHED in name or _USUAL.fullmatch(name):
        return name
    capitals = int(
        "0" + "".join(str(int(each.isupper())) for each in identifier if each.isascii() and each.isalpha()), 2
    )
    return f"{name}=u{capitals:x}" if capitals or _USUAL.fullmatch(name.capitalize()) else name


def safe_name(identifier: str) -> str:
    """Make a file name from an id."""
    raw = identifier.encode(errors="surrogatepass")
    quoted = _UNSAFE.sub(lambda found: b"=%02X" % found[0][0], raw).decode()
    if 0 < len(quoted) <= NAME_LENGTH:
        return quoted
    suffix = _HASHED + sha256(raw).hexdigest()[:_HASH_LENGTH]
    return quoted[: NAME_LENGTH - len(suffix)] + suffix
