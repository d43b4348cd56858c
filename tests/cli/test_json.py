"""What commands print as JSON is what `docs/reference/json.md` says, by its schemas."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.cli.conftest import Cli, process
from tests.cli.test_batch import SUBMIT, batch
from tests.cli.test_changing import lock
from tests.cli.test_from_pyanamo import after_a_run, claim_by_jobs, copy
from tests.docs import json_reference
from tests.docs.cli_reference import leaves, root
from tests.docs.json_schemas import SCHEMAS
from tests.docs.pages import blocks

__all__ = ["after_a_run", "batch", "copy"]

MACHINE = {"--json", "--jsonl"}
LINES = {
    "import --json": ["import items.txt --json", "import item.txt --dry-run --json"],
    "status --json": ["status --json", "status sqlite:pyanamo.db sqlite:pyanamo.db --json"],
    "status --watch --json": ["status --watch 0.1 --times 2 --json"],
    "list --json": ["list --json", "list --state locked,failed --json"],
    "list --jsonl": ["list --jsonl", "list --state failed --jsonl"],
    "show --json": ["show Calls --json", "show Fails --json", "show Held_1 --json", "show Todo_1 --json"],
    "explain --json": ["explain Calls --json", "explain Held_1 --json"],
    "failures --json": ["failures --json", "failures --tasks --json"],
    "retry --json": ["retry --yes --json", "retry --dry-run --json"],
    "reset --json": ["reset Calls Held_1 --yes --json", "reset --all --dry-run --json"],
    "hold --json": ["hold Todo_1 --yes --json"],
    "unhold --json": ["unhold --all --yes --json"],
    "cancel --json": ["cancel Todo_1 --reason withdrawn --yes --json"],
    "delete --json": ["delete Todo_1 --yes --json"],
    "set --json": ["set Todo_1 --priority 3 --yes --json"],
    "samples --json": ["samples --json"],
    "results --jsonl": ["results --jsonl", "results --sample Sample1 --tag-names chromosome,lines:int --jsonl"],
    "trace --json": ["trace --json"],
    "trace --jsonl": ["trace --jsonl"],
    "doctor --json": ["doctor --json"],
    "bench --json": ["bench --items 2 --output 1KiB --json"],
    "reclaim --json": ["reclaim --json"],
    "reclaim --dry-run --json": ["reclaim --dry-run --json"],
    "workers --json": ["workers --json"],
    "table describe --json": ["table describe --json"],
    "table adopt --json": ["table adopt --json", "table adopt --dry-run --json"],
    "table clear --json": ["table clear --yes --json"],
}
"""Command lines for each schema, on a table with items in several states."""
ON_AWS = {
    "table autoscale --json": "table autoscale --max 70 --json",
    "table export-template --json": "table export-template --json",
}
ON_BATCH = {
    "batch submit --json": f"{' '.join(SUBMIT)} --jobs 2 --json",
    "batch list --json": "batch list --json",
    "batch why --json": "batch why --json",
    "batch cancel --json": "batch cancel --now --yes --json",
}
"""In this order."""
ELSEWHERE = {"files --json", "workers --jobs --json", *ON_AWS, *ON_BATCH}


def _validate(name: str, printed: str) -> int:
    """Hold what was printed against its schema, and return how many values there were."""
    one_a_line = name.endswith("--jsonl") or "--watch" in name
    values = [json.loads(line) for line in printed.splitlines()] if one_a_line else [json.loads(printed)]
    for value in values:
        Draft202012Validator(SCHEMAS[name]).validate(value)
    return sum(len(value) if isinstance(value, list) else 1 for value in values)


def test_every_command_that_prints_json_has_a_schema() -> None:
    """And each schema a command, with a line that is tried."""
    printing = {
        f"{' '.join(path)} {flag}"
        for path, command in leaves(root())
        for option in command.params
        for flag in MACHINE.intersection(option.opts)
    }

    assert printing - SCHEMAS.keys() == set()
    assert {*LINES, *ELSEWHERE} == SCHEMAS.keys()


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name: str) -> None:
    """By the rules of the draft."""
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_the_page_has_the_schemas_as_they_are() -> None:
    """`make docs` would write what it already says; each of its blocks is a schema."""
    assert json_reference.page() == json_reference.PAGE.read_text()
    shown = [json.loads(block) for block in blocks(json_reference.PAGE, "json")]
    assert [name for name, schema in SCHEMAS.items() if schema.get("items", schema) not in shown] == []


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in LINES.items() for line in lines])
@pytest.mark.usefixtures("copy")
def test_what_a_command_prints_is_what_its_schema_says(cli: Cli, name: str, line: str) -> None:
    """With values, so that the schema is about something."""
    lock("Held_1")
    if name == "unhold --json":
        cli("hold", "Todo_1", "--yes")

    said = cli(*shlex.split(line))

    assert said.status in {0, 3}, said.err
    assert _validate(name, said.out) > 0


@pytest.mark.parametrize("name", ON_AWS)
def test_what_is_printed_of_capacity_is_what_its_schema_says(
    cli: Cli, table: str, aws_env: dict[str, str], moto_endpoint: str, monkeypatch: pytest.MonkeyPatch, *, name: str
) -> None:
    """On a table that is provisioned."""
    for variable, value in (aws_env | {"PYANAMO_TABLE": table, "AWS_ENDPOINT_URL_DYNAMODB": moto_endpoint}).items():
        monkeypatch.setenv(variable, value)
    cli("table", "create")
    assert cli("table", "provision", "--read", "5", "--write", "5").status == 0

    assert _validate(name, cli(*shlex.split(ON_AWS[name])).out) > 0


def test_what_is_printed_of_jobs_is_what_its_schema_says(
    cli: Cli, copy: Path, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one that Batch does not know, and of a worker of no job."""
    for variable, value in aws_env.items():
        monkeypatch.setenv(variable, value)
    asyncio.run(claim_by_jobs(copy, "0a1b2c3d-0000-4000-8000-00000000000a", ""))

    assert _validate("workers --jobs --json", cli("workers", "--jobs", "--json").out) == 2


def test_what_is_printed_of_files_is_what_its_schema_says(cli: Cli, folder: Path) -> None:
    """Of a single item, and of a task of a nested one."""
    leave = "echo a > $PYANAMO_RESULTS/a.txt"
    rows = [{"itemID": name, "TaskID": "s", "TaskScript": script} for name, script in (("a", leave), ("b", [leave]))]
    (folder / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert cli("import", "items.jsonl").status == 0
    assert process("run", "-q", cwd=folder).status == 0

    assert _validate("files --json", cli("files", "--json").out) == 2


@pytest.mark.usefixtures("batch")
def test_what_is_printed_of_workers_on_batch_is_what_its_schema_says(cli: Cli) -> None:
    """From their submission to their end."""
    _validate("batch submit --json", cli(*SUBMIT, "--jobs", "2", "--dry-run", "--json").out)
    cli("table", "create")

    for name, line in ON_BATCH.items():
        assert _validate(name, cli(*shlex.split(line)).out) == 1
