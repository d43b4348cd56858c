"""Which variables a worker gets, and which arguments and variables ask for what."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pyanamo_async.entrypoint.__main__ import check_run
from pyanamo_async.entrypoint.request import (
    DEFAULT_TMPDIR,
    Request,
    Scripts,
    merge,
    missing,
    read_request,
    table_name,
    unknown,
    work_folder,
)
from pyanamo_async.errors import UsageError


def test_the_job_outranks_its_set_up_scripts() -> None:
    """What both set stays; what the scripts began with, from us, they may change or drop; PATH they may extend."""
    job = {"ref": "mine", "PATH": "/bin", "kept": "1"}
    given = {**job, "wrk": "/w", "gone": "x"}
    after = {"ref": "theirs", "PATH": "/bin:/tools", "wrk": "/other", "new": "n", "SHLVL": "2", "_": "x"}

    merged = merge(job, given, after)

    assert merged.environment == {"ref": "mine", "PATH": "/bin:/tools", "kept": "1", "wrk": "/other", "new": "n"}
    assert merged.kept == ("kept", "ref")


def test_credentials_code_and_items_are_the_jobs_alone() -> None:
    """Set, changed or dropped by a script: ignored, and named."""
    job = {"AWS_REGION": "eu-west-2", "PYANAMO_TABLE": "t"}

    merged = merge(job, job, {"AWS_REGION": "x", "AWS_PROFILE": "p", "LD_PRELOAD": "/evil", "PYANAMO": "/code"})

    assert merged.environment == {**job, "PYANAMO": "/code"}
    assert merged.protected == ("AWS_PROFILE", "AWS_REGION", "LD_PRELOAD", "PYANAMO_TABLE")


def test_variables_that_nobody_reads_are_named() -> None:
    """With what may be meant."""
    known = {"PYANAMO_ITEMS", "PYANAMO_TABLE"}

    assert unknown({"PYANAMO_ITEM": "", "PYANAMO_TABLE": "", "PYANAMO": "", "PYANAMO_ZZZZ": ""}, known) == {
        "PYANAMO_ITEM": "did you mean PYANAMO_ITEMS?",
        "PYANAMO_ZZZZ": "",
    }


SHA = "ab" * 32
ARCHIVE = Scripts("s3://bucket/x.tar.gz", "bucket", "x.tar.gz")


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ([], {}, Request()),
        (["-i", "4"], {}, Request(flags=("-i", "4"))),
        (["s3://bucket/x.tar.gz"], {"PYANAMO_SCRIPTS": "s3://other/y.zip"}, Request(ARCHIVE)),
        (["s3://bucket/x.tar.gz", "-i", "4"], {}, Request(ARCHIVE, flags=("-i", "4"))),
        (["--check", "s3://bucket/x.tar.gz"], {}, Request(ARCHIVE, check=True)),
        (["s3://bucket/x.tar.gz", "--check"], {}, Request(ARCHIVE, check=True)),
        (["pyanamo", "status"], {"PYANAMO_SCRIPTS": "s3://bucket/x.tar.gz"}, Request(ARCHIVE, ("pyanamo", "status"))),
        (["./x.zip"], {}, Request(Scripts("./x.zip", path="./x.zip"))),
        (["bash", "-c", "true"], {}, Request(command=("bash", "-c", "true"))),
        (
            ["s3://bucket/any/key?versionId=v1"],
            {"PYANAMO_SCRIPTS_SHA256": SHA.upper()},
            Request(Scripts("s3://bucket/any/key?versionId=v1", "bucket", "any/key", "v1", sha256=SHA)),
        ),
    ],
)
def test_arguments_are_an_archive_flags_or_a_command(
    arguments: list[str], environment: dict[str, str], expected: Request
) -> None:
    """In every form that the guide has."""
    assert read_request(arguments, environment) == expected


@pytest.mark.parametrize(
    ("address", "sha256"), [("s3://bucket", ""), ("https://host/x.zip", ""), ("s3://bucket/x.zip", "abc")]
)
def test_addresses_and_checksums_that_are_none_are_refused(address: str, sha256: str) -> None:
    """Before anything is fetched."""
    with pytest.raises(UsageError):
        read_request([], {"PYANAMO_SCRIPTS": address, "PYANAMO_SCRIPTS_SHA256": sha256})


@pytest.mark.parametrize("arguments", [[], ["-i", "4"], ["pyanamo", "status"]])
def test_a_checksum_without_scripts_is_refused(arguments: list[str]) -> None:
    """Somebody meant to pin what runs, and nothing would be checked; an empty one, as the stack passes, is none."""
    with pytest.raises(UsageError, match="no scripts that it could be of"):
        read_request(arguments, {"PYANAMO_SCRIPTS_SHA256": SHA})

    assert read_request([], {"PYANAMO_SCRIPTS": "", "PYANAMO_SCRIPTS_SHA256": " "}) == Request()


def test_a_set_up_has_a_time_limit() -> None:
    """An hour, or what the variable says; what is no duration is refused, and so is none at all."""
    assert read_request([], {}).limit == timedelta(hours=1)
    assert read_request([], {"PYANAMO_SETUP_TIMEOUT": "90s"}).limit == timedelta(seconds=90)
    for wrong in ("soon", "0"):
        with pytest.raises(UsageError, match="PYANAMO_SETUP_TIMEOUT"):
            read_request([], {"PYANAMO_SETUP_TIMEOUT": wrong})


def test_missing_variables_are_named() -> None:
    """All of them at once; a file needs no bucket."""
    assert missing({}) == ["PYANAMO_TABLE", "S3_BUCKET"]
    assert missing({"PYANAMO_TABLE": "t", "S3_BUCKET": "b"}) == []
    assert missing({"PYANAMO_TABLE": "sqlite:x.db"}) == []


def test_flags_name_the_table_and_the_bucket_as_variables_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """They outrank those; what no flag names is left to them."""
    monkeypatch.setenv("PYANAMO_TABLE", "other")

    assert check_run(["-t", "sqlite:x.db", "--bucket=file:logs"]) == {
        "PYANAMO_TABLE": "sqlite:x.db",
        "S3_BUCKET": "file:logs",
    }
    assert check_run(["-i", "4"]) == {}


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("my-step", "my-step"),
        ("sqlite:/a/step.one.db", "step.one"),
        ("sqlite:..", "table"),
        ("", "table"),
        ("a/b", "b"),
    ],
)
def test_a_table_has_a_name_in_files(table: str, name: str) -> None:
    """Which leads nowhere else."""
    assert table_name(table) == name


def test_tasks_run_in_a_folder_of_the_table() -> None:
    """Below TMPDIR, unless another is given."""
    assert work_folder({"PYANAMO_TABLE": "t"}) == f"{DEFAULT_TMPDIR}/t"
    assert work_folder({"PYANAMO_TABLE": "t", "TMPDIR": "/scratch"}) == "/scratch/t"
    assert work_folder({"PYANAMO_TABLE": "t", "PYANAMO_WORKDIR": "/w"}) == "/w"
