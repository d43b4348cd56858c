"""What a shell completes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pyanamo_async.cli.main import run
from tests.cli.conftest import PYANAMO, Cli

Complete = Callable[[str], list[str]]
IDS = ["sample-1", "sample-2", "other", "$(touch x)", "a b", "-k"]
ITEMS = "itemID|TaskID|TaskScript\n" + "".join(f"{item_id}|s|true\n" for item_id in IDS)


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Complete:
    """Ask as bash does when Tab is pressed behind these words."""

    def ask(line: str) -> list[str]:
        monkeypatch.setenv("_PYANAMO_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        with pytest.raises(SystemExit) as ended:
            run([])
        monkeypatch.delenv("_PYANAMO_COMPLETE")
        said = capfdbinary.readouterr()
        assert (ended.value.code, said.err) == (0, b"")
        return said.out.decode().split()

    return ask


@pytest.fixture
def items(cli: Cli, folder: Path) -> None:
    """A table with items, some of whose ids mean something to a shell."""
    (folder / "items.txt").write_text(ITEMS)
    assert cli("import", "items.txt").status == 0


def test_commands_and_flags_are_completed(complete: Complete) -> None:
    """Also below groups."""
    assert {"retry", "reset", "reclaim"} <= {*complete("pyanamo re")}
    assert {"create", "describe"} <= {*complete("pyanamo table ")}
    assert complete("pyanamo retry --rea") == ["--reason"]
    assert complete("pyanamo import --on-exists u") == ["update"]


def test_states_are_completed(complete: Complete) -> None:
    """In any case, and several behind commas."""
    assert complete("pyanamo list --state P") == ["Pending"]
    assert complete("pyanamo list --state pe") == ["pending"]
    assert complete("pyanamo retry -s failed,W") == ["failed,Wall_Time_Exceeded"]


@pytest.mark.usefixtures("items")
@pytest.mark.parametrize("line", ["show", "logs", "explain", "retry other", "delete --yes", "list"])
def test_ids_are_completed(complete: Complete, line: str) -> None:
    """For each command that takes some."""
    assert sorted(complete(f"pyanamo {line} sam")) == ["sample-1", "sample-2"]


@pytest.mark.usefixtures("items")
def test_only_ids_that_a_shell_takes_as_they_are_are_offered(complete: Complete) -> None:
    """Nobody's id becomes a command, two words or a flag."""
    assert sorted(complete("pyanamo show ")) == ["other", "sample-1", "sample-2"]


@pytest.mark.usefixtures("items")
def test_ids_are_those_of_the_table_that_is_named(
    complete: Complete, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the flag, or the environment."""
    (folder / "pyanamo.db").rename("there.db")

    assert complete("pyanamo show sam") == []
    assert len(complete("pyanamo show -t sqlite:there.db sam")) == 2
    monkeypatch.setenv("PYANAMO_TABLE", "sqlite:there.db")
    assert len(complete("pyanamo show sam")) == 2


@pytest.mark.parametrize("table", ["sqlite:missing.db", "no/table", "sqlite:items.txt", "sqlite:/dev/null"])
def test_errors_are_silent(complete: Complete, folder: Path, table: str) -> None:
    """There is nothing to complete, and nothing is created."""
    (folder / "items.txt").write_text(ITEMS)
    before = sorted(folder.iterdir())

    assert complete(f"pyanamo show -t {table} sam") == []
    assert sorted(folder.iterdir()) == before


@pytest.mark.usefixtures("items")
def test_bash_completes_with_what_is_installed() -> None:
    """The script that `--show-completion` prints, in a bash of its own."""
    script = f"""PATH={Path(PYANAMO).parent}:$PATH
eval "$(_PYANAMO_COMPLETE=source_bash pyanamo)"
COMP_WORDS=(pyanamo show sample-) COMP_CWORD=2
_pyanamo_completion pyanamo
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)

    assert (sorted(done.stdout.split()), done.stderr) == (["sample-1", "sample-2"], "")
