"""Task files as people have them, in `tests/cases`: each is imported and run, or refused with a way on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.program import ROOT, Row, program
from pyanamo_async.app.settings import DEFAULT_TABLE
from tests.cli.conftest import Cli, process

CASES = ROOT / "tests" / "cases"
PARAMETERS = ("sample", "fastq_1", "fastq_2", "strandedness", "note")
WORDS = f"printf '%s\\n' {' '.join(f'{{{name}}}' for name in PARAMETERS)}"
BY_LANE = ("--id", "{sample}:{fastq_1}", "--sample", "{sample}", "--script", WORDS)

Look = Callable[[Cli, dict[str, Row]], object]


@dataclass(frozen=True)
class Case:
    """A file, the options it takes, and what is expected: what its items print, or what the refusal says."""

    file: str
    options: Sequence[str] = ()
    prints: dict[str, str] = field(default_factory=dict)
    says: str = ""
    status: int = 0
    look: Look | None = None
    sees: object = None

    def __str__(self) -> str:
        return f"{self.file} {' '.join(self.options[:1])}".strip()


def _timeouts(_: Cli, rows: dict[str, Row]) -> object:
    return {name: row["Timeout"] for name, row in rows.items()}


def _samples(_: Cli, rows: dict[str, Row]) -> object:
    return [row["taskID"] for row in rows.values()]


def _scripts(_: Cli, rows: dict[str, Row]) -> object:
    return sorted(row["TaskScript"][-6:] for row in rows.values())


def _tasks(_: Cli, rows: dict[str, Row]) -> object:
    return {name: (row["ItemState"], len(row["Log"]), row["Log"]["Task_999"]["stdout"]) for name, row in rows.items()}


def _stderr(cli: Cli, rows: dict[str, Row]) -> object:
    shown = cli("show", "ansi").out
    return rows["ansi"]["Log"]["stderr"], [char for char in shown if not char.isprintable() and char != "\n"]


TRIED = [
    Case("array.json", prints={"a": "one\n", "b": "two\n"}),
    Case("comma_rows.csv", prints={"s1": "one\n"}),
    Case("comment2.txt", prints={"s1": "one\n"}),
    Case("cr_only.csv", prints={"s1": "one\n", "s2": "two\n"}),
    Case("extra_cols.csv", says="for a table with other columns, give a --script"),
    Case(
        "extra_cols.csv",
        ["--id", "{itemID}", "--sample", "{TaskID}", "--script", "echo {Sex}; {TaskScript:raw}"],
        prints={"s1": "F\none\n"},
    ),
    Case("hash_header.tsv", prints={"s1": "one\n"}),
    Case("multiline.csv", prints={"s1": "one\ntwo\n"}),
    Case("slurmtime.txt", prints={"s1": "one\n"}, look=_timeouts, sees={"s1": 600}),
    Case("semicolon.csv", prints={"s1": "one two\n", "s2": "a\nb\n", "s3": "plain\n"}),
    Case("crlfscript.jsonl", prints={"s1": "hi\n"}),
    Case("shebang.jsonl", prints={"py": "3\n"}),
    Case("tsv_quoted_cmd.tsv", prints={"s1": "0 arguments\n", "s2": "1 arguments\n"}),
    Case(
        "c1_controls.jsonl",
        prints={"ansi": "10%\r20%\r100%\n"},
        status=3,
        look=_stderr,
        sees=("\x1b[31mred\x1b[0m\x1b]0;title\x07 \x9b31mC1 \u202e bidi\r\n", []),
    ),
    Case(
        "joblist.txt",
        prints={"cmd-8f986272481cf9e7": "", "cmd-f4df22759dd37488": ""},  # there is no such environment here
        status=3,
        look=_scripts,
        sees=["A.json", "B.json"],
    ),
    Case("nested1000.txt", prints={}, look=_tasks, sees={"s1": ("done", 1000, "chr999\n")}),
    Case("samplesheet.csv", says="set --no-header if it is an item, --script to make items from any table"),
    Case("samplesheet.csv", ["--id", "{sample}", "--script", "true"], says="itemID 'S1' is already on line 2"),
    Case(
        "samplesheet.csv",
        BY_LANE,
        prints={
            "S1:reads/S1_L001_R1.fastq.gz": "S1\nreads/S1_L001_R1.fastq.gz\nreads/S1_L001_R2.fastq.gz\nauto\n"
            "first batch, re-sequenced\n",
            "S1:reads/S1_L002_R1.fastq.gz": "S1\nreads/S1_L002_R1.fastq.gz\nreads/S1_L002_R2.fastq.gz\nauto\n\n",
            "S 2:reads/S 2_R1.fastq.gz": 'S 2\nreads/S 2_R1.fastq.gz\nreads/S 2_R2.fastq.gz\nforward\nit\'s "new"\n',
            "Ümlaut-3:reads/Ümlaut-3_R1.fastq.gz": "Ümlaut-3\nreads/Ümlaut-3_R1.fastq.gz\n\nreverse\n\n",
        },
        look=_samples,
        sees=["S1", "S1", "S 2", "Ümlaut-3"],
    ),
    Case("two_tables.txt", says="line 3: this is the header of another table"),
]


@pytest.mark.parametrize("case", TRIED, ids=str)
def test_a_file_as_people_have_it_runs_or_is_refused_with_a_way_on(case: Case, cli: Cli, folder: Path) -> None:
    """Its items print what they should, and importing it again adds none."""
    (folder / "my tool.sh").write_text("#!/bin/sh\necho $# arguments\n")
    (folder / "my tool.sh").chmod(0o755)
    imported = cli("import", str(CASES / case.file), *case.options)
    if case.says:
        assert imported.status == 2
        assert case.says in imported.err
        return

    assert imported.status == 0, imported.err
    again = cli("import", str(CASES / case.file), *case.options)
    assert again.out.startswith("0 added,")
    assert "differ" not in again.err
    assert process("run", "-n", "8", "--max-failures", "1").status == case.status
    rows = program(folder, table=DEFAULT_TABLE, bucket="", env={}).rows()
    assert {
        name: row["Log"].get("stdout", "") for name, row in rows.items() if "Nested_Tasks" not in row
    } == case.prints
    if case.look is not None:
        assert case.look(cli, rows) == case.sees


def test_every_case_is_tried() -> None:
    """With what its table says is expected."""
    listed = (CASES / "README.md").read_text()

    assert {file.name for file in CASES.iterdir()} - {"README.md"} == {case.file for case in TRIED}
    assert [case.file for case in TRIED if f"| `{case.file}` |" not in listed] == []
