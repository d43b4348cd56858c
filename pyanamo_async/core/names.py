"""Names that a person types: in any case, by another word, or nearly right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from pyanamo_async.core.arguments import check_type
from pyanamo_async.errors import UsageError

LONGEST_SHOWN = 40  # of what was typed


def did_you_mean(text: str, known: Mapping[str, str], *, quote: str = "") -> str:
    """Return a question with the name that is likely meant, or nothing; `known` maps casefolded words to names."""
    close = get_close_matches(text[:LONGEST_SHOWN].casefold(), known, n=1)
    return f"did you mean {quote}{known[close[0]]}{quote}? " if close else ""


def find_name(
    text: str, known: Mapping[str, str], *, argument: str, owner: str, names: Iterable[str], called: str
) -> str:
    """Return the name that is meant; `known` maps casefolded words to names.

    An error says that no `owner` (an item) has it, and what the `names` are, which are `called` "fields" or the like.

    Raises:
        UsageError: there is no such name.
    """
    check_type(argument, text, str)
    word = text.strip()
    if found := known.get(word.casefold()):
        return found
    hint = f"{did_you_mean(word, known)}the {called} are {', '.join(names)}"
    verb = "has" if argument.endswith("s") else "is"  # a list of names, or a single one
    if not word:
        raise UsageError(f"`{argument}` {verb} an empty name", hint=hint)
    raise UsageError(f"`{argument}` {verb} {word[:LONGEST_SHOWN]!r}, which no {owner} has", hint=hint)
