"""Plain clients of the test servers, with which tests look at tables and buckets from outside."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from harness.servers.running import KEY, REGION


@cache
def client(service: str, endpoint: str, config: Config | None = None) -> Any:  # noqa: ANN401 # boto3 makes its types at run time
    """Make a client of a service at an address, with credentials that any test server takes.

    It is made once for each process: a loop that looks until something is so keeps its connection.
    """
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=KEY,
        aws_secret_access_key=KEY,
        config=config,
    )
