"""Where output is stored, and found again: beside its table, whatever the current folder is, and where it was moved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Said, process

SCRIPTS = """itemID|TaskID|TaskScript
a|s|seq 2000; test $PYANAMO_ATTEMPT = 2
r|s|echo result > "$PYANAMO_RESULTS/f"
"""


@pytest.fixture
def elsewhere(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a table whose worker ran in another one, while the current folder is a third."""
    for name in ("table", "worker", "reader"):
        (folder / name).mkdir()
    (folder / "tasks.txt").write_text(SCRIPTS)
    monkeypatch.chdir(folder / "worker")
    monkeypatch.setenv("PYANAMO_TABLE", "sqlite:../table/x.db")
    assert cli("import", "../tasks.txt").status == 0
    assert process("run", "-q", "--backoff", "1ms..1ms").status == 0
    monkeypatch.chdir(folder / "reader")
    return folder / "table"


def lines(said: Said) -> int:
    return len(said.out.splitlines())


def test_output_stands_beside_its_table(cli: Cli, elsewhere: Path, folder: Path) -> None:
    """Whoever looks, from wherever, finds it: that of the last attempt, that of older ones, and files.

    A place that is named is looked at first; what it lacks comes from where the record says.
    """
    assert sorted(path.name for path in elsewhere.iterdir() if path.is_dir()) == ["pyanamo-logs"]
    assert [*(folder / "worker").iterdir(), *(folder / "reader").iterdir()] == []
    assert (lines(cli("logs", "a")), lines(cli("logs", "a", "--attempt", "1"))) == (2000, 2000)
    assert f"file:{elsewhere}/pyanamo-logs/PyAnamo/" in cli("files").out

    [whole] = elsewhere.glob("pyanamo-logs/**/2-*.stdout.gz")
    copy = elsewhere / "copy" / whole.relative_to(elsewhere / "pyanamo-logs")
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"")
    assert "the stored output is damaged" in cli("logs", "a", "-b", "file:../table/copy").err
    assert cli("files", "--into", "files", "-b", "file:../table/copy").status == 0
    assert Path("files/r/f").read_text() == "result\n"


@pytest.mark.parametrize("moved", ["with its table", "alone"])
def test_output_that_was_moved_is_found(
    cli: Cli, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, *, moved: str
) -> None:
    """Beside its table, or where `--bucket` says; by every command that reads it."""
    if moved == "alone":
        (elsewhere / "pyanamo-logs").rename(elsewhere / "other")
        said = cli("logs", "a")
        assert (said.status, said.out) == (1, "")
        assert f"there is no output at file:{elsewhere}/pyanamo-logs/" in said.err
        assert "hint: if it was moved, --bucket" in said.err
        flags = ["-b", "file:../table/other"]
    else:
        elsewhere.rename(elsewhere.with_name("moved"))
        monkeypatch.setenv("PYANAMO_TABLE", "sqlite:../moved/x.db")
        flags = []

    assert lines(cli("logs", "a", *flags)) == lines(cli("logs", "a", "--attempt", "1", *flags)) == 2000
    assert lines(cli("logs", "a", "--tail", "5", *flags)) == 5
    assert cli("logs", "--all", "--into", "logs", *flags).status == 0
    assert len(Path("logs/a.stdout").read_text().splitlines()) == 2000
    assert cli("files", "--into", "files", *flags).status == 0
    assert Path("files/r/f").read_text() == "result\n"


def stored(folder: Path) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in folder.rglob("*") if path.is_file())


def test_deleted_output_is_gone_from_wherever_it_was(cli: Cli, elsewhere: Path) -> None:
    """Whatever the current folder is, and also where another bucket is named: the records say where it is."""
    said = cli("delete", "a", "--outputs", "--yes")
    assert (said.status, said.out, said.err) == (0, "1 item deleted\n", "")
    assert stored(elsewhere / "pyanamo-logs") == ["f", "results.json"]

    said = cli("delete", "r", "--outputs", "--yes", "-b", "file:nowhere")
    assert (said.status, said.out, said.err) == (0, "1 item deleted\n", "")
    assert stored(elsewhere / "pyanamo-logs") == []


def test_moved_output_is_deleted_where_it_is_said_to_be(cli: Cli, elsewhere: Path) -> None:
    """Of all attempts, with files."""
    other = (elsewhere / "pyanamo-logs").rename(elsewhere / "other")
    said = cli("delete", "a", "r", "--outputs", "--yes", "-b", "file:../table/other")

    assert (said.status, said.out, said.err) == (0, "2 items deleted\n", "")
    assert stored(other) == []


def test_output_that_is_not_found_is_named(cli: Cli, elsewhere: Path) -> None:
    """By the place that the record names, with an exit status of its own: somebody may have promised to delete it."""
    (elsewhere / "pyanamo-logs").rename(elsewhere / "other")
    said, as_json = cli("delete", "a", "--outputs", "-y"), cli("delete", "r", "--outputs", "-y", "--json")

    assert (said.status, said.out) == (3, "1 item deleted\n")
    assert said.err.startswith(f"1 output was not found at file:{elsewhere}/pyanamo-logs/PyAnamo/")
    [location] = json.loads(as_json.out)["outputs_not_found"]
    assert (as_json.status, location.endswith("/results/")) == (3, True)
    assert len(stored(elsewhere / "other")) == 4
