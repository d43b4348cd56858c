"""Importing: checked whole, written in batches, repeated without harm."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.orders import reset
from pyanamo_async.core.taskfile.lines import MAX_LINE_BYTES
from pyanamo_async.core.taskfile.parser import Format
from pyanamo_async.errors import TaskFileInvalid, Unavailable, UsageError
from pyanamo_async.host.clock import SystemClock
from pyanamo_async.operate.checking import SHOWN_PROBLEMS, CheckedItems, check_file, check_rows
from pyanamo_async.operate.importing import (
    BATCH,
    BATCHES_AT_ONCE,
    ImportResult,
    OnExists,
    import_items,
    preview_import,
)
from pyanamo_async.operate.task_files import TaskFile, open_task_file
from pyanamo_async.ports import AddResult
from pyanamo_async.store.memory import MemoryStore
from tests.fakes import NOON, an_item

HEADER = "itemID|TaskID|TaskScript\n"
FORM = Format()
ADDED, SKIPPED, REPLACED, LOCKED = AddResult


@pytest.fixture
async def store() -> MemoryStore:
    made = MemoryStore()
    await made.create(shards=4)
    return made


def task_file(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "items.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def two(tmp_path: Path) -> Iterator[TaskFile]:
    with open_task_file(str(task_file(tmp_path, f"{HEADER}a|s|true\n\nb|s|false\n"))) as file:
        yield file


def counts(result: ImportResult) -> dict[AddResult, int]:
    """Return how many items were added, skipped and so on, without zeros."""
    return {each: count for each in AddResult if (count := getattr(result, each))}


async def imported(
    store: MemoryStore, file: TaskFile | CheckedItems, on_exists: OnExists = OnExists.SKIP
) -> dict[AddResult, int]:
    checked = check_file(file, FORM) if isinstance(file, TaskFile) else file
    return counts(await import_items(store, checked, on_exists=on_exists, shards=4, clock=SystemClock()))


async def previewed(store: MemoryStore, file: TaskFile, on_exists: OnExists) -> dict[AddResult, int]:
    return counts(await preview_import(store, check_file(file, FORM), on_exists=on_exists, clock=SystemClock()))


async def ids(store: MemoryStore) -> list[str]:
    return sorted([each.item_id async for each in store.summaries()])


async def test_importing_again_changes_nothing(store: MemoryStore, two: TaskFile) -> None:
    """What is there is skipped, whatever became of it meanwhile."""
    assert await imported(store, two) == {ADDED: 2}
    [item] = await store.claim("w", limit=1, now=NOON)

    assert await imported(store, two) == {SKIPPED: 2}
    assert (await store.read(item.item_id)).state is State.LOCKED


async def test_importing_announces_what_came(two: TaskFile) -> None:
    """So that workers that wait look at once; when nothing came nobody need look."""

    class Announcing(MemoryStore):
        notified = 0

        async def notify(self, *, now: datetime) -> None:  # noqa: ARG002
            self.notified += len(await ids(self)) == 2  # not before they can be found

    store = Announcing()
    await store.create(shards=4)
    for on_exists, notified in ((OnExists.SKIP, 1), (OnExists.SKIP, 1), (OnExists.REPLACE, 2)):
        await imported(store, two, on_exists)
        assert store.notified == notified


async def test_an_item_that_was_deleted_comes_back_with_another_mark(store: MemoryStore, two: TaskFile) -> None:
    """So output of the deleted one is never written over."""
    await imported(store, two)
    before = await store.read("a")
    await store.remove(before)
    await imported(store, two)
    marks = [before.mark, (await store.read("a")).mark, (await store.read("b")).mark]

    assert all(re.fullmatch("[0-9a-f]{8}", mark) for mark in marks)
    assert len(set(marks)) == 3


async def test_replace_never_replaces_what_a_worker_holds(store: MemoryStore, two: TaskFile) -> None:
    """It says how many those were."""
    await store.add([an_item("a", script="old")])
    [held] = await store.claim("w", limit=1, now=NOON)
    await store.add([an_item("b", script="old")])

    assert await imported(store, two, OnExists.REPLACE) == {LOCKED: 1, REPLACED: 1}
    assert await store.read("a") == held
    assert (await store.read("b")).tasks[0].script == "false"


async def test_fail_writes_nothing_when_one_exists(store: MemoryStore, two: TaskFile) -> None:
    """Not even the items that are new."""
    await store.add([an_item("b")])

    with pytest.raises(UsageError, match=r"1 item .*\(b\).*nothing was imported"):
        await imported(store, two, OnExists.FAIL)
    assert await ids(store) == ["b"]


async def test_fail_adds_when_none_exists(store: MemoryStore, two: TaskFile) -> None:
    """`fail` is for new items only."""
    assert await imported(store, two, OnExists.FAIL) == {ADDED: 2}


async def test_fail_tells_when_others_were_faster(two: TaskFile) -> None:
    """An item that comes between the look and the write is not passed over in silence."""

    class Overtaken(MemoryStore):
        async def existing(self, item_ids: Sequence[str]) -> set[str]:
            found = await super().existing(item_ids)
            await self.add([an_item("a")])
            return found

    store = Overtaken()
    await store.create(shards=1)

    with pytest.raises(UsageError, match="somebody else imported them meanwhile"):
        await imported(store, two, OnExists.FAIL)


@pytest.mark.parametrize(("on_exists", "there"), [(OnExists.SKIP, SKIPPED), (OnExists.REPLACE, REPLACED)])
async def test_a_dry_run_counts_and_writes_nothing(
    store: MemoryStore, two: TaskFile, on_exists: OnExists, there: AddResult
) -> None:
    """What would be added, and what is there."""
    await store.add([an_item("a", script="old")])

    assert await previewed(store, two, on_exists) == {ADDED: 1, there: 1}
    assert await ids(store) == ["a"]
    assert (await store.read("a")).tasks[0].script == "old"


async def test_a_dry_run_knows_what_a_worker_holds(store: MemoryStore, two: TaskFile) -> None:
    """It counts what `replace` would count, to the item; what is held and not in the file is not counted."""
    await store.add([an_item("a"), an_item("c")])
    await store.claim("w", limit=2, now=NOON)
    preview = await previewed(store, two, OnExists.REPLACE)

    assert preview == {ADDED: 1, LOCKED: 1}
    assert preview == await imported(store, two, OnExists.REPLACE)


async def test_a_dry_run_without_a_table_creates_none(two: TaskFile) -> None:
    """Everything would be added."""
    store = MemoryStore()

    assert await previewed(store, two, OnExists.SKIP) == {ADDED: 2}
    assert await store.create(shards=1)


async def test_skipped_items_that_the_file_has_otherwise_are_named(store: MemoryStore, tmp_path: Path) -> None:
    """Whatever became of them in the table; a dry run names the same."""
    path = task_file(
        tmp_path,
        "itemID|TaskID|Priority|Timeout|MaxFailures|TaskScript\n"
        "same|s||||true\nscript|s||||new\nsample|new||||true\n"
        "priority|s|1|||true\ntimeout|s||5m||true\nfailures|s|||2|true\n",
    )
    await store.add(
        [an_item(name, sample="s") for name in ("same", "script", "sample", "priority", "timeout", "failures")]
    )
    await store.claim("w", limit=9, now=NOON)

    with open_task_file(str(path)) as file:
        checked = check_file(file, FORM)
        preview = await preview_import(store, checked, on_exists=OnExists.SKIP, clock=SystemClock())
        result = await import_items(store, checked, on_exists=OnExists.SKIP, shards=1, clock=SystemClock())

    for each in (preview, result):
        assert (each.skipped, each.differing, each.examples) == (6, 5, ("script", "sample", "priority"))


async def test_skipped_items_whose_rows_cannot_be_read_are_named() -> None:
    """Nobody knows whether they differ; a dry run names the same."""

    class Damaged(MemoryStore):
        async def read_many(self, item_ids: Sequence[str]) -> list[Item]:
            return [item for item in await super().read_many(item_ids) if not item.item_id.startswith("bad")]

    store, names = Damaged(), ("good", "bad-1", "bad-2", "bad-3", "bad-4")
    await store.create(shards=1)
    await store.add([an_item(name, sample="s") for name in names])
    rows = [{"itemID": name, "TaskID": "s", "TaskScript": "true"} for name in (*names, "new")]
    checked = check_rows(rows)

    preview = await preview_import(store, checked, on_exists=OnExists.SKIP, clock=SystemClock())
    result = await import_items(store, checked, on_exists=OnExists.SKIP, shards=1, clock=SystemClock())

    for each in (preview, result):
        assert (each.skipped, each.unreadable, each.unreadable_examples) == (5, 4, ("bad-1", "bad-2", "bad-3"))


@pytest.mark.parametrize(
    "content", [f"{HEADER}a|s|echo \xe9\n", f"{HEADER}\xe9|s|true\n", '[{"itemID": "\xe9"}]', "echo \x80\n"]
)
def test_text_of_windows_is_refused_with_a_way_to_convert_it(tmp_path: Path, content: str) -> None:
    """What Excel writes as CSV, in whichever form of a task file."""
    path = str(task_file(tmp_path, content.encode("latin-1")))

    with pytest.raises(TaskFileInvalid) as raised, open_task_file(path) as file:
        check_file(file, FORM)
    assert "iconv -f WINDOWS-1252 -t UTF-8" in raised.value.hint


@pytest.mark.parametrize("stored", [("a", "b"), ("b",)])
async def test_a_nested_item_differs_by_any_of_its_tasks(store: MemoryStore, stored: tuple[str, ...]) -> None:
    """Also by their number."""
    await store.add([an_item("n", nested=stored, sample="s")])
    checked = check_rows([{"itemID": "n", "TaskID": "s", "TaskScript": ["a", "c"]}])

    result = await import_items(store, checked, on_exists=OnExists.SKIP, shards=1, clock=SystemClock())

    assert (result.differing, result.examples) == (1, ("n",))


async def test_large_files_go_in_batches_and_progress_is_told(store: MemoryStore, tmp_path: Path) -> None:
    """Nothing is lost at the edges of batches."""
    count = 3 * BATCH + 7
    path = task_file(tmp_path, HEADER + "".join(f"i{number}|s|true\n" for number in range(count)))
    told: list[ImportResult] = []

    with open_task_file(str(path)) as file:
        result = await import_items(
            store,
            check_file(file, FORM),
            on_exists=OnExists.SKIP,
            shards=4,
            clock=SystemClock(),
            progress=told.append,
        )

    assert (result.items, result.tasks, counts(result)) == (count, count, {ADDED: count})
    written = [each.written for each in told]
    assert written[0] == 0
    assert sorted(after - before for before, after in pairwise(written)) == [7, BATCH, BATCH, BATCH]
    assert (await store.counts()).total == count


async def test_at_most_a_few_batches_are_under_way(tmp_path: Path) -> None:
    """A slow table makes reading wait, not memory grow."""
    under_way, most = 0, 0

    class Slow(MemoryStore):
        async def add(self, items: Sequence[Item], *, replace: bool = False) -> list[AddResult]:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            for _ in range(2 * BATCHES_AT_ONCE):
                await asyncio.sleep(0)
            under_way -= 1
            return await super().add(items, replace=replace)

    store = Slow()
    await store.create(shards=1)
    path = task_file(tmp_path, HEADER + "".join(f"i{number}|s|true\n" for number in range(10 * BATCH)))

    with open_task_file(str(path)) as file:
        assert await imported(store, file) == {ADDED: 10 * BATCH}
    assert most == BATCHES_AT_ONCE


async def test_an_error_of_the_table_ends_the_import(two: TaskFile) -> None:
    """It comes out, and no further batch is begun."""

    class Away(MemoryStore):
        async def add(self, items: Sequence[Item], *, replace: bool = False) -> list[AddResult]:
            raise Unavailable(f"{len(items)} items, replace={replace}")

    with pytest.raises(Unavailable, match="2 items"):
        await imported(Away(), two)


def test_every_bad_line_is_counted_and_the_first_are_told(tmp_path: Path) -> None:
    """Nobody reads a million complaints, everybody wants to know how many there are."""
    path = task_file(tmp_path, HEADER + "good|s|true\n" + "bad\n" * 123)

    with open_task_file(str(path)) as file, pytest.raises(TaskFileInvalid, match="123 bad lines") as raised:
        check_file(file, FORM)
    assert len(raised.value.problems) == SHOWN_PROBLEMS + 1
    assert raised.value.problems[-1] == "... and 73 more"
    assert raised.value.problems[0] == "line 3: missing field TaskID"
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "\n\n", HEADER])
def test_a_file_without_items_is_refused(tmp_path: Path, text: str) -> None:
    """It is a mistake, not an import of nothing."""
    with open_task_file(str(task_file(tmp_path, text))) as file, pytest.raises(TaskFileInvalid, match="no items"):
        check_file(file, FORM)


async def test_a_file_that_changes_meanwhile_is_told(store: MemoryStore, tmp_path: Path) -> None:
    """What is read the second time is checked like the first."""
    path = task_file(tmp_path, f"{HEADER}a|s|true\n")

    with open_task_file(str(path)) as file:
        checked = check_file(file, FORM)
        path.write_text(f"{HEADER}a|s|\n")
        with pytest.raises(UsageError, match="changed while it was imported: line 2: empty script"):
            await imported(store, checked)


@pytest.mark.parametrize(("now", "items"), [("a|s|true\n", 1), ("a|s|true\nb|s|true\nc|s|true\n", 3)])
async def test_a_file_that_lost_or_won_items_meanwhile_is_told(
    store: MemoryStore, tmp_path: Path, now: str, items: int
) -> None:
    """It is being written still, or was cut: what was checked is not what was imported."""
    path = task_file(tmp_path, f"{HEADER}a|s|true\nb|s|true\n")

    with open_task_file(str(path)) as file:
        checked = check_file(file, FORM)
        path.write_text(HEADER + now)
        with pytest.raises(UsageError, match=f"changed while it was imported: it had 2 items, now {items}"):
            await imported(store, checked)


async def test_what_can_be_read_only_once_is_imported_all_the_same(store: MemoryStore, tmp_path: Path) -> None:
    """A pipe is kept aside for the second reading."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(f"{HEADER}a|s|true\n",))
    writer.start()

    with open_task_file(str(pipe)) as file:
        assert check_file(file, FORM).items == 1
        assert await imported(store, file) == {ADDED: 1}
    writer.join()


