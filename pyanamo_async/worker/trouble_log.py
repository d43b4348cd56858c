"""Note trouble that comes back with every try once: each kind of error, until the work succeeds again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyanamo_async.errors import PyanamoError, TableReplaced, Unavailable
from pyanamo_async.ports import EventLog


class TroubleLog:
    """The trouble of one kind of work, noted as `event`."""

    def __init__(self, event_log: EventLog, event: str) -> None:
        self._event_log, self._event = event_log, event
        self._noted: set[type[PyanamoError]] = set()

    def note(self, trouble: PyanamoError) -> None:
        """Note trouble, unless its kind was noted since the work last succeeded."""
        if type(trouble) not in self._noted:
            self._noted.add(type(trouble))
            self._event_log.note(self._event, trouble=str(trouble))

    def over(self) -> None:
        """Learn that the work succeeded: what fails from now on is noted again."""
        self._noted.clear()

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the trouble of what is done within, and go on; a store that is away is left to the heartbeats to tell.

        Raises:
            TableReplaced: the table is another one.
        """
        try:
            yield
        except TableReplaced:
            raise
        except Unavailable:
            return
        except PyanamoError as trouble:
            self.note(trouble)
        else:
            self.over()
