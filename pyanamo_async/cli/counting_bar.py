"""A progress bar on stderr for what is done to many items one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHOWN_FROM = 1000  # items; fewer are done before a bar is drawn


@contextmanager
def counting_bar(doing: str, items: int) -> Iterator[Callable[[int], None]]:
    """Draw a bar on a terminal; what is yielded takes how many items are done."""
    if items < SHOWN_FROM or not sys.stderr.isatty():
        yield lambda _: None
        return
    from pyanamo_async.cli.background_stderr import background_stderr
    from pyanamo_async.cli.progress import Bar

    bar = Bar(items, label=doing)

    def draw(done: int) -> None:
        bar.ended = done

    with background_stderr(bar):
        yield draw
