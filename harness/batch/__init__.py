"""A fake of AWS Batch that runs jobs as processes of this machine, for tests and benchmarks.

    with serving(FakeBatch(entrypoint=[PYANAMO], environment=aws_env, folder=tmp_path)) as (batch, address):
        ...  # any client whose AWS_ENDPOINT_URL_BATCH is the address
        batch.take_capacity(share=1 / 3, dice=Random(7))

1. A request is what the service takes: every one is validated by botocore's own model of it (`wire`), and then by what
   the model does not say (`rules`): five retry rules, their patterns, sizes of arrays and requests, share identifiers.
2. A job goes through Batch's states, has its attempts, and its containers get Batch's environment.
3. Capacity that is taken is SIGTERM, then SIGKILL, and a reason that begins with `Host EC2`.

`rules` is pure; `jobs` holds what Batch shows; `service` answers requests and moves jobs; `containers` are the
processes; `server` is the address.
"""

from harness.batch.server import serving
from harness.batch.service import FakeBatch

__all__ = ["FakeBatch", "serving"]
