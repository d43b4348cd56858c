"""Output is kept whole for every attempt, and read from wherever it is."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.program import PATIENCE_S, Program, until

MIB = 1 << 20
AT_ONCE = ("--backoff", "1ms..1ms")
NOT_TEXT = b"\xff\xfe caf\xe9 \x00\x1b\n"
GROWING = 'seq $PYANAMO_ATTEMPT 30000; echo "attempt $PYANAMO_ATTEMPT" >&2; test $PYANAMO_ATTEMPT -gt 1'


def test_every_attempt_is_kept(pyanamo: Program) -> None:
    """An older one is read by its number, a replaced item's too; what was small stood in the record alone."""
    pyanamo.import_rows(f"a|s|{GROWING}")
    pyanamo("run", *AT_ONCE)
    replacing(pyanamo, f"a|s|{GROWING}")
    pyanamo("run", *AT_ONCE)

    assert pyanamo.rows()["a"]["Attempt"] == 3
    for attempt in (1, 2, 3):
        assert pyanamo("logs", "a", "--attempt", str(attempt)) == numbers(attempt, 30000)
    assert pyanamo("logs", "a") == numbers(3, 30000)
    assert pyanamo("logs", "a", "--stderr") == "attempt 3\n"
    assert "nothing is stored of stderr of attempt 1" in pyanamo.run("logs", "a", "--stderr", "--attempt", "1").stderr
    assert pyanamo.run("logs", "a", "--attempt", "4").returncode == 2


def test_both_streams_and_the_last_lines(pyanamo: Program) -> None:
    """Of output in storage and in the record alike, below the headings of `head`."""
    pyanamo.import_rows("a|s|seq 30000; echo one >&2; printf two >&2")
    pyanamo("run")

    assert pyanamo("logs", "a", "--tail", "2") == "29999\n30000\n"
    assert pyanamo("logs", "a", "--stderr", "--tail", "1") == "two"
    assert pyanamo("logs", "a", "--both", "--tail", "1") == "==> stdout <==\n30000\n\n==> stderr <==\ntwo"
    assert pyanamo("logs", "a", "--both") == f"==> stdout <==\n{numbers(1, 30000)}\n==> stderr <==\none\ntwo"


def test_what_was_cut_short_is_printed_and_told(pyanamo: Program) -> None:
    """Wherever it stands: nobody takes a part for the whole. The other stream is printed all the same."""
    pyanamo.import_rows("a|s|seq 30000; echo fine >&2", "b|s|seq 5000")
    pyanamo("run")
    rows = pyanamo.rows()
    at, other = (rows[item]["Log"]["stdout_at"] for item in "ab")
    if at.startswith("s3://"):
        s3, (bucket, key), (_, short) = pyanamo.client("s3"), *(_place(each) for each in (at, other))
        s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": short})
    else:
        Path(at.removeprefix("file:")).write_bytes(Path(other.removeprefix("file:")).read_bytes())

    for flags in ([], ["--tail", "1"], ["--both"], ["--follow"]):
        said = pyanamo.run("logs", "a", *flags)
        assert said.returncode == 1
        assert "5000\n" in said.stdout
        assert "fine" in said.stdout or flags != ["--both"]
        assert f"{at} is not what was printed: that was {len(numbers(1, 30000))} bytes, this is 23893" in said.stderr


def test_what_is_no_text_is_kept_byte_for_byte(pyanamo: Program) -> None:
    """Small or large: the record shows it with replacements, storage and `logs` have every byte."""
    (pyanamo.folder / "odd").write_bytes(NOT_TEXT)
    pyanamo.import_rows("small|s|cat odd", "large|s|for i in $(seq 1000); do cat odd; done")
    pyanamo("run")

    for item, times in (("small", 1), ("large", 1000)):
        record = pyanamo.rows()[item]["Log"]
        assert record["stdout_bytes"] == times * len(NOT_TEXT)
        assert record["stdout"].endswith("\ufffd\ufffd caf\ufffd \0\x1b\n")
        assert as_bytes(pyanamo, "logs", item) == NOT_TEXT * times


