"""Write plain values as YAML, as far as templates need it: mappings, lists, texts, numbers and booleans.

A text is quoted as in JSON, of which YAML is a superset, unless it cannot be taken for anything else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(::[A-Za-z0-9_-]+)*")
NOT_TEXT = {"y", "n", "yes", "no", "true", "false", "on", "off", "null"}  # to readers of YAML 1.1


def to_yaml(value: Mapping[str, object]) -> str:
    """Return a mapping as YAML, in the order of its keys."""
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: object) -> Iterator[str]:
    match value:
        case Mapping() if value:
            for key, each in value.items():
                yield from _entry(f"{_scalar(key)}:", each)
        case list() | tuple() if value:
            for each in value:
                first, *rest = _lines(each)
                yield f"- {first}"
                yield from (f"  {line}" for line in rest)
        case _:
            yield _scalar(value)


def _entry(key: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str) and value:
        yield key
        yield from (f"  {line}" for line in _lines(value))
    else:
        yield f"{key} {_scalar(value)}"


def _scalar(value: object) -> str:
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in NOT_TEXT:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in quoted)
