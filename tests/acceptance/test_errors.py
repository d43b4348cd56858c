"""What goes wrong before any script runs: one line that says what, which, and how to go on; never a traceback."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from harness.program import ROOT, Done, Program
from tests.acceptance.wire import dynamodb_refusal, refusing, s3_refusal

EVENT = re.compile(r"\d{4}-\d\d-\d\dT")
COMMANDS = ("status", "run", "list", "show a", "logs a", "table describe", "table delete --yes")
TASKS = "itemID|TaskID|TaskScript\na|s|true\n"
DENIED = "User: arn:aws:iam::123456789012:user/nobody is not authorized to perform this"


def complaint(done: Done, *, code: int, naming: str) -> str:
    """Check the form of a complaint, and return it."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    said = done.stderr.splitlines()
    [line] = [line for line in said if not EVENT.match(line)]  # a worker may have said before that it waits
    assert "hint: " in line
    assert naming in line
    return line


def with_env(of: Program, **changes: str | None) -> Program:
    """Change environment variables; None takes one away."""
    env = {**of.env, **changes}
    return replace(of, env={name: value for name, value in env.items() if value is not None})


@pytest.mark.parametrize(
    ("pyanamo", "command"),
    [
        *(("on_sqlite", command) for command in COMMANDS),
        *(("on_aws", command) for command in ("status", "run", "table delete --yes")),
    ],
    indirect=["pyanamo"],
)
def test_no_table(pyanamo: Program, command: str) -> None:
    """A table that is not there is named."""
    complaint(pyanamo.run(*command.split()), code=1, naming=pyanamo.table.removeprefix("sqlite:"))


def test_an_sqlite_file_of_another_program(on_sqlite: Program) -> None:
    """It is named, and left as it was."""
    with closing(sqlite3.connect(on_sqlite.sqlite_file())) as theirs:
        theirs.execute("CREATE TABLE items (theirs TEXT)")
    before = on_sqlite.sqlite_file().read_bytes()

    for command in (["status"], ["run"], ["table", "create"], ["table", "delete", "--yes"]):
        complaint(on_sqlite.run(*command), code=1, naming="step.db")
    assert on_sqlite.sqlite_file().read_bytes() == before


def test_a_file_that_is_no_database(on_sqlite: Program) -> None:
    """A text file given as the table is named, not read as one."""
    on_sqlite.sqlite_file().write_text("itemID|TaskID|TaskScript\n" * 100)

    complaint(on_sqlite.run("status"), code=1, naming="step.db")


def test_a_dynamodb_table_of_another_program(on_aws: Program) -> None:
    """It is named, and left as it was."""
    client = on_aws.client("dynamodb")
    client.create_table(
        TableName=on_aws.table,
        KeySchema=[{"AttributeName": "theirs", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "theirs", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
    )

    for command in (["status"], ["run"], ["table", "create"], ["table", "delete", "--yes"]):
        complaint(on_aws.run(*command), code=1, naming=on_aws.table)
    assert client.describe_table(TableName=on_aws.table)["Table"]["TableStatus"] == "ACTIVE"


@pytest.mark.parametrize("command", ["status", "run"])
def test_no_credentials(on_aws: Program, command: str) -> None:
    """Without credentials it says so, and how to get some."""
    bare = with_env(on_aws, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)

    complaint(bare.run(command), code=1, naming="credentials")


@pytest.mark.parametrize("command", ["status", "run"])
def test_no_region(on_aws: Program, command: str) -> None:
    """Without a region it says so; `-r` is the way out."""
    nowhere = with_env(on_aws, AWS_REGION=None, AWS_DEFAULT_REGION=None)

    assert "-r" in complaint(nowhere.run(command), code=1, naming="region")
    nowhere("table", "create", "-r", "us-east-1")


def test_no_such_bucket(on_aws: Program) -> None:
    """A worker finds out before its first claim that its output has no place to go."""
    on_aws.import_rows("a|s|true")

    complaint(on_aws.run("run", "-b", "no-such-bucket-of-ours"), code=1, naming="no-such-bucket-of-ours")
    assert on_aws.status()["items"]["todo"] == 1


def test_a_dynamodb_table_wants_a_bucket(on_aws: Program) -> None:
    """A container's own disk forgets: without a bucket nothing starts."""
    on_aws.import_rows("a|s|true")

    complaint(with_env(on_aws, S3_BUCKET=None).run("run"), code=2, naming=on_aws.table)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("status", "AccessDeniedException"),
        ("status", "UnrecognizedClientException"),
        ("status", "ExpiredTokenException"),
        ("run", "AccessDeniedException"),
        ("run", "ExpiredTokenException"),
        ("table create", "AccessDeniedException"),
    ],
)
def test_the_table_denied(on_aws: Program, command: str, error: str) -> None:
    """What AWS does not allow is said with the table's name, at once."""
    with refusing(*dynamodb_refusal(error, DENIED)) as address:
        denied = with_env(on_aws, AWS_ENDPOINT_URL_DYNAMODB=address)

        complaint(denied.run(*command.split()), code=1, naming=on_aws.table)


