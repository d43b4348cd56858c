"""Rows as other programs, or accidents, leave them: valid rows with something missing, of another type, or odd."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from hypothesis import strategies as st

from pyanamo_async.core.folders import Folder
from pyanamo_async.core.items import Held, Item, State, TaskState
from pyanamo_async.core.outcomes import Failed
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Worker
from pyanamo_async.store.sqlite.fleet import COLUMNS as WORKER_COLUMNS
from pyanamo_async.store.sqlite.items import _values
from pyanamo_async.store.sqlite.rows import COLUMNS
from tests.contract.steps import a_record
from tests.fakes import NOON, an_item

Row = dict[str, Any]
Path_ = tuple[str, ...]
MISSING = object()
ODD_TEXTS = [
    "",
    "zzz",
    "1E+100",
    "1zzz",
    "0",
    "#",
    "todo",
    "paused",
    "todo#0",
    "worker#0",
    "a/b",
    "é",
    "2026-99-99",
    "\x01",
]
ODD_NUMBERS = [-1, 0, 10**9 - 1, 10**9 + 1, 2**63 - 1, 1e100, 1e-100, -0.5]
ODD_VALUES: list[Any] = [*ODD_TEXTS, *ODD_NUMBERS, None, True, [], {}, [1], {"a": {}}, {"Task_0": {}}, {"Task_0": "x"}]
INDEXED = ("Queue", "Queue_Key")
GONE = "gone-worker"


def demanding(item: Item) -> Item:
    """Return an item with all that its columns and its past may ask for."""
    return replace(
        item,
        priority=3,
        memory_bytes=1 << 20,
        memory_need_bytes=2 << 20,
        cpus=2,
        oom_kills=1,
        folders=frozenset(Folder),
        crashes=1,
        interruptions=1,
        seconds_lost=2.5,
        seconds_saved=1.5,
        args_at=6,
    )


def samples() -> list[Item]:
    """An item of each kind: single and nested, to do, due later, held by a worker that is gone, settled, and held."""
    record = a_record(Failed(exit_code=1), an_item("x", attempt=1))
    nested = an_item("x", nested=["print a", "print b"])
    tasks = (replace(nested.tasks[0], state=TaskState.DONE, record=record), nested.tasks[1])
    held: Row = {"state": State.LOCKED, "worker": GONE, "token": "token", "attempt": 1, "locked_at": NOON}
    plain = an_item("x", script="print x", timeout=timedelta(seconds=60), max_failures=2, history=("attempt 1: no",))
    return [
        plain,
        nested,
        replace(plain, attempt=2, not_before=NOON + timedelta(seconds=30), reason="attempt 2: exit status 1"),
        replace(plain, **held),
        replace(nested, tasks=tasks, **held),
        replace(nested, tasks=tasks, state=State.WALL_TIME_EXCEEDED, attempt=1, done_at=NOON),
        replace(plain, state=State.DONE, done_at=NOON, attempt=1, tasks=(replace(plain.tasks[0], record=record),)),
        replace(plain, state=State.FAILED, done_at=NOON, attempt=1),
        replace(plain, state=State.PENDING, done_at=NOON, held=Held(State.TODO, NOON)),
        demanding(plain),
    ]


def paths(row: Mapping[str, Any], *, below: Path_ = ()) -> list[Path_]:
    """List all attributes of a row, and the members of its maps."""
    found: list[Path_] = []
    for name, value in row.items():
        found.append((*below, name))
        if isinstance(value, Mapping):
            found += paths(value, below=(*below, name))
    return found


def damaged(row: Row, path: Path_, value: object) -> Row:
    """Return a row in which an attribute is another, or missing."""
    row = deepcopy(row)
    place = row
    for name in path[:-1]:
        place = place[name]
    if value is MISSING:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return row


@st.composite
def damage(draw: st.DrawFn, row: Row, *, keep: tuple[str, ...] = ("itemID",)) -> Row:
    """Draw a damaged form of a row; the attributes of `keep` stay, and those of an index stay text."""
    path = draw(st.sampled_from([path for path in paths(row) if path[0] not in keep]))
    odd = [text for text in ODD_TEXTS if text] if path[0] in INDEXED else ODD_VALUES
    return damaged(row, path, draw(st.sampled_from([MISSING, *odd])))


def typed(value: object) -> dict[str, Any]:
    """Return a value in DynamoDB's form, of types that this program never writes too."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N": repr(value)}
        case dict():
            return {"M": {name: typed(each) for name, each in value.items()}}
        case list():
            return {"L": [typed(each) for each in value]}
    raise TypeError(value)


def typed_row(row: Row) -> dict[str, Any]:
    """Return a row in DynamoDB's form."""
    return {name: typed(value) for name, value in row.items()}


def columns_of(item: Item) -> Row:
    """Return the columns of an item on SQLite."""
    return dict(zip(COLUMNS, _values(item), strict=True))


@st.composite
def damaged_columns(draw: st.DrawFn, item: Item) -> Row:
    """Draw the columns of an item, of which one is odd, or says something else than the whole row beside it."""
    columns = columns_of(item)
    name = draw(st.sampled_from([name for name in columns if name != "itemID"] + ["Row"] * 10))
    if name == "Row":
        row = draw(damage(orjson.loads(columns["Row"]), keep=()))
        texts = [orjson.dumps(row).decode(), "", "{", "[]", "null", '{"a": "\\ud800"}', b"\xff", "[" * 2000]
        return columns | {"Row": draw(st.sampled_from([texts[0]] * 10 + texts))}
    return columns | {name: draw(odd_like(columns[name]))}


def odd_like(value: object) -> st.SearchStrategy[Any]:
    """Draw an odd value that a strict column of this value's type takes."""
    if isinstance(value, str):
        return st.sampled_from([*ODD_TEXTS, b"\xff\xfe"])
    numbers = [number for number in ODD_NUMBERS if isinstance(value, float) or isinstance(number, int)]
    return st.sampled_from([*numbers, float("inf")] if isinstance(value, float) else numbers)


def insert(path: Path, table: str, rows: list[Row]) -> None:
    """Write rows into a table of a file as another program would; bytes are stored as text."""
    with closing(sqlite3.connect(path)) as connection:
        for row in rows:
            marks = ", ".join("CAST(? AS TEXT)" if isinstance(value, bytes) else "?" for value in row.values())
            statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"  # noqa: S608 - names of columns
            connection.execute(statement, list(row.values()))
        connection.commit()


def worker_columns(worker: Worker, row: Row) -> Row:
    """Return the columns of a worker on SQLite, given what a heartbeat says of it."""
    columns = {"InstanceID": worker.worker_id, "Heartbeat": "2026-01-01T12:00:00.000Z", "State": "running", **row}
    texts = {name: orjson.dumps(value).decode() for name, value in columns.items() if isinstance(value, Mapping)}
    return {name: (columns | texts)[name] for name in WORKER_COLUMNS} | {"Desired": "run"}