@pytest.mark.parametrize("rest", [b"b,s,false", b"b,s,false\r", b'b,s,"echo ""x"""\r\r'])
def test_carriage_returns_are_line_ends_where_there_are_no_others(tmp_path: Path, rest: bytes) -> None:
    """As old spreadsheets write them."""
    path = task_file(tmp_path, b"itemID,TaskID,TaskScript\ra,s,caf\xc3\xa9\r" + rest)

    with open_task_file(str(path)) as file:
        checked = check_file(file, FORM)
        assert [item.item_id for item in checked.read()] == ["a", "b"]


def test_a_temporary_folder_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be read only once needs one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    both_ends = os.open(pipe, os.O_RDWR)  # nobody waits for the other end
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))

    with pytest.raises(UsageError, match=r"folder of TMPDIR .*No such file") as raised, open_task_file(str(pipe)):
        pass
    assert "set TMPDIR to a folder with room" in raised.value.hint
    os.close(both_ends)


def test_an_endless_line_is_one_problem(tmp_path: Path) -> None:
    """It comes in pieces, and the next line is the next line."""
    path = task_file(tmp_path, HEADER.encode() + b"x" * (2 * MAX_LINE_BYTES + 9) + b"\na|s|\n")

    with open_task_file(str(path)) as file, pytest.raises(TaskFileInvalid) as raised:
        check_file(file, FORM)
    assert raised.value.problems == ["line 2: longer than 4 MiB", "line 3: empty script"]


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"\x1f\x8b\x08\x00", "zcat"),
        (b"PK\x03\x04stuff", "spreadsheet"),
        ("itemID".encode("utf-16"), "iconv -f UTF-16 "),
        ("itemID".encode("utf-16-le"), "iconv -f UTF-16LE "),
        ("itemID".encode("utf-16-be"), "iconv -f UTF-16BE "),
        (b"\x7fELF\0\0", "line 1 has a NUL byte. hint: UTF-8"),
        (b"itemID|TaskID|TaskScript\na|s|echo \0\n", "line 2 has a NUL byte"),
        (b"itemID|TaskID|TaskScript\ra|s|true\r\0b", "line 3 has a NUL byte"),
    ],
)
def test_what_is_no_text_is_refused_at_once(tmp_path: Path, content: bytes, hint: str) -> None:
    """With the way to make it text, or the line to look at."""
    path = str(task_file(tmp_path, content))

    with pytest.raises(UsageError, match="not a text file") as raised, open_task_file(path):
        pass
    assert hint in str(raised.value)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """Missing, or a folder."""
    missing = str(tmp_path / "missing")

    with pytest.raises(UsageError, match=f"no file {missing}"), open_task_file(missing):
        pass
    with pytest.raises(UsageError, match="Is a directory"), open_task_file(str(tmp_path)):
        pass


