"""Read the requests that our store writes: the few forms of `store/dynamodb/writes.py` and `fleet.py`, no others.

Rows are DynamoDB's typed attributes, `{"Queue": {"S": "todo#3"}}`, and are never changed in place.
"""

# ruff: noqa: ANN401 - requests and replies are whatever botocore has

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from simulation.index import MAX_KEY

Row = dict[str, Any]
Path = tuple[str, ...]

KEY = "itemID"
EQUAL: dict[str, Callable[[Any, Any], bool]] = {"=": operator.eq, "<>": operator.ne}
ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NAME = re.compile(r'"((?:[^"]|"")+)"')
_CLAUSES = re.compile(r" (?=SET |REMOVE |WHERE |RETURNING )")


@dataclass(frozen=True, slots=True)
class Change:
    """One conditional write: the row that is to stand, made of the one that stands."""

    key: str
    allowed: Callable[[Row | None], bool]
    apply: Callable[[Row | None], Row | None]
    returning: bool = False
    is_claim: bool = False
    returning_old: bool = False


def put_item(asked: dict[str, Any]) -> Change:
    """Read a `put_item` on a row that must not be there."""
    row = asked["Item"]
    return Change(row[KEY]["S"], lambda known: known is None, lambda _: row)


def delete_item(asked: dict[str, Any]) -> Change:
    """Read a `delete_item`."""
    returning_old = asked.get("ReturnValues") == "ALL_OLD"
    return Change(asked["Key"][KEY]["S"], _condition(asked), lambda _: None, returning_old=returning_old)


def update_item(asked: dict[str, Any]) -> Change:
    """Read an `update_item`: `SET #0 = :0, #1.#2 = :1 REMOVE #3`."""
    names, values = asked.get("ExpressionAttributeNames", {}), asked.get("ExpressionAttributeValues", {})
    key = asked["Key"][KEY]
    sets, _, removes = asked["UpdateExpression"].removeprefix("SET ").partition(" REMOVE ")
    pairs = [pair.split(" = ") for pair in re.split(r", (?=[#\w.]+ = )", sets)]
    gone = [_path(word, names) for word in removes.split(", ") if word]

    def apply(known: Row | None) -> Row:
        row = known or {KEY: key}
        for left, right in pairs:
            row = _set(row, _path(left, names), _value(right, row, values))
        return _without(row, gone)

    returning = asked.get("ReturnValues") == "ALL_NEW"
    return Change(key["S"], _condition(asked), apply, returning, "lockID" in names.values() and returning)


def statement(asked: dict[str, Any]) -> Change:
    """Read one statement of a batch."""
    text, parameters = asked["Statement"], asked["Parameters"]
    shape = _shape(text)
    if shape.verb == "INSERT":
        row = dict(zip(shape.sets, parameters, strict=True))
        return Change(row[KEY]["S"], lambda known: known is None, lambda _: row)
    new = parameters[: len(shape.sets)]
    expected = dict(zip(shape.equal, parameters[len(shape.sets) :], strict=True))

    def allowed(known: Row | None) -> bool:
        return (
            known is not None
            and all(known.get(name) == value for name, value in expected.items())
            and not any(name in known for name in shape.missing)
        )

    def apply(known: Row | None) -> Row | None:
        if shape.verb == "DELETE":
            return None
        row = known or {}
        for path, value in zip(shape.sets, new, strict=True):
            row = _set(row, path, value)
        return _without(row, shape.removes)

    is_claim = shape.returning and ("lockID",) in shape.sets
    return Change(expected[KEY]["S"], allowed, apply, shape.returning, is_claim)


@dataclass(frozen=True, slots=True)
class _Shape:
    verb: str
    sets: tuple[Any, ...]
    removes: tuple[Path, ...] = ()
    equal: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    returning: bool = False


@lru_cache(maxsize=1024)
def _shape(text: str) -> _Shape:
    verb = text.split(" ", 1)[0]
    if verb == "INSERT":
        return _Shape(verb, tuple(re.findall(r"'([^']+)': \?", text)))
    clauses = _CLAUSES.split(text)
    where = next(clause for clause in clauses if clause.startswith("WHERE ")).removeprefix("WHERE ").split(" AND ")
    return _Shape(
        verb,
        sets=tuple(_quoted(clause) for clause in clauses if clause.startswith("SET ")),
        removes=tuple(_quoted(clause) for clause in clauses if clause.startswith("REMOVE ")),
        equal=tuple(_quoted(each)[0] for each in where if each.endswith("=?")),
        missing=tuple(_quoted(each)[0] for each in where if each.endswith(" IS MISSING")),
        returning="RETURNING ALL NEW *" in clauses,
    )


def _quoted(clause: str) -> Path:
    return tuple(name.replace('""', '"') for name in _NAME.findall(clause))


def _path(words: str, names: dict[str, str]) -> Path:
    return tuple(names.get(word, word) for word in words.split("."))


def _value(word: str, row: Row, values: dict[str, Any]) -> Any:
    if word.startswith("if_not_exists("):
        name, _, otherwise = word.removeprefix("if_not_exists(").removesuffix(")").partition(", ")
        return row.get(name, values[otherwise])
    return values[word]


def _set(row: Row, path: Path, value: Any) -> Row:
    if len(path) == 1:
        return row | {path[0]: value}
    inner = row.get(path[0], {"M": {}})["M"]
    return row | {path[0]: {"M": _set(inner, path[1:], value)}}


def _without(row: Row, paths: Any) -> Row:
    gone = {path[0] for path in paths}
    return {name: value for name, value in row.items() if name not in gone} if gone & row.keys() else row


def _condition(asked: dict[str, Any]) -> Callable[[Row | None], bool]:
    text = asked.get("ConditionExpression", "")
    names, values = asked.get("ExpressionAttributeNames", {}), asked.get("ExpressionAttributeValues", {})

    def holds(known: Row | None, part: str) -> bool:
        row = known or {}
        if part.startswith("attribute_"):
            verb, _, word = part.removesuffix(")").partition("(")
            return (names.get(word, word) in row) == (verb == "attribute_exists")
        left, sign, right = part.split(" ")
        have, want = row.get(names.get(left, left)), values[right]
        if sign in EQUAL:
            return EQUAL[sign](have, want)
        return have is not None and ORDERED[sign](_plain(have), _plain(want))

    def allowed(known: Row | None) -> bool:
        return not text or any(
            all(holds(known, part) for part in either.split(" AND ")) for either in text.split(" OR ")
        )

    return allowed


def _plain(value: Row) -> Any:
    return float(value["N"]) if "N" in value else value["S"]


def key_bounds(condition: str, values: dict[str, str]) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the lowest and the highest key, with the id behind it, that the condition of a query allows."""
    match condition.removeprefix("Queue = :queue").split():
        case []:
            return ("", ""), (MAX_KEY, "")
        case ["AND", "Queue_Key", "BETWEEN", start, "AND", end]:
            return (values[start], ""), (values[end], MAX_KEY)
        case ["AND", "Queue_Key", "<", then]:
            return ("", ""), (values[then], "")
        case ["AND", "Queue_Key", ">", then]:
            return (values[then], MAX_KEY), (MAX_KEY, "")
        case ["AND", "Queue_Key", ">=", then]:
            return (values[then], ""), (MAX_KEY, "")
        case ["AND", "Queue_Key", "=", key]:
            return (values[key], ""), (values[key], MAX_KEY)
    raise NotImplementedError(condition)
