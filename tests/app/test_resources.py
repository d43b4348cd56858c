"""The composition root: which adapter a location or a setting means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pyanamo_async.app.output_settings import OutputSettings
from pyanamo_async.app.resources import Resources
from pyanamo_async.app.settings import Settings, make_settings
from pyanamo_async.outputs.cloudwatch import CloudWatchOutputs
from pyanamo_async.outputs.s3 import S3Outputs
from pyanamo_async.ports import OutputKey, OutputStore
from tests.outputs.stores import read_all, write_all

KEY = OutputKey("table", "item", "Task_0", 1, "stdout")
TEXT = b"of a few lines\n" * 1000


@pytest.fixture
def settings(bucket: str, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A table and a bucket, and the variables that find the servers."""
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    return make_settings(table="table", bucket=bucket)


def storing(settings: Settings, **how: object) -> Resources:
    return Resources(replace(settings, storing=OutputSettings(**how)))  # type: ignore[arg-type]


async def test_all_output_of_a_worker_shares_one_spool(settings: Settings) -> None:
    """Of the size that was given, whether it goes to Logs or to the bucket behind."""
    async with storing(settings, spool_bytes=3000, cloudwatch="group") as opened:
        outputs = await opened.worker_outputs("worker")

        assert isinstance(outputs, CloudWatchOutputs)
        assert isinstance(outputs._fallback, S3Outputs)
        assert outputs._spool is outputs._fallback.spool
        assert outputs._spool.free_bytes == 3000


async def test_without_a_group_output_goes_to_the_bucket(settings: Settings) -> None:
    """At once, as it comes."""
    async with storing(settings) as opened:
        assert isinstance(await opened.worker_outputs("worker"), S3Outputs)


@pytest.mark.parametrize("worker", ["3f0c1e4e-ab0d:17-9f8e7d6c", "ip-10-0-0-1.ec2.internal-0a1b2c3d"])
async def test_any_location_is_read_with_any_bucket(settings: Settings, worker: str) -> None:
    """In Logs, where a Batch job's id, too, makes a stream's name, or in a bucket that is no longer the one in use."""
    async with storing(settings, cloudwatch="group") as opened:
        outputs: list[OutputStore] = [await opened.worker_outputs(worker), await opened.outputs()]
        locations = [await write_all(each, KEY, [TEXT]) for each in outputs]
    assert [location.partition(":")[0] for location in locations] == ["logs", "s3"]
    assert "%3A" not in locations[0]  # no stream's name may have a colon

    async with Resources(make_settings(table="table")) as reading:
        for location in locations:
            assert await read_all(await reading.outputs(location), location) == TEXT
