"""The command line, called in this process or run as one of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pyanamo_async.cli.main import run

pytest.register_assert_rewrite("tests.cli.original", "tests.cli.original_laws")

PYANAMO = str(Path(sys.executable).with_name("pyanamo"))
SINGLE = "\nitemID|TaskID|TaskScript\na|s1|echo out; echo err >&2\nb|s2|exit 3\n\n"
NESTED = "itemID|TaskID|TaskScript|TaskArgs\nn|s1|seq|2,1\n"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 - whatever it is
        assert self.status == 0, self.err
        return json.loads(self.out)


Cli = Callable[..., Said]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for each test, with a task file of single and one of nested items."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "single.txt").write_text(SINGLE)
    (tmp_path / "nested.txt").write_text(NESTED)
    return tmp_path


@pytest.fixture
def cli(capfdbinary: pytest.CaptureFixture[bytes]) -> Cli:
    """Call the command line in this process."""

    def call(*argv: str) -> Said:
        status = run(argv)
        captured = capfdbinary.readouterr()
        return Said(status, captured.out.decode(), captured.err.decode())

    return call


@pytest.fixture
def ran(cli: Cli) -> Cli:
    """A table with three items, of which one is done, one failed and one nested."""
    assert cli("import", "single.txt").status == 0
    assert cli("import", "-n", "nested.txt").status == 0
    assert process("run", "--max-failures", "1").status == 3
    return cli


def process(*argv: str, **options: Any) -> Said:  # noqa: ANN401 - those of subprocess.run
    """Run the real program."""
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60, "text": True}
    done = subprocess.run([PYANAMO, *argv], check=False, **(given | options))
    return Said(done.returncode, done.stdout or "", done.stderr or "")