def test_objects_say_what_they_are_and_are_encrypted(on_aws: Program) -> None:
    """So that a browser or `aws s3 cp` opens them; with the key that was named."""
    on_aws.import_rows("a|s|seq 30000")
    on_aws("run", "--sse", "aws:kms:alias/ours")

    head = head_of(on_aws, on_aws.rows()["a"]["Log"]["stdout_at"])

    assert (head["ContentType"], head["ContentEncoding"]) == ("text/plain; charset=utf-8", "gzip")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/ours")


def test_a_storage_that_fails_for_good_changes_no_outcome(on_aws: Program) -> None:
    """The item is done, its record says why the output could not be stored, and its end is kept."""
    go_on = on_aws.folder / "go-on"
    on_aws.import_rows(f"a|s|touch begun; until test -e {go_on}; do sleep 0.1; done; seq 100000")
    worker = on_aws.start("run")
    until((on_aws.folder / "begun").exists)
    on_aws.client("s3").delete_bucket(Bucket=on_aws.bucket)
    go_on.touch()

    assert worker.wait(timeout=PATIENCE_S) == 0
    row = on_aws.rows()["a"]
    assert (row["ItemState"], row["Log"]["Status"]) == ("done", "Succeeded")
    assert row["Log"]["Log_Status"] == f"not stored: bucket '{on_aws.bucket}' does not exist"
    assert row["Log"]["stdout"].endswith("99999\n100000\n")
    said = on_aws.run("logs", "a")
    assert said.stdout.endswith("99999\n100000\n")
    assert "the output is incomplete: not stored" in said.stderr


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the peak of a child's memory is measured as Linux has it")
def test_reading_takes_little_memory(on_sqlite: Program) -> None:
    """The last line of 150 MB without a newline is all of it, and streamed like all of it."""
    size = 150 * MIB
    on_sqlite.import_rows("big|s|head -c 157286400 /dev/zero | tr '\\0' x; printf '\\nend\\n'", "small|s|echo text")
    on_sqlite("run")

    least = reading(on_sqlite, "small")[1]
    for flags in ([], ["--tail", "2"], ["--both"]):
        printed, peak_bytes = reading(on_sqlite, "big", *flags)
        assert printed >= size
        assert peak_bytes - least < 24 * MIB, f"{flags}: {(peak_bytes - least) / MIB:.0f} MiB more than nothing"


def test_scripts_without_credentials(on_aws: Program) -> None:
    """They inherit the worker's, unless it is told otherwise."""
    on_aws.import_rows("with|s|env | grep ^AWS_ | sort")
    on_aws("run")
    on_aws.import_rows("without|s|env | grep ^AWS_ | sort")
    on_aws("run", "--no-task-credentials")

    inherited, left = (on_aws("logs", item) for item in ("with", "without"))

    assert "AWS_SECRET_ACCESS_KEY=" in inherited
    assert "_KEY" not in left
    assert "AWS_EC2_METADATA_DISABLED=true\n" in left
    assert "AWS_SHARED_CREDENTIALS_FILE=/dev/null\n" in left
    assert f"AWS_REGION={on_aws.env['AWS_REGION']}\n" in left


def replacing(of: Program, row: str) -> None:
    file = of.folder / "again.txt"
    file.write_text(f"itemID|TaskID|TaskScript\n{row}\n")
    assert "1 replaced" in of("import", file, "--on-exists", "replace")


def numbers(first: int, last: int) -> str:
    return "".join(f"{number}\n" for number in range(first, last + 1))


def as_bytes(of: Program, *args: str) -> bytes:
    return subprocess.run(of.command(*args), cwd=of.folder, env=of.env, capture_output=True, check=True).stdout


