"""A file that is touched with each heartbeat: a probe looks at its age, and needs neither the table nor credentials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def touching(
    file: str | None, then: Callable[[float], None], *, missed: Callable[[str], None]
) -> Callable[[float], None]:
    """Return what touches a file, if there is one, and then calls `then`.

    A file that cannot be written is told of by `missed`, and ends no worker: a probe finds it old.
    """
    if file is None:
        return then

    def touch(until: float) -> None:
        try:
            Path(file).touch()
        except OSError as trouble:
            missed(str(trouble))
        then(until)

    return touch
