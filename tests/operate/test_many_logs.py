"""The output of many tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyanamo_async.core.items import Output
from pyanamo_async.core.selection import Selection
from pyanamo_async.errors import OutputError
from pyanamo_async.operate.many_logs import FoundLog, find_logs, save_logs
from pyanamo_async.operate.saving import AT_ONCE
from pyanamo_async.outputs.memory import MemoryOutputs
from tests.fakes import an_item
from tests.operate.test_results import a_reader, a_store, done, small

EVERYTHING = Selection(all=True)
NAMES = ["HG002", "hg002", ".hidden", "../up", "a/b"]


def never(found: FoundLog, error: OutputError) -> None:
    raise AssertionError(found.item_id) from error


async def test_each_task_has_a_file_of_its_own(tmp_path: Path) -> None:
    """Whatever its item is called: within the folder, and none differs from another in case alone."""
    store = await a_store(*(done(an_item(name), small(name)) for name in NAMES), an_item("never ran"))
    found = find_logs(store, a_reader(MemoryOutputs()), EVERYTHING, ["stdout", "stderr"], tail=None)
    paths = [path async for path in save_logs(found, tmp_path / "x" / "y", unreadable=never)]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]

    assert sorted(paths) == sorted(files)
    assert {path.parent for path in files} == {tmp_path / "x" / "y"}
    assert len({str(path).casefold() for path in files}) == len(files) == 2 * len(NAMES)
    assert sorted(path.read_text() for path in files if path.suffix == ".stdout") == sorted(NAMES)


async def test_output_that_cannot_be_read_costs_its_own_task_alone(tmp_path: Path) -> None:
    """It is told, leaves no file, and an older one as it was."""
    items = [done(an_item(f"{number:02}"), small(f"{number}")) for number in range(AT_ONCE)]
    gone = done(an_item("gone"), Output(at="memory:gone"))
    store, told = await a_store(*items[:3], gone, *items[3:]), list[str]()
    (tmp_path / "gone.stdout").write_text("older")
    (tmp_path / "00.stdout").write_text("older")
    found = find_logs(store, a_reader(MemoryOutputs()), EVERYTHING, ["stdout"], tail=None)
    paths = save_logs(found, tmp_path, unreadable=lambda each, _: told.append(each.item_id))

    assert len([path async for path in paths]) == AT_ONCE
    assert told == ["gone"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *(f"{n:02}.stdout" for n in range(AT_ONCE)),
        "gone.stdout",
    ]
    assert ((tmp_path / "gone.stdout").read_text(), (tmp_path / "00.stdout").read_text()) == ("older", "0")


async def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    """Which names it."""
    (tmp_path / "file").write_text("")
    store = await a_store(done(an_item("a"), small("x")))
    found = find_logs(store, a_reader(MemoryOutputs()), EVERYTHING, ["stdout"], tail=None)

    with pytest.raises(OutputError, match=r"file/a\.stdout cannot be written: Not a directory"):
        [path async for path in save_logs(found, tmp_path / "file", unreadable=never)]
