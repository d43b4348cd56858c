"""The fields that expressions may name: the one list, from which the reference is tested.

A field without a value reads as None: a task that never ran has no `exit`, one that was killed by a signal neither.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from pyanamo_async.core.expressions.view import TaskView
from pyanamo_async.core.items import State, TaskRecord, TaskState
from pyanamo_async.core.names import did_you_mean
from pyanamo_async.core.values import Value

Scalar = str | int | float | datetime


class Kind(StrEnum):
    """What a field holds, and so which literals stand beside it."""

    TEXT = "text"
    TEXT_OR_NUMBER = "text or number"
    NUMBER = "number"
    DURATION = "duration"
    SIZE = "size"
    TIME = "time"
    STATE = "state"
    SIGNAL = "signal"


TEXTS = (Kind.TEXT, Kind.TEXT_OR_NUMBER, Kind.STATE)
NUMBERS = (Kind.TEXT_OR_NUMBER, Kind.NUMBER, Kind.DURATION, Kind.SIZE, Kind.SIGNAL)


class Field(Value):
    """A field: its name, what it holds, and what it means; `also` are names that people try, for hints."""

    name: str
    kind: Kind
    about: str
    read: Callable[[TaskView], Scalar | None]
    also: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


def _of_record(read: Callable[[TaskRecord], Scalar | None]) -> Callable[[TaskView], Scalar | None]:
    return lambda view: read(view.record) if view.record else None


def _number_of(values: tuple[str, ...] | None) -> int | None:
    return None if values is None else len(values)


FIELDS = (
    Field("id", Kind.TEXT, "the item's id", lambda view: view.item.item_id, ("itemID", "item", "item_id")),
    Field("sample", Kind.TEXT, "the item's sample", lambda view: view.item.sample, ("taskID", "task_id")),
    Field("state", Kind.STATE, "the item's state", lambda view: view.item.state, ("ItemState",), tuple(State)),
    Field("task", Kind.TEXT, "the task's name, `Task_0` and so on", lambda view: view.task.name, ("name",)),
    Field("task_state", Kind.STATE, "the task's own state", lambda view: view.task.state, (), tuple(TaskState)),
    Field(
        "argument",
        Kind.TEXT_OR_NUMBER,
        "the argument with which the task was imported",
        lambda view: view.argument,
        ("arg", "args", "TaskArgs"),
    ),
    Field("script", Kind.TEXT, "the task's script", lambda view: view.task.script, ("command", "TaskScript")),
    Field(
        "exit",
        Kind.NUMBER,
        "the exit status of the script",
        lambda view: view.exit_code,
        ("Exit_Code", "status", "code", "exitcode"),
    ),
    Field("signal", Kind.SIGNAL, "the signal that ended the script", lambda view: view.signal),
    Field("reason", Kind.TEXT, "why it did not succeed", lambda view: view.reason, ("error", "why", "message")),
    Field(
        "seconds",
        Kind.DURATION,
        "how long the last attempt ran",
        _of_record(lambda record: record.seconds),
        ("duration", "runtime", "elapsed", "time", "wall"),
    ),
    Field(
        "cpu",
        Kind.DURATION,
        "the CPU time of that attempt",
        _of_record(lambda record: record.cpu_seconds),
        ("CPU_Seconds", "cpu_time"),
    ),
    Field(
        "max_rss",
        Kind.SIZE,
        "its peak memory, as `Max_RSS` of the record",
        _of_record(lambda record: record.max_rss_bytes),
        ("memory", "mem", "rss", "ram"),
    ),
    Field("attempt", Kind.NUMBER, "claims of the item so far", lambda view: view.item.attempt, ("attempts", "tries")),
    Field("failures", Kind.NUMBER, "failures of the task that count", lambda view: view.task.failures, ("retries",)),
    Field("crashes", Kind.NUMBER, "workers that vanished with the item", lambda view: view.item.crashes),
    Field("interruptions", Kind.NUMBER, "interruptions of the item", lambda view: view.item.interruptions),
    Field("worker", Kind.TEXT, "who holds the item, or ran the task last", lambda view: view.worker, ("InstanceID",)),
    Field(
        "host",
        Kind.TEXT,
        "the machine of that worker, where it is known",
        lambda view: view.host,
        ("hostname", "machine", "node"),
    ),
    Field(
        "started",
        Kind.TIME,
        "when the last attempt started",
        _of_record(lambda record: record.started),
        ("start", "begin"),
    ),
    Field(
        "finished",
        Kind.TIME,
        "when it ended",
        _of_record(lambda record: record.finished),
        ("end", "ended", "Done_Date"),
    ),
    Field(
        "stdout",
        Kind.TEXT,
        "its stdout, as far as the record holds it",
        _of_record(lambda record: record.stdout.text),
        ("output", "log"),
    ),
    Field(
        "stderr", Kind.TEXT, "its stderr, as far as the record holds it", _of_record(lambda record: record.stderr.text)
    ),
    Field(
        "tags",
        Kind.TEXT,
        "all `PyAnamo:` lines of its stdout, without that beginning",
        lambda view: "\n".join(view.tags) if view.tags else None,
    ),
    Field(
        "tag", Kind.TEXT_OR_NUMBER, "the first of them", lambda view: view.tags[0] if view.tags else None, ("result",)
    ),
)
"""All fields. `tag[N]`, `len(tag)` and `len(tags)` are made from two of them."""

DERIVED = (
    ("tag[N]", Kind.TEXT_OR_NUMBER, "field N of the first of them, counted from 1, as tabs separate them"),
    ("len(tag)", Kind.NUMBER, "how many fields it has"),
    ("len(tags)", Kind.NUMBER, "how many such lines there are"),
)
_BY_NAME = {field.name: field for field in FIELDS}
_LENGTHS: dict[str, Callable[[TaskView], Scalar | None]] = {
    "tag": lambda view: _number_of(view.tag),
    "tags": lambda view: view.number_of_tags,
}


def find_field(name: str) -> Field | None:
    """Return the field of a name."""
    return _BY_NAME.get(name)


def tag_field(number: int) -> Field:
    """Return the field that is one field of the first tag, counted from 1."""

    def read(view: TaskView) -> str | None:
        fields = view.tag or ()
        return fields[number - 1] if number <= len(fields) else None

    return Field(f"tag[{number}]", Kind.TEXT_OR_NUMBER, "", read)


def length_field(name: str) -> Field | None:
    """Return the field that counts what another holds, if it can be counted."""
    read = _LENGTHS.get(name)
    return Field(f"len({name})", Kind.NUMBER, "", read) if read else None


def suggest(name: str) -> str:
    """Return a hint for a name that no field has: the likely one, and all."""
    known = {also.casefold(): field.name for field in FIELDS for also in (*field.also, field.name)}
    names = ", ".join([*_BY_NAME, *(name for name, _, _ in DERIVED)])
    return f"{did_you_mean(name, known)}the fields are {names}"


def are_comparable(one: Kind, other: Kind) -> bool:
    """Return whether fields of two kinds may be compared."""
    if one in NUMBERS and other in NUMBERS:
        return one is other or not {Kind.TEXT_OR_NUMBER, Kind.NUMBER}.isdisjoint((one, other))
    return one is other or (one in TEXTS and other in TEXTS)