def head_of(of: Program, location: str) -> Any:  # noqa: ANN401 # what boto3 says
    bucket, key = _place(location)
    return of.client("s3").head_object(Bucket=bucket, Key=key)


def _place(location: str) -> tuple[str, str]:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key


def reading(of: Program, *args: str) -> tuple[int, int]:
    """Read output; tell how many bytes came, and the most memory that took."""
    reader = subprocess.Popen(of.command("logs", *args), cwd=of.folder, env=of.env, stdout=subprocess.PIPE)
    assert reader.stdout
    printed = 0
    while piece := reader.stdout.read(MIB):
        printed += len(piece)
    reader.stdout.close()
    _, status, used = os.wait4(reader.pid, 0)
    reader.returncode = os.waitstatus_to_exitcode(status)
    assert reader.returncode == 0
    return printed, used.ru_maxrss * 1024 if isinstance(used, resource.struct_rusage) else 0


def test_output_beyond_the_limit_is_cut_and_said(pyanamo: Program) -> None:
    """Each stream is stored up to `--max-output`; the record says how much there was, and keeps its end."""
    pyanamo.import_rows("a|s|seq 100000; seq 3 >&2", "b|s|echo small")

    pyanamo("run", "--max-output", "10KB")

    row = pyanamo.rows()
    log = row["a"]["Log"]
    assert {item["ItemState"] for item in row.values()} == {"done"}
    assert (log["stdout_bytes"], log["Log_Status"]) == (588_895, "cut: 10,000 of 588,895 bytes are stored")
    assert log["stdout"].endswith("99999\n100000\n")
    assert "Log_Status_stderr" not in log
    assert "Log_Status" not in row["b"]["Log"]
    shown = pyanamo.run("logs", "a")
    assert (shown.returncode, len(shown.stdout), shown.stdout[:6]) == (0, 10_000, "1\n2\n3\n")
    assert "the output is incomplete: cut: 10,000 of 588,895" in shown.stderr


def test_new_files_are_private_unless_asked_otherwise(on_sqlite: Program) -> None:
    """The table and the output; with `--umask` they get the permissions that others are to have."""
    old = os.umask(0o002)
    try:
        on_sqlite.import_rows("a|s|seq 1000")
        on_sqlite("run")
        made = [on_sqlite.sqlite_file(), *(on_sqlite.folder / "logs").rglob("*")]
        assert {path.stat().st_mode & 0o077 for path in made} == {0}

        for umask, expected in (("027", 0o750), ("inherit", 0o775)):
            on_sqlite("table", "create", "-t", f"sqlite:{umask}.db", "--umask", umask)
            assert (on_sqlite.folder / f"{umask}.db").stat().st_mode & 0o777 == expected & 0o666
            on_sqlite("import", "items.txt", "-t", f"sqlite:{umask}.db")
            on_sqlite("run", "-t", f"sqlite:{umask}.db", "-b", f"file:{umask}", "--umask", umask)
            folders = [path for path in (on_sqlite.folder / umask).rglob("*") if path.is_dir()]
            assert {path.stat().st_mode & 0o777 for path in folders} == {expected}
    finally:
        os.umask(old)


def test_a_table_that_cannot_be_written_is_read(on_sqlite: Program) -> None:
    """Every command that only shows: of a file and a folder without write access, as in an archive; doctor says so."""
    on_sqlite.import_rows("a|s|seq 1000")
    on_sqlite("run")
    on_sqlite.sqlite_file().chmod(0o444)
    on_sqlite.folder.chmod(0o555)
    try:
        for command in (("status",), ("list",), ("show", "a"), ("logs", "a"), ("trace",), ("workers",)):
            done = on_sqlite.run(*command, obeys_modes=True)
            assert done.returncode == 0, (command, done.stderr)
        found = on_sqlite.run("doctor", obeys_modes=True)
        assert (found.returncode, "table not writable" in found.stdout) == (3, True)
    finally:
        on_sqlite.folder.chmod(0o755)
