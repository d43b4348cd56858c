"""A progress bar on stderr, and above it lines for unusual events.

The thread that writes to stderr draws it, at most five times a second; rich only lays out the text. On a terminal that
cannot move the cursor (TERM=dumb) the bar is drawn once, at the end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.text import Text

from pyanamo_async.core.text.durations import show_duration
from pyanamo_async.core.text.visible import one_line, visible

REDRAW_S = 0.2
CLEAR_LINE = "\r\x1b[K"
BAR_CELLS, LEAST_CELLS = 40, 10


@dataclass(frozen=True, slots=True)
class Remark:
    """A line above the bar, with its style on a terminal with colours."""

    text: str
    style: str = "yellow"


class Bar:
    """A display of how many of `total` items have ended, and of the lines above the bar."""

    redraw_s = REDRAW_S

    def __init__(self, total: int, *, label: str = "") -> None:
        self.total, self.ended = total, 0
        self._label = label
        self._began_s, self._began_with = time.monotonic(), 0
        self._partial = self._drawn = ""
        self._is_outdated = False
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def words(self) -> Iterator[str]:
        """Yield further words beside the bar, the most important first."""
        yield from ()

    def render(self, values: Sequence[object], *, last: bool) -> str:
        """Return the control characters and text that write lines above the bar and redraw it."""
        moves = not self._console.is_dumb_terminal
        with self._console.capture() as above:
            for value in values:
                self._print(value)
            if last and self._partial:
                self._print("\n")
        bar = self._bar() if (moves or last) and not (last and self._is_outdated) else ""
        if not values and not last and bar == self._drawn:
            return ""
        self._drawn = bar
        return f"{CLEAR_LINE * moves}{above.get()}{bar}{chr(10) * (last and bar != '')}"

    def leave_out(self) -> None:
        """Leave no bar on the terminal at the end, because its count is outdated."""
        self._is_outdated = True

    def start_with(self, ended: int) -> None:
        """Estimate the time left from what ends from now on."""
        self.ended = self._began_with = ended

    def _print(self, value: object) -> None:
        """Lay out a remark, or what was written to stderr up to the last line end."""
        if isinstance(value, Remark):
            self._console.print(one_line(value.text), style=value.style, soft_wrap=True)
            return
        *lines, self._partial = f"{self._partial}{value}".split("\n")
        for each in lines:
            self._console.print(visible(each), soft_wrap=True)

    def _bar(self) -> str:
        """Return one line, because a second one could not be erased. What does not fit is left out."""
        width = self._console.width - 1  # some terminals go to the next line behind the last cell
        text = f"{self.ended:,}/{self.total:,}"
        for word in (*self.words(), *self._times()):
            text += f", {word}" if len(text) + len(word) + 2 <= width else ""
        room = min(BAR_CELLS, width - len(text) - len(self._label) - 2)
        with self._console.capture() as bar:
            if room >= LEAST_CELLS:
                self._console.print(Text(f"{self._label} " * bool(self._label)), end="")
                self._console.print(ProgressBar(max(self.total, 1), self.ended, width=room), end="")
                text = f" {text}"
            self._console.print(Text(text, end=""), no_wrap=True, overflow="crop", width=width, end="")
        return bar.get().partition("\n")[0]

    def _times(self) -> Iterator[str]:
        passed_s = time.monotonic() - self._began_s
        done, left = self.ended - self._began_with, self.total - self.ended
        if done > 0 and left > 0:
            yield f"about {show_duration(timedelta(seconds=max(1, round(passed_s * left / done))))} left"
        elif left:
            yield f"{show_duration(timedelta(seconds=int(passed_s)))} so far"
        else:
            yield f"in {show_duration(timedelta(seconds=passed_s))}"


class ReadCount:
    """A display of how many rows were read; `count` holds the number. It disappears at the end.

    It is not shown on a terminal that cannot move the cursor.
    """

    redraw_s = REDRAW_S

    def __init__(self, count: Sequence[int], *, after_s: float = 1.0) -> None:
        self._count, self._after_s = count, after_s
        self._began_s = time.monotonic()
        self._moves = not Console(stderr=True).is_dumb_terminal

    def render(self, values: Sequence[object], *, last: bool) -> str:
        """Return the values, and behind them the count, after a second."""
        is_shown = self._moves and time.monotonic() - self._began_s >= self._after_s and not last
        words = f"{self._count[0]:,} read" if is_shown else ""
        return f"{CLEAR_LINE * self._moves}{visible(''.join(map(str, values)))}{words}"
