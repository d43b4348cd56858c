"""Bad weather between workers and DynamoDB and S3: what runs goes on, nothing is lost, nothing is done twice.

`make chaos` has a storm of 200 items, `make slow` one of 40.
"""

from __future__ import annotations

import gzip
import os
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

SMALL, BIG, NESTED = (140, 40, 20) if "PYANAMO_TEST_CHAOS" in os.environ else (28, 8, 4)
BIG_LINES = 3000
PATIENT = ("--heartbeat", "1s", "--lease", "180s")
LEASE_S = 6


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
    """Throttled, reset, refused, kept waiting and answered with junk, workers finish all at the first attempt."""
    names = _import_a_mix(on_aws)
    table_proxy.weather, bucket_proxy.weather = stormy(1), stormy(2)

    with fleet(far, 3, "-i", "8", "-n", "2", "--heartbeat", "2s", "--lease", "60s") as workers:
        assert workers.codes() == [0, 0, 0]

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


@pytest.mark.parametrize("fault", [None, Fault.EXPIRED, Fault.FOREIGN])
def test_scripts_outlive_a_table_that_is_away(
    on_aws: Program, far: Program, table_proxy: Proxy, fault: Fault | None
) -> None:
    """While the table is away or credentials are expired, scripts run on and may end; the worker says so once."""
    wait = "until test -e end.$PYANAMO_ITEM_ID; do sleep 0.1; done"
    names = [f"i{n}" for n in range(4)]
    on_aws.import_rows(*(f"{name}|s|echo begun >> witness; {wait}; echo ended >> witness" for name in names))

    with fleet(far, 1, "-i", "4", *PATIENT) as workers:
        until(lambda: _witness(on_aws).count("begun") == 4)
        _go_away(table_proxy, fault)
        until(lambda: "heartbeat failed" in workers.said())
        (on_aws.folder / "end.i0").touch()
        until(lambda: "ended" in _witness(on_aws) and "store unavailable" in workers.said())
        workers.pause(2)
        assert _witness(on_aws) == ["begun"] * 4 + ["ended"]
        _come_back(table_proxy)
        for name in names:
            (on_aws.folder / f"end.{name}").touch()
        assert workers.codes() == [0]

    assert _witness(on_aws) == ["begun"] * 4 + ["ended"] * 4
    assert {("done", 1)} == {(row["ItemState"], int(row["Attempt"])) for row in on_aws.rows().values()}
    said = workers.said()
    assert 1 <= said.count("store unavailable") == said.count("store available again") <= 2


def test_heartbeats_and_settles_are_not_starved(on_aws: Program, far: Program, table_proxy: Proxy) -> None:
    """While every claim and read is throttled, items are settled and the worker keeps its lease."""
    wait = "until test -e go-on; do sleep 0.1; done"
    on_aws.import_rows(*(f"i{n}|s|{wait}" for n in range(4)), *(f"later{n}|s|true" for n in range(2)))
    reads = ("Query", "GetItem", "BatchGetItem", "PutItem")

    with fleet(far, 1, "-i", "4", "--heartbeat", "1s", "--lease", f"{LEASE_S}s") as workers:
        until(lambda: _states(on_aws)["locked"] == 4)
        table_proxy.weather = always(Fault.THROTTLED, *reads)
        (on_aws.folder / "go-on").touch()
        until(lambda: _states(on_aws)["done"] >= 4)
        heartbeats = table_proxy.count(Fault.NONE, "UpdateItem")
        workers.pause(LEASE_S + 1)
        until(lambda: table_proxy.count(Fault.NONE, "UpdateItem") >= heartbeats + 4)
        assert table_proxy.count(Fault.THROTTLED, *reads) > 0
        table_proxy.weather = fair
        assert workers.codes() == [0]

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
