"""Conditional writes of one row, as values, and their form in both of DynamoDB's languages.

A write alone is a plain request; several are PartiQL statements of one batch, where each fails alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyanamo_async.core.values import Value
from pyanamo_async.store.dynamodb.codec import marshal, marshal_row

KEY = "itemID"
STATEMENT_LIMIT = 8192  # characters of a PartiQL statement

Path = tuple[str, ...]
"""An attribute, or a member of a map: `("Log", "Task_3")`."""


class Insert(Value):
    """Put a row where there is none."""

    row: Mapping[str, object]

    @property
    def key(self) -> str:
        """Return the key of the row."""
        return str(self.row[KEY])


class Update(Value):
    """Change a row if it is as `expected` (None: the attribute is missing); `returning` asks for the row afterwards."""

    key: str
    expected: Mapping[str, object]
    sets: Mapping[Path, object]
    removes: Sequence[Path] = ()
    returning: bool = False


class Delete(Value):
    """Delete a row if it is as `expected`."""

    key: str
    expected: Mapping[str, object]


Write = Insert | Update | Delete


def statement(write: Write, table: str) -> dict[str, Any] | None:
    """Return a write as one statement of a batch; None when it is too long for that."""
    match write:
        case Insert(row):
            members = ", ".join(f"'{name}': ?" for name in row)
            text = f"INSERT INTO {_quoted(table)} VALUE {{{members}}}"
            values = list(row.values())
        case Update(key, expected, sets, removes, returning):
            changes = [*(f"SET {_dotted(path)}=?" for path in sets), *(f"REMOVE {_dotted(path)}" for path in removes)]
            text = f"UPDATE {_quoted(table)} {' '.join(changes)} WHERE {_where(expected)}"
            text += " RETURNING ALL NEW *" if returning else ""
            values = [*sets.values(), key, *_present(expected)]
        case Delete(key, expected):
            text = f"DELETE FROM {_quoted(table)} WHERE {_where(expected)}"  # noqa: S608 - names are quoted
            values = [key, *_present(expected)]
    if len(text) > STATEMENT_LIMIT:
        return None
    arguments: dict[str, Any] = {"Statement": text, "Parameters": [marshal(value) for value in values]}
    if not isinstance(write, Insert):  # an insert needs to know no more than that a row exists
        arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return arguments


def request(write: Write, table: str) -> tuple[str, dict[str, Any]]:
    """Return a write as a request of its own: the operation and its arguments."""
    match write:
        case Insert(row):
            item = marshal_row(row)
            return "put_item", {"TableName": table, "Item": item, "ConditionExpression": f"attribute_not_exists({KEY})"}
        case Update(key, expected, sets, removes, returning):
            expression = _Expression()
            new = ", ".join(f"{expression.path(path)} = {expression.value(value)}" for path, value in sets.items())
            gone = ", ".join(expression.path(path) for path in removes)
            changes = [f"{verb} {paths}" for verb, paths in (("SET", new), ("REMOVE", gone)) if paths]
            fields = {"UpdateExpression": " ".join(changes), "ReturnValues": "ALL_NEW" if returning else "NONE"}
            return "update_item", _keyed(table, key, expression.condition(expected), expression) | fields
        case Delete(key, expected):
            expression = _Expression()
            return "delete_item", _keyed(table, key, expression.condition(expected), expression)


@dataclass(frozen=True, slots=True)
class _Expression:
    """The placeholders of an expression, for names and values that may be reserved words or hold any character."""

    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def path(self, path: Path) -> str:
        return ".".join(self.names.setdefault(name, f"#{len(self.names)}") for name in path)

    def value(self, value: object) -> str:
        placeholder = f":{len(self.values)}"
        self.values[placeholder] = marshal(value)
        return placeholder

    def condition(self, expected: Mapping[str, object]) -> str:
        return " AND ".join(
            f"attribute_not_exists({self.path((name,))})"
            if value is None
            else f"{self.path((name,))} = {self.value(value)}"
            for name, value in expected.items()
        )


def _keyed(table: str, key: str, condition: str, expression: _Expression) -> dict[str, Any]:
    return {
        "TableName": table,
        "Key": {KEY: marshal(key)},
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {word: name for name, word in expression.names.items()},
        "ExpressionAttributeValues": expression.values,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _present(expected: Mapping[str, object]) -> list[object]:
    return [value for value in expected.values() if value is not None]


def _where(expected: Mapping[str, object]) -> str:
    tests = (
        f"{_quoted(name)} IS MISSING" if value is None else f"{_quoted(name)}=?" for name, value in expected.items()
    )
    return " AND ".join([f"{_quoted(KEY)}=?", *tests])


def _dotted(path: Path) -> str:
    return ".".join(_quoted(name) for name in path)


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
