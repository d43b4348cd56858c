"""A file that is touched with each heartbeat: a probe looks at its age, and needs neither the table nor credentials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pyanamo_async.core.text.system_errors import why


def touching(
    file: str | None, then: Callable[[float], None], *, missed: Callable[[str], None]
) -> Callable[[float], None]:
    """Return what touches a file, if there is one, and then calls `then`.

    That it cannot be written is told to `missed`, once until it can be, and ends no worker: a probe finds the file old.
    """
    if file is None:
        return then

    is_missed = False

    def touch(until: float) -> None:
        nonlocal is_missed
        try:
            Path(file).touch()
        except OSError as trouble:
            if not is_missed:
                missed(f"{file}: {why(trouble)}")
            is_missed = True
        else:
            is_missed = False
        then(until)

    return touch
