"""The test servers themselves: what other tests lean on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from harness.servers.clients import client
from harness.servers.running import Run

CONNECTIONS = 50


def test_fifty_connections_are_served_side_by_side(bucket: str, moto_endpoint: str) -> None:
    """Connections that stay open starve nobody: fifty clients put and get at once, in bounded time."""
    impatient = Config(max_pool_connections=CONNECTIONS, retries={"max_attempts": 0}, read_timeout=300)
    s3 = client("s3", moto_endpoint, impatient)
    together = threading.Barrier(CONNECTIONS)

    def put_and_get(number: int) -> bytes:
        together.wait()
        for _ in range(3):
            s3.put_object(Bucket=bucket, Key=str(number), Body=b"x" * number)
        body: bytes = s3.get_object(Bucket=bucket, Key=str(number))["Body"].read()
        return body

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        assert list(pool.map(put_and_get, range(CONNECTIONS))) == [b"x" * number for number in range(CONNECTIONS)]


def test_one_of_fifty_conditional_writes_wins(bucket: str, moto_endpoint: str) -> None:
    """Behind its lock moto is atomic, as the services are."""
    s3 = client("s3", moto_endpoint, Config(max_pool_connections=CONNECTIONS))
    together = threading.Barrier(CONNECTIONS)

    def put(number: int) -> str:
        together.wait()
        try:
            s3.put_object(Bucket=bucket, Key="one", Body=str(number), IfNoneMatch="*")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "won"

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        assert Counter(pool.map(put, range(CONNECTIONS))) == {"won": 1, "PreconditionFailed": CONNECTIONS - 1}


def test_all_processes_of_a_run_share_a_server(moto_endpoint: str) -> None:
    """Whoever asks second is told where the first one's is."""
    run = Run(Path(os.environ["PYANAMO_TEST_RUN"]), int(os.environ["PYANAMO_TEST_RUN_PID"]), quick=True)

    assert run.moto() == moto_endpoint


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_ends_with_its_run(number: signal.Signals, tmp_path: Path) -> None:
    """Even when the run is killed, nothing it started stays."""
    begin = "import pathlib, os, sys; from harness.servers.running import Run; "
    begin += "print(Run(pathlib.Path(sys.argv[1]), os.getpid()).moto(), flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", begin, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout
        assert run.stdout.readline().startswith("http://127.0.0.1:")
        servers = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(number)

    assert len(servers) == 2, "the guard, and the server"
    assert psutil.wait_procs(servers, timeout=300)[1] == []
