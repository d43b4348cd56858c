"""Settings and addresses: what people write, checked once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pyanamo_async.app.locations import (
    Bucket,
    DynamoTable,
    Folder,
    SqliteTable,
    beside,
    distinct_names,
    parse_output,
    parse_table,
)
from pyanamo_async.app.output_settings import OutputSettings
from pyanamo_async.app.settings import (
    WorkerSettings,
    make_settings,
)
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.errors import UsageError


@pytest.mark.parametrize(
    ("text", "table", "name"),
    [
        ("sqlite:pyanamo.db", SqliteTable(Path("pyanamo.db")), "pyanamo"),
        ("sqlite:/data/step one.sqlite", SqliteTable(Path("/data/step one.sqlite")), "step one"),
        ("Step_1.align-2", DynamoTable("Step_1.align-2"), "Step_1.align-2"),
        ("x" * 255, DynamoTable("x" * 255), "x" * 255),
    ],
)
def test_tables(text: str, table: SqliteTable | DynamoTable, name: str) -> None:
    """A name is a DynamoDB table, `sqlite:` begins a path; output is filed under a name without folders."""
    assert parse_table(text) == table
    assert str(table) == text
    assert make_settings(table=text).own_log_group == f"/PyAnamo/{name}"


@pytest.mark.parametrize(
    "text", ["", "ab", "x" * 256, "a/b.db", "postgres:x", "sqlite:", "naïve", "my table", "file:x"]
)
def test_what_is_no_table_is_refused(text: str) -> None:
    """With what it could have been."""
    with pytest.raises(UsageError, match="`table`"):
        parse_table(text)


@pytest.mark.parametrize(
    ("text", "key", "output"),
    [
        ("my-bucket", "PyAnamo", Bucket("my-bucket", "PyAnamo")),
        ("s3://my-bucket", "PyAnamo", Bucket("my-bucket", "PyAnamo")),
        ("s3://my-bucket/a/b/", "/PyAnamo/", Bucket("my-bucket", "a/b/PyAnamo")),
        ("s3://my-bucket/a", "", Bucket("my-bucket", "a")),
        ("file:logs", "PyAnamo", Folder(Path("logs"), "PyAnamo")),
        ("file:/var/log/x y", "a/b", Folder(Path("/var/log/x y"), "a/b")),
    ],
)
def test_outputs(text: str, key: str, output: Bucket | Folder) -> None:
    """A bucket by name or with a prefix, or a folder; the key comes below."""
    assert parse_output(text, key=key) == output


@pytest.mark.parametrize("text", ["", "ab", "file:", "s3://", "my-bucket/prefix", "gs://bucket", "-bucket", "a b c"])
def test_what_is_no_output_is_refused(text: str) -> None:
    """A prefix wants `s3://`, so that a path is never taken for a bucket."""
    with pytest.raises(UsageError, match="`bucket`"):
        parse_output(text, key="PyAnamo")


def test_tables_of_one_name_are_told_apart_by_their_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By as few as it takes, whatever the addresses look like; the same table twice has one name."""
    (tmp_path / "b" / "align").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "b" / "align")

    def names(*addresses: str) -> list[str]:
        return distinct_names([parse_table(each) for each in addresses])

    assert names("sqlite:pyanamo.db", "sqlite:call.db", "Step") == ["pyanamo", "call", "Step"]
    assert names("sqlite:pyanamo.db", "sqlite:../call/pyanamo.db") == ["align/pyanamo", "call/pyanamo"]
    assert names("sqlite:pyanamo.db", f"sqlite:{tmp_path}/a/align/pyanamo.db") == ["b/align/pyanamo", "a/align/pyanamo"]
    assert names("sqlite:Step.db", "Step") == ["align/Step", "Step"]
    assert names("sqlite:x.db", "sqlite:x.sqlite") == ["sqlite:x.db", "sqlite:x.sqlite"]
    assert len({*names("sqlite:x.db", f"sqlite:{tmp_path}/b/align/x.db")}) <= 2


def test_memory_is_bytes_or_text() -> None:
    """As all sizes are in Python; what is neither is refused with what would do."""
    assert WorkerSettings(memory=2**30).memory_budget(None) == 2**30
    assert WorkerSettings(memory="50%").memory_budget(2**30) == 2**29
    for wrong, says in ((30, "give a size like 12G"), (2.5, "give text or a whole number"), (True, "give text")):
        with pytest.raises(UsageError, match=f"`memory` is.*{says}"):
            WorkerSettings(memory=wrong)  # type: ignore[arg-type]


def test_output_of_sqlite_stands_beside_the_file(tmp_path: Path) -> None:
    """Wherever a command is run from; beside the file itself, where its name is a link, and without a way around."""
    (tmp_path / "link.db").symlink_to("there/x.db")
    beside = Folder(tmp_path / "there" / "pyanamo-logs", "PyAnamo")

    for name in ("there/x.db", "link.db", "here/../there/x.db"):
        assert make_settings(table=f"sqlite:{tmp_path / name}").need_output() == beside


