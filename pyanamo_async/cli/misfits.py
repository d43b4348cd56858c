"""Warn of results that do not fit the named columns: the first few by name, then how many there are."""

from __future__ import annotations

from typing import Annotated

import typer

from pyanamo_async import Misfit
from pyanamo_async.cli.console import flush, note
from pyanamo_async.core.text.plural import plural

INCOMPLETE = 3  # the exit status when something did not fit
NAMED = 5

EPILOG = """\b
Exit status:
  0   everything fits
  3   some results do not fit, and are named on stderr
"""


TagNames = Annotated[
    str | None,
    typer.Option(
        "--tag-names",
        metavar="NAMES",
        help="Names of the fields of a line, with types: SampleID,chromosome:int,depth:float.",
    ),
]


class Misfits:
    """Counts results that do not fit, and keeps the first few."""

    def __init__(self) -> None:
        self._first: list[Misfit] = []
        self.number = 0

    def add(self, misfit: Misfit) -> None:
        """Count one."""
        self.number += 1
        if self.number <= NAMED:
            self._first.append(misfit)

    def tell(self, hint: str) -> None:
        """Print what did not fit, and exit with 3; do nothing if everything fits."""
        if not self.number:
            return
        flush()  # data comes first, also where both go to one terminal
        for each in self._first:
            note(f"does not fit: {each}")
        note(f"{plural(self.number, 'result')} left out. hint: {hint}")
        raise typer.Exit(INCOMPLETE)