def test_the_bucket_denied(on_aws: Program) -> None:
    """A bucket that may not be written to is named before the first claim."""
    on_aws.import_rows("a|s|true")
    with refusing(*s3_refusal("AccessDenied", "Access Denied")) as address:
        denied = with_env(on_aws, AWS_ENDPOINT_URL_S3=address)

        complaint(denied.run("run"), code=1, naming=on_aws.bucket)
    assert on_aws.status()["items"]["todo"] == 1


def test_a_locked_sqlite_file(on_sqlite: Program) -> None:
    """A file that another program keeps locked is named, after a few seconds of patience."""
    on_sqlite.import_rows("a|s|true")
    (on_sqlite.folder / "more.txt").write_text(TASKS)
    with closing(sqlite3.connect(on_sqlite.sqlite_file(), isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")

        assert "locked" in complaint(
            on_sqlite.run("import", "more.txt", "--on-exists", "replace"), code=1, naming="step.db"
        )


@pytest.mark.parametrize("file", ["nowhere.txt", "a-folder"])
def test_a_task_file_that_is_none(on_sqlite: Program, file: str) -> None:
    """A missing file and a folder are usage errors, and no table is made for them."""
    (on_sqlite.folder / "a-folder").mkdir()

    complaint(on_sqlite.run("import", file), code=2, naming=file)
    assert not on_sqlite.sqlite_file().exists()


def test_a_task_file_that_may_not_be_read(on_sqlite: Program) -> None:
    """A file without read permission is named."""
    file = on_sqlite.folder / "secret.txt"
    file.write_text(TASKS)
    file.chmod(0)

    complaint(on_sqlite.run("import", file, obeys_modes=True), code=2, naming="secret.txt")


def test_bad_lines_are_reported_all_at_once(pyanamo: Program) -> None:
    """Every bad line with its number and reason, exit 2, and nothing was written, not even a table."""
    file = pyanamo.folder / "bad.txt"
    file.write_text("itemID|TaskID|TaskScript\na|s|true\nb|s\nc|s|\na|s|true\n|s|true\n")

    done = pyanamo.run("import", file)

    assert (done.returncode, done.stdout) == (2, "")
    for line, reason in (
        (3, "missing field TaskScript"),
        (4, "empty script"),
        (5, "line 2"),
        (6, "missing field itemID"),
    ):
        assert any(f"line {line}:" in said and reason in said for said in done.stderr.splitlines()), done.stderr
    assert pyanamo.run("status").returncode == 1


def test_an_output_folder_that_may_not_be_written(on_sqlite: Program) -> None:
    """A worker finds out before its first claim that its output has no place to go."""
    on_sqlite.import_rows("a|s|true")
    logs = on_sqlite.folder / "logs"
    logs.mkdir()
    logs.chmod(0o555)

    complaint(on_sqlite.run("run", obeys_modes=True), code=1, naming="logs")
    assert on_sqlite.status()["items"]["todo"] == 1


def test_a_table_that_may_not_be_written(on_sqlite: Program) -> None:
    """A SQLite file in a folder without write permission is named."""
    on_sqlite.folder.chmod(0o555)
    try:
        complaint(on_sqlite.run("table", "create", obeys_modes=True), code=1, naming="step.db")
    finally:
        on_sqlite.folder.chmod(0o755)


def test_the_doctor_finds_what_may_not_be_written(on_sqlite: Program) -> None:
    """A worker would fail at once; neither look leaves anything behind."""
    on_sqlite.import_rows("a|s|true")
    paths = [on_sqlite.sqlite_file(), on_sqlite.folder]
    before = sorted(on_sqlite.folder.iterdir())
    for path in paths:
        path.chmod(0o555)
    try:
        found = on_sqlite.run("doctor", "--json", obeys_modes=True)
    finally:
        for path in paths:
            path.chmod(0o755)

    assert (found.returncode, [each["finding"] for each in json.loads(found.stdout)]) == (
        3,
        ["table not writable", "output not writable"],
    )
    assert json.loads(on_sqlite("doctor", "--json")) == []
    assert sorted(on_sqlite.folder.iterdir()) == before


def test_an_item_too_large_for_dynamodb_is_refused_with_what_to_type(on_aws: Program) -> None:
    """What the refusal proposes works."""
    file = ROOT / "tests" / "cases" / "nested1000.txt"
    refused = on_aws.run("import", file)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "item 's1' has 1000 tasks" in refused.stderr

    proposed = ("import", "--split", re.findall(r"--split (\d+)", refused.stderr)[-1], file)
    on_aws(*proposed)
    assert "differ" not in on_aws.run(*proposed).stderr
    rows = on_aws.rows()
    assert sum(row["Nested_Tasks"] for row in rows.values()) == 1000
    assert rows.keys() == {f"s1-{number}" for number in range(1, len(rows) + 1)}