def test_sqlite_comes_with_a_folder_and_dynamodb_wants_a_bucket() -> None:
    """A container's own disk forgets; but only what touches output needs to know."""
    assert make_settings().need_output() == Folder(Path("pyanamo-logs"), "PyAnamo")
    assert make_settings(table="Step", bucket="my-bucket").need_output() == Bucket("my-bucket", "PyAnamo")
    assert make_settings(table="Step", bucket="file:logs").need_output() == Folder(Path("logs"), "PyAnamo")

    with pytest.raises(UsageError, match=r"no bucket for the output of table Step.*`bucket`"):
        make_settings(table="Step").need_output()


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"heartbeat": 61 * SECOND}, "lease"),
        ({"lease": 59 * SECOND}, "lease"),
        ({"lease": timedelta(days=1, seconds=1)}, "lease"),
        ({"policy": FailurePolicy(backoff_min=2 * SECOND, backoff_max=SECOND)}, "backoff_min"),
        ({"wall_time": 60 * SECOND, "min_remaining": 60 * SECOND}, "min_remaining"),
        ({"items": 0}, "items"),
        ({"timeout": timedelta()}, "timeout"),
        ({"shell": "/no/such/shell"}, "shell"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, object], argument: str) -> None:
    """The error names the argument to change."""
    with pytest.raises(UsageError, match=f"`{argument}`"):
        replace(WorkerSettings(), **changes)  # type: ignore[arg-type]  # each is of its field's type


def test_settings_at_their_limits_are_fine() -> None:
    """Three heartbeats to a lease, a lease of a day, a fixed backoff."""
    WorkerSettings(lease=timedelta(days=1))
    WorkerSettings(
        heartbeat=60 * SECOND, lease=180 * SECOND, policy=FailurePolicy(backoff_min=SECOND, backoff_max=SECOND)
    )


@pytest.mark.parametrize(
    ("cloudwatch", "group"), [(None, ""), ("", "/PyAnamo/Step_1"), ("/mine/#1", "/mine/#1"), ("x" * 512, "x" * 512)]
)
def test_a_log_group_is_the_tables_own_unless_named(cloudwatch: str | None, group: str) -> None:
    """And there is none unless somebody asks for one."""
    settings = replace(make_settings(table="Step_1"), storing=OutputSettings(cloudwatch=cloudwatch))

    assert settings.log_group == group


@pytest.mark.parametrize(
    "sse", ["", "AES256", "aws:kms", "aws:kms:alias/mine", "aws:kms:arn:aws:kms:r:1:key/k", "aws:kms:dsse:k"]
)
def test_encryption(sse: str) -> None:
    """As S3 names it, with a key behind a colon."""
    settings = make_settings(table="Step_1", bucket="bucket")

    assert replace(settings, storing=OutputSettings(sse=sse)).storing.sse == sse


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"sse": "kms"}, "`sse` 'kms'"),
        ({"sse": "aws:kms:"}, "`sse` 'aws:kms:'"),
        ({"cloudwatch_retention": timedelta(days=30)}, "`cloudwatch_retention` has no effect without `cloudwatch`"),
        ({"cloudwatch": "g", "cloudwatch_retention": timedelta(days=31)}, "`cloudwatch_retention` is 31d"),
        (
            {"cloudwatch": "g", "cloudwatch_retention": timedelta(days=1, seconds=1)},
            "give one of these numbers",
        ),
        ({"sse": "aws:kms:dsse:"}, "`sse` 'aws:kms:dsse:'"),
        ({"cloudwatch": "a group"}, "`cloudwatch` 'a group'"),
        ({"cloudwatch": "x" * 513}, "`cloudwatch`"),
    ],
)
def test_output_cannot_be_stored_like_that(wrong: dict[str, str], says: str) -> None:
    """The error names the argument."""
    with pytest.raises(UsageError, match=says):
        OutputSettings(**wrong)  # type: ignore[arg-type]  # each is of its field's type


def test_a_folder_encrypts_nothing() -> None:
    """Whoever asks for it believes something that is not so."""
    with pytest.raises(UsageError, match="`sse` encrypts objects in a bucket"):
        replace(make_settings(), storing=OutputSettings(sse="aws:kms"))


def test_an_odd_table_name_is_no_log_group() -> None:
    """The table's own group is checked too."""
    with pytest.raises(UsageError, match="`cloudwatch` '/PyAnamo/odd name'"):
        replace(make_settings(table="sqlite:odd name.db"), storing=OutputSettings(cloudwatch=""))


def test_a_home_is_found_behind_a_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where shells leave `~` alone."""
    monkeypatch.setenv("HOME", "/home/somebody")
    given = make_settings(table="sqlite:~/x.db", bucket="file:~/logs")

    assert str(given.table) == "sqlite:/home/somebody/x.db"
    assert str(given.output) == "file:/home/somebody/logs"
    with pytest.raises(UsageError, match=r"home.*hint: "):
        make_settings(table="sqlite:~no-such-user-of-ours/x.db")


@pytest.mark.parametrize("name", ["pyanamo.db", "some/path.sqlite", "made-by-sqlite"])
def test_a_file_without_its_scheme_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """By its suffix, or by what is in it; any other file is no obstacle to a table of its name."""
    monkeypatch.chdir(tmp_path)
    Path("made-by-sqlite").write_bytes(b"SQLite format 3\0 and so on")
    Path("tasks").write_text("itemID|TaskID|TaskScript")

    with pytest.raises(UsageError, match=f"hint: did you mean sqlite:{name}"):
        make_settings(table=name)
    assert str(make_settings(table="tasks").table) == "tasks"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("sqlite:folder/step.db", "sqlite:folder/step-bench.db"),
        ("sqlite:step", "sqlite:step-bench"),
        ("my.step", "my.step-bench"),
    ],
)
def test_a_table_beside_another_is_in_the_same_place(table: str, expected: str) -> None:
    """In the same folder, with the same suffix; in the same account."""
    assert str(beside(parse_table(table), "-bench")) == expected


def test_a_table_beside_another_may_have_no_name() -> None:
    """Names end somewhere."""
    with pytest.raises(UsageError, match="xx-bench' is neither"):
        beside(parse_table("x" * 255), "-bench")
