"""Select tasks by an expression: `parse_expression('exit == 137 and seconds > 10m').matches(view)`.

The fields stand in `fields`, the grammar in `parser`, three-valued logic in `evaluation`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pyanamo_async.core.expressions.evaluation import Test
from pyanamo_async.core.expressions.parser import parse
from pyanamo_async.core.expressions.view import TaskView


@dataclass(frozen=True)
class Expression:
    """A parsed expression; `text` is how it was written, `fields` are those that it names."""

    text: str
    fields: frozenset[str] = field(repr=False, compare=False)
    _test: Test = field(repr=False, compare=False)

    def matches(self, task: TaskView) -> bool:
        """Return whether a task is certainly meant: what is unknown because a value is missing does not match."""
        return self._test(task) is True


def parse_expression(text: str) -> Expression:
    """Return the expression that a text is.

    Raises:
        UsageError: it is no expression; the error says where in the text, and what to write.
    """
    return Expression(text, *parse(text))
