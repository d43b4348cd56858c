"""Write a task file of the running Python's standard library: every .py file is counted and hashed by `digest.sh`.

python items.py > items.txt              an item for each file
python items.py --nested > nested.txt    an item for each package, with a task for each of its files
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from shlex import quote

LIBRARY = Path(sysconfig.get_path("stdlib"))
DIGEST = f"sh {quote(str(Path(__file__).resolve().with_name('digest.sh')))}"
AT_ONCE = 100  # files in one item: the row with all their records must stay under DynamoDB's 400 KB


def files() -> list[Path]:
    """List the library's own files, in the order of their packages."""
    own = (path for path in LIBRARY.rglob("*.py") if "site-packages" not in path.parts)
    return sorted(own, key=lambda path: (path.parent, path.name))


def single() -> Iterator[str]:
    """Write an item for each file; its sample is the package."""
    yield "itemID|TaskID|TaskScript"
    for path in files():
        yield f"{path.relative_to(LIBRARY)}|{package(path)}|{DIGEST} {quote(str(path))}"


def nested() -> Iterator[str]:
    """Write an item for each package, or several for one of more than `AT_ONCE` files."""
    yield "itemID|TaskID|TaskScript|TaskArgs"
    for name, members in groupby(files(), key=package):
        paths = [quote(str(path)) for path in members]
        for start in range(0, len(paths), AT_ONCE):
            part = f" from {start}" if start else ""
            yield f"{name}{part}|{name}|{DIGEST}|{','.join(paths[start : start + AT_ONCE])}"


def package(path: Path) -> str:
    """Name the package that a file is in; the library's top is called `stdlib`."""
    return ".".join(path.parent.relative_to(LIBRARY).parts) or "stdlib"


if __name__ == "__main__":
    print("\n".join(nested() if "--nested" in sys.argv[1:] else single()))