async def test_an_item_put_back_keeps_its_overrides(store: MemoryStore, tmp_path: Path) -> None:
    """What the file says of an item holds for all its attempts."""
    path = task_file(tmp_path, "itemID|TaskID|MaxFailures|Timeout|TaskScript\na|s|7|90m|true\n")
    with open_task_file(str(path)) as file:
        await imported(store, file)
    [item] = await store.claim("w", limit=1, now=NOON)
    await store.save(item, reset(item))

    back = await store.read("a")
    assert (back.max_failures, back.timeout) == (7, item.timeout)


async def test_rows_follow_the_rules_of_a_task_file(store: MemoryStore) -> None:
    """Columns, nested items, durations; text is taken as it is."""
    rows = [
        {
            "itemID": "a",
            "TaskID": "s",
            "TaskScript": 'echo "x|y"\necho',
            "Timeout": timedelta(minutes=90),
            "Priority": 1,
        },
        {"itemID": "b", "TaskID": "s", "TaskScript": ["one", "two"], "MaxFailures": 2},
    ]

    assert await imported(store, check_rows(iter(rows))) == {ADDED: 2}
    single, nested = await store.read("a"), await store.read("b")
    assert (single.tasks[0].script, single.timeout, single.priority) == ('echo "x|y"\necho', timedelta(minutes=90), 1)
    assert ([task.script for task in nested.tasks], nested.max_failures) == (["one", "two"], 2)


def test_bad_rows_are_listed_by_number() -> None:
    """All of them are checked before any is added."""
    rows = [
        {"itemID": "a", "TaskID": "s", "TaskScript": "true"},
        {"itemID": "b", "TaskID": "s"},
        {"itemID": "c", "TaskID": "s", "TaskScript": "true", "Colour": "red"},
    ]

    with pytest.raises(TaskFileInvalid, match="the list of rows has 2 bad rows") as raised:
        check_rows(rows)
    assert "2 bad rows; nothing was imported: row 2: missing field TaskScript; row 3: unknown column" in str(
        raised.value
    )
    assert raised.value.problems[0] == "row 2: missing field TaskScript"
    assert raised.value.problems[1].startswith("row 3: unknown column 'Colour'")
    with pytest.raises(TaskFileInvalid, match="no items"):
        check_rows([])
