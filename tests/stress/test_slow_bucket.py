"""A bucket that takes checkpoints, and then answers no longer while the worker is stopped."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from harness.program import Program, program, until
from tests.acceptance.conftest import on_aws
from tests.stress.proxy import Fault, Proxy, always, fair, proxied
from tests.stress.workers import fleet

__all__ = ["on_aws"]  # a fixture

SCRIPT = r"""
state=$PYANAMO_CHECKPOINT/n; n=0; [ ! -e "$state" ] || n=$(cat "$state")
echo "$n" >> begun; trap 'exit 85' TERM
until [ -e go-on ] && [ "$n" -gt 0 ]; do
  n=$((n + 1)); echo $n > "$state.new"; mv "$state.new" "$state"; echo $n > counted; sleep 0.1
done
"""


@pytest.fixture
def bucket_proxy(on_aws: Program) -> Iterator[Proxy]:
    """What stands between workers and the bucket."""
    with proxied(on_aws.env["AWS_ENDPOINT_URL_S3"]) as proxy:
        yield proxy


def test_a_checkpoint_that_a_stop_cuts_off_leaves_the_last_one_standing(on_aws: Program, bucket_proxy: Proxy) -> None:
    """The worker gives up the upload in time, puts the item back, and the next attempt begins from what was stored."""
    (on_aws.folder / "count.sh").write_text(SCRIPT)
    on_aws.import_rows("a|s|checkpoint|. ./count.sh", header="itemID|TaskID|Folders|TaskScript")
    env = {**on_aws.env, "AWS_ENDPOINT_URL_S3": bucket_proxy.address}
    far = program(on_aws.folder, table=on_aws.table, bucket=on_aws.bucket, env=env)
    with fleet(far, 1, "--checkpoint-every", "200ms", "--grace", "1s") as workers:
        until(lambda: bool(manifests(on_aws)))
        bucket_proxy.weather = always(Fault.SILENT, "PUT", "POST", "DELETE")
        workers.running[0].send_signal(signal.SIGTERM)
        assert workers.codes() == [75]
    row = on_aws.rows()["a"]
    assert (row["ItemState"], row["Interruptions"], row.get("Failures", 0)) == ("todo", 1, 0)
    assert bucket_proxy.count(Fault.SILENT, "PUT") > 0
    stood = manifests(on_aws)[-1]
    bucket_proxy.weather = fair
    (on_aws.folder / "go-on").touch()
    with fleet(far, 1) as workers:
        assert workers.codes() == [0]

    first, second = map(int, (on_aws.folder / "begun").read_text().split())
    assert first == 0 < second <= int((on_aws.folder / "counted").read_text())
    assert on_aws.rows()["a"]["Log"]["Restored_From"] == "{}/{}".format(*stood)


def manifests(on_aws: Program) -> list[tuple[int, int]]:
    """Return which checkpoints are whole, by attempt and number; the last is the latest."""
    listed = on_aws.client("s3").list_objects_v2(Bucket=on_aws.bucket).get("Contents", ())
    whole = (each["Key"].split("/")[-3:-1] for each in listed if each["Key"].endswith("/manifest"))
    return sorted((int(attempt), int(number)) for attempt, number in whole)
