"""Output between 2 KB and 10 MB in CloudWatch Logs; `make big` comes close to the limit."""

from __future__ import annotations

import os
from typing import Any

from harness.program import Program, program

LINE = "%07d of many lines that are long enough to make ten megabytes of not too many of them\n"
FULL = "PYANAMO_TEST_BIG" in os.environ
MIDDLE, LARGE = (size // len(LINE % 0) for size in ((9_900_000, 19_800_000) if FULL else (2_000_000, 10_200_000)))
PRINT = f"""
import sys
sys.stdout.writelines({LINE!r} % number for number in range(int(sys.argv[1])))
"""


def test_output_goes_where_its_size_belongs(on_aws: Program) -> None:
    """In Logs nothing is lost and the order is kept; what is larger stands in S3, what is small in the record."""
    sizes = {"small": 20, "middle": MIDDLE, "large": LARGE}
    (on_aws.folder / "print.py").write_text(PRINT)
    on_aws.import_rows(*(f"{name}|s|python3 print.py {count}" for name, count in sizes.items()))
    on_aws("run", "-i", "3", "--cloudwatch")

    records = {name: row["Log"] for name, row in on_aws.rows().items()}
    assert "stdout_at" not in records["small"]
    assert records["middle"]["stdout_at"].startswith("logs://")
    assert records["large"]["stdout_at"].startswith(f"s3://{on_aws.bucket}/")
    for name, count in sizes.items():
        assert on_aws("logs", name) == "".join(LINE % number for number in range(count))
    assert on_aws("logs", "middle", "--tail", "1") == LINE % (MIDDLE - 1)
    assert len(streams(on_aws, f"/PyAnamo/{on_aws.table}")) == 1


def test_a_group_may_be_named_and_every_worker_has_its_stream(on_aws: Program) -> None:
    """Both streams of a task go there; whoever looks into the group sees whose lines they are."""
    on_aws.import_rows("one|s|seq 1000; seq 2000 >&2")
    on_aws("run", "--cloudwatch", "our/group")
    on_aws.import_rows("two|s|seq 3000")
    on_aws("run", "--cloudwatch=our/group")

    assert on_aws("logs", "one", "--both").endswith("\n==> stderr <==\n" + "".join(f"{n}\n" for n in range(1, 2001)))
    names = streams(on_aws, "our/group")
    assert sorted(names) == sorted({f"{on_aws.table}/{row['InstanceID']}" for row in on_aws.rows().values()})
    events = on_aws.client("logs").get_log_events(logGroupName="our/group", logStreamName=names[0])["events"]
    assert all(event["message"].startswith(("one/Task_0/1-", "two/Task_0/1-")) for event in events)


def test_older_attempts_are_found_in_logs(on_aws: Program) -> None:
    """Though no record tells of them any more, and whatever the last attempt printed; not when there is nothing."""
    seq = "seq $PYANAMO_ATTEMPT 2000"
    on_aws.import_rows(
        f"a|s|{seq}; test $PYANAMO_ATTEMPT = 3", "small|s|echo $PYANAMO_ATTEMPT; exit $((PYANAMO_ATTEMPT < 2))"
    )
    on_aws("run", "--cloudwatch", "--backoff", "10ms..20ms")

    for attempt in (1, 2, 3):
        assert on_aws("logs", "a", "--attempt", str(attempt)) == "".join(f"{n}\n" for n in range(attempt, 2001))
    assert on_aws("logs", "a", "--attempt", "1", "--tail", "1") == "2000\n"
    assert on_aws("logs", "small") == "2\n"
    nothing = on_aws.run("logs", "small", "--attempt", "1")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "nothing is stored of stdout of attempt 1 of item small" in nothing.stderr


def test_tables_that_share_a_group_do_not_mix(on_aws: Program, aws_env: dict[str, str]) -> None:
    """Two SQLite files of one name have the same group, and items of the same ids."""
    steps = []
    for folder in ("one", "two"):
        (on_aws.folder / folder).mkdir()
        step = program(on_aws.folder / folder, table="sqlite:step.db", bucket="file:logs", env=aws_env)
        step.import_rows(f"a|s|yes {folder} | head -n 1000; test $PYANAMO_ATTEMPT = 2")
        step("run", "--cloudwatch", "--backoff", "10ms..20ms")
        steps.append(step)

    for step in steps:
        for attempt in ("1", "2"):
            assert step("logs", "a", "--attempt", attempt) == f"{step.folder.name}\n" * 1000
    assert len(streams(on_aws, "/PyAnamo/step")) == 2


def streams(of: Program, group: str) -> list[str]:
    found: Any = of.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    return [stream["logStreamName"] for stream in found]
