"""Laws of output in a folder alone."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
from pathlib import Path

import pytest

from pyanamo_async.errors import OutputError, OutputMissing, Unavailable
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.outputs.files import FileOutputs
from pyanamo_async.ports import OutputKey
from tests.outputs.stores import read_all, write_all

KEY = OutputKey("t", "i", "Task_0", 1, "stdout")


async def test_the_layout_is_that_of_the_bucket(tmp_path: Path) -> None:
    """Output is where the documentation says, as ordinary gzip."""
    location = await write_all(FileOutputs(tmp_path, "PyAnamo"), KEY, [b"text"])
    file = tmp_path / "PyAnamo/t/i/Task_0/1.stdout.gz"

    assert (location, gzip.decompress(file.read_bytes())) == (f"file:{file}", b"text")


async def test_a_file_has_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    """Until then there is a hidden file."""
    sink = FileOutputs(tmp_path).open(KEY)
    for _ in range(10):
        await sink.write(bytes(100_000))
    [partial] = files(tmp_path)
    await sink.close()

    assert partial.startswith(".")
    assert files(tmp_path) == ["1.stdout.gz"]


async def test_the_location_holds_wherever_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative folder is relative to the worker, not to the reader."""
    monkeypatch.chdir(tmp_path)
    location = await write_all(FileOutputs(Path("logs"), "k"), KEY, [b"text"])
    monkeypatch.chdir("/")

    assert await read_all(FileOutputs(Path("elsewhere")), location) == b"text"


async def test_abort_leaves_what_others_made(tmp_path: Path) -> None:
    """Folders that were there, or in which there is something, stay."""
    (tmp_path / "t").mkdir()
    store = FileOutputs(tmp_path)
    ours, beside = store.open(KEY), store.open(OutputKey("t", "i", "Task_0", 1, "stderr"))
    await ours.write(bytes(1_000_000))
    await beside.write(bytes(1_000_000))
    await ours.abort()
    await beside.close()

    assert files(tmp_path) == ["1.stderr.gz"]


async def test_abort_leaves_what_another_wrote(tmp_path: Path) -> None:
    """A file of the same name that another sink wrote stays, although no two should share a name."""
    store = FileOutputs(tmp_path)
    ours = store.open(KEY)
    await ours.write(bytes(1_000_000))
    location = await write_all(store, KEY, [b"text"])
    await ours.abort()

    assert await read_all(store, location) == b"text"


async def test_a_folder_removed_by_another_is_made_again(tmp_path: Path) -> None:
    """Sinks that abort and sinks that begin in the same folders do not disturb each other."""
    store = FileOutputs(tmp_path / "logs")
    keys = [OutputKey("t", "i", "Task_0", number, "stdout") for number in range(60)]

    async def write_or_abort(key: OutputKey) -> str:
        sink = store.open(key)
        await sink.write(bytes(200_000))
        if key.attempt % 2:
            await sink.abort()
            return ""
        return await sink.close()

    locations = await asyncio.gather(*map(write_or_abort, keys))

    assert [len(await read_all(store, location)) for location in locations if location] == [200_000] * 30


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("file/in/the/way", "hint: a file stands where a folder should"),
        ("file", "hint: a file stands where a folder should"),
    ],
)
async def test_a_folder_that_cannot_exist_is_refused(tmp_path: Path, folder: str, said: str) -> None:
    """The check says what is wrong and what to do; a sink says the same, at once."""
    (tmp_path / "file").write_text("in the way")
    store = FileOutputs(tmp_path / folder)

    with pytest.raises(OutputError, match=said):
        await store.check()
    with pytest.raises(OutputError, match=said):
        await write_all(store, KEY, [b"text"])


async def test_a_folder_that_cannot_be_written_is_refused() -> None:
    """The check writes a file, because permissions alone do not show it: /proc takes no files, even from root."""
    with pytest.raises(OutputError, match=r"folder /proc/self/fdinfo/logs"):
        await FileOutputs(Path("/proc/self/fdinfo/logs")).check()


@pytest.mark.parametrize("folder", ["/proc/logs", "/" + "x" * 300])
async def test_a_folder_that_cannot_be_made_has_a_hint(folder: str) -> None:
    """Choose another folder, whatever the reason is."""
    with pytest.raises((OutputError, Unavailable), match=r"hint: .*choose a .* with `bucket` file:DIR"):
        await FileOutputs(Path(folder)).check()


async def test_a_damaged_file_is_not_output(tmp_path: Path) -> None:
    """Reading says that it is damaged; a folder is not output either."""
    store = FileOutputs(tmp_path)
    (tmp_path / "bad.gz").write_bytes(b"no gzip at all, really")

    with pytest.raises(OutputError, match="damaged"):
        await read_all(store, f"file:{tmp_path}/bad.gz")
    with pytest.raises(OutputMissing):
        await read_all(store, f"file:{tmp_path}")


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


async def test_many_may_check_a_new_folder_at_once(tmp_path: Path) -> None:
    """Workers that start together do not remove the folder for each other."""
    folder = tmp_path / "new"

    await asyncio.gather(*(FileOutputs(folder, "key").check() for _ in range(50)))

    assert not [left for left in folder.rglob("*") if left.is_file()]


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o007])
async def test_new_files_and_folders_have_the_permissions_asked_for(tmp_path: Path, umask: int) -> None:
    """By default they are their owner's alone: output may hold what nobody else is to read."""
    folder = tmp_path / "logs"
    outputs = FileOutputs(folder) if umask == 0o077 else FileOutputs(folder, umask=umask)
    await outputs.check()
    await write_all(outputs, KEY, [b"text"])

    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~umask


@pytest.mark.parametrize("moved", [False, True], ids=["deleted", "moved"])
async def test_output_outlives_its_folder(tmp_path: Path, moved: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody tidies up while a task runs: the folder is made again, with all that was printed, and it is said."""
    sink, text = FileOutputs(tmp_path / "logs").open(KEY), os.urandom(3_000_000)
    await sink.write(text[:2_000_000])
    if moved:
        (tmp_path / "logs").rename(tmp_path / "old")
    else:
        shutil.rmtree(tmp_path / "logs")
    await sink.write(text[2_000_000:])

    location = await sink.close()

    assert text == await read_all(FileOutputs(tmp_path / "logs"), location)
    assert "deleted" in caplog.text
    assert len(files(tmp_path / "logs")) == 1


async def test_a_deleted_folder_is_waited_for_like_a_full_disk(tmp_path: Path) -> None:
    """It cannot be made again at once, because a file has its name, say: the output waits until it can."""
    folder = tmp_path / "logs"
    sink = FileOutputs(folder / "deep", schedule=RetrySchedule(limit_s=60.0, first_pause_s=0.01)).open(KEY)
    await sink.write(os.urandom(1_000_000))
    shutil.rmtree(folder)
    folder.symlink_to(tmp_path / "nowhere" / "yet")

    closing = asyncio.create_task(sink.close())
    await asyncio.sleep(0.1)
    assert not closing.done()
    folder.unlink()

    assert len(await read_all(FileOutputs(folder), await closing)) == 1_000_000
