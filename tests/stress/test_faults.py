"""Bad weather between workers and DynamoDB and S3: what runs goes on, nothing is lost, nothing is done twice."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.program import Program, program, until
from tests.acceptance.conftest import on_aws
from tests.stress.proxy import Fault, Proxy, always, fair, proxied, stormy
from tests.stress.workers import fleet

__all__ = ["on_aws"]  # a fixture

SMALL, BIG, NESTED = 140, 40, 20
BIG_LINES = 3000
PATIENT = ("--lease", "180s")


@pytest.fixture
def table_proxy(on_aws: Program) -> Iterator[Proxy]:
    """What stands between workers and the table."""
    with proxied(on_aws.env["AWS_ENDPOINT_URL_DYNAMODB"]) as proxy:
        yield proxy


@pytest.fixture
def bucket_proxy(on_aws: Program) -> Iterator[Proxy]:
    """What stands between workers and the bucket."""
    with proxied(on_aws.env["AWS_ENDPOINT_URL_S3"]) as proxy:
        yield proxy


@pytest.fixture
def far(on_aws: Program, table_proxy: Proxy, bucket_proxy: Proxy) -> Program:
    """The program, behind both proxies."""
    places = {"AWS_ENDPOINT_URL_DYNAMODB": table_proxy.address, "AWS_ENDPOINT_URL_S3": bucket_proxy.address}
    return program(on_aws.folder, table=on_aws.table, bucket=on_aws.bucket, env={**on_aws.env, **places})


def test_in_a_storm_nothing_is_lost_and_nothing_done_twice(
    on_aws: Program, far: Program, table_proxy: Proxy, bucket_proxy: Proxy
) -> None:
    """Throttled, reset, refused and kept waiting, workers finish every item at its first attempt, output and all."""
    names = _import_a_mix(on_aws)
    table_proxy.weather, bucket_proxy.weather = stormy(1), stormy(2)

    with fleet(far, 3, "-i", "8", "-n", "2", "--heartbeat", "2s", "--lease", "60s") as workers:
        assert workers.codes(within_s=110) == [0, 0, 0]

    rows = on_aws.rows()
    assert {("done", 1)} == {(row["ItemState"], int(row["Attempt"])) for row in rows.values()}
    assert Counter(_witness(on_aws)) == Counter(names)
    for row in rows.values():
        if row["itemID"].startswith("big"):
            assert _stored(on_aws, row["Log"]["stdout_at"]).count(b"\n") == BIG_LINES
    assert all(
        table_proxy.count(fault, "UpdateItem", "BatchExecuteStatement", "Query")
        for fault in set(Fault) - {Fault.EXPIRED, Fault.DENIED, Fault.SILENT}
    )


@pytest.mark.parametrize("fault", [None, Fault.EXPIRED])
def test_scripts_outlive_a_table_that_is_away(
    on_aws: Program, far: Program, table_proxy: Proxy, fault: Fault | None
) -> None:
    """While the table is away or credentials are expired for 10 s, scripts run on; the worker says so once."""
    on_aws.import_rows(*(f"i{n}|s|echo begun >> witness; sleep {12 + n}; echo ended >> witness" for n in range(4)))

    with fleet(far, 1, "-i", "4", *PATIENT) as workers:
        until(lambda: _witness(on_aws).count("begun") == 4)
        _go_away(table_proxy, fault)
        workers.pause(10)
        assert _witness(on_aws) == ["begun"] * 4
        until(lambda: _witness(on_aws).count("ended") >= 1)  # nothing ended them, and nobody was told
        _come_back(table_proxy)
        assert workers.codes(within_s=60) == [0]

    assert _witness(on_aws) == ["begun"] * 4 + ["ended"] * 4
    assert {("done", 1)} == {(row["ItemState"], int(row["Attempt"])) for row in on_aws.rows().values()}
    said = workers.said()
    assert said.count("store unavailable") == said.count("store available again") <= 2


def test_heartbeats_and_settles_are_not_starved(on_aws: Program, far: Program, table_proxy: Proxy) -> None:
    """While every claim and read is throttled, items are settled and the worker keeps its lease."""
    on_aws.import_rows(*(f"i{n}|s|sleep 3" for n in range(4)), *(f"later{n}|s|true" for n in range(2)))
    reads = ("Query", "GetItem", "BatchGetItem", "PutItem")

    with fleet(far, 1, "-i", "4", "--heartbeat", "1s", "--lease", "6s") as workers:
        until(lambda: _states(on_aws)["locked"] == 4)
        table_proxy.weather = always(Fault.THROTTLED, *reads)
        until(lambda: _states(on_aws)["done"] >= 4)
        heartbeats = table_proxy.count(Fault.NONE, "UpdateItem")
        workers.pause(7)  # longer than the lease
        assert table_proxy.count(Fault.NONE, "UpdateItem") >= heartbeats + 4
        assert table_proxy.count(Fault.THROTTLED, *reads) > 0
        table_proxy.weather = fair
        assert workers.codes(within_s=60) == [0]

    assert {("done", 1)} == {(row["ItemState"], int(row["Attempt"])) for row in on_aws.rows().values()}
    assert "fenced" not in workers.said()


def _import_a_mix(pyanamo: Program) -> list[str]:
    """Import items of all kinds; return what the scripts will write to the witness."""
    say = 'echo "$PYANAMO_ITEM_ID/$PYANAMO_TASK" >> witness'
    small = [f"small-{n}|s|{say}; echo small" for n in range(SMALL)]
    big = [f"big-{n}|s|{say}; seq -f 'a line of some length %g' {BIG_LINES}" for n in range(BIG)]
    pyanamo.import_rows(*small, *big)
    file = pyanamo.folder / "nested.txt"
    nested = [f"nested-{n}|s|{say}; echo|one,two,three" for n in range(NESTED)]
    file.write_text("\n".join(("itemID|TaskID|TaskScript|TaskArgs", *nested, "")))
    pyanamo("import", "--nested", file)
    single = [f"{row.partition('|')[0]}/Task_0" for row in small + big]
    return single + [f"nested-{n}/Task_{task}" for n in range(NESTED) for task in range(3)]


def _go_away(proxy: Proxy, fault: Fault | None) -> None:
    if fault is None:
        proxy.away()
    else:
        proxy.weather = always(fault)


def _come_back(proxy: Proxy) -> None:
    if proxy.weather is fair:
        proxy.back()
    proxy.weather = fair


def _witness(pyanamo: Program) -> list[str]:
    file: Path = pyanamo.folder / "witness"
    return file.read_text().split() if file.exists() else []


def _states(pyanamo: Program) -> Counter[str]:
    return Counter(str(row["ItemState"]) for row in pyanamo.rows().values())


def _stored(pyanamo: Program, location: str) -> bytes:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    answer: Any = pyanamo.client("s3").get_object(Bucket=bucket, Key=key)
    return gzip.decompress(answer["Body"].read())
