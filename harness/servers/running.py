"""Start the servers, once for all processes of a run.

The first process that asks starts a server under a file lock and leaves its port in a file of the run's folder; the
others read it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.servers.parts import CACHE, dynamodb_local, java

ROOT = Path(__file__).parents[2]
SERVERS = CACHE / "servers"
READY_WITHIN_SECONDS = 90
TRIES = 3  # another process may take the free port before the server does
HEAP = ("-Xmx768m", "-XX:+UseSerialGC")  # its threads beside ours cost two cores a quarter of their time
QUICK = ("-XX:TieredStopAtLevel=1",)  # the optimising compiler takes more time than it saves in a run of minutes
REGION = "us-east-1"
KEY = "test"  # no secret: the servers take any

NO_ACCOUNT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What keeps a test away from the account of whoever runs it."""


@dataclass(frozen=True, slots=True)
class Run:
    """Whose servers they are: they live as long as process `pid`, and what they say is in `folder`.

    A `quick` run is one of minutes, in which nobody measures how fast they are.
    """

    folder: Path
    pid: int
    quick: bool = False

    @classmethod
    def mine(cls) -> Run:
        """Begin a run that lasts as long as this process."""
        SERVERS.mkdir(parents=True, exist_ok=True)
        return cls(Path(tempfile.mkdtemp(dir=SERVERS)), os.getpid())

    def dynamodb(self) -> str:
        """Tell the address of DynamoDB Local.

        Raises:
            PartMissing: Java, npm or the package is not to be had.
        """
        return self._shared("dynamodb", lambda port: _dynamodb_command(port, QUICK if self.quick else ()))

    def moto(self) -> str:
        """Tell the address of moto's server."""
        return self._shared("moto", lambda port: [sys.executable, "-m", "harness.servers.moto", str(port)])

    def end(self) -> None:
        """Throw the folder away; the servers end with the process."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _shared(self, name: str, command: Callable[[int], list[str]]) -> str:
        port = self.folder / f"{name}.port"
        with _locked(SERVERS / "lock"):
            if not port.exists():
                port.write_text(str(_start(self.pid, command, self.folder / f"{name}.log")))
            return f"http://127.0.0.1:{port.read_text()}"


def environment(dynamodb_endpoint: str, moto_endpoint: str) -> dict[str, str]:
    """Make the variables with which any AWS client of any process finds the servers, and nothing else."""
    return {
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_endpoint,
        "AWS_ENDPOINT_URL_S3": moto_endpoint,
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": moto_endpoint,
        "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING": moto_endpoint,
        "AWS_ENDPOINT_URL_BATCH": moto_endpoint,
        "AWS_ENDPOINT_URL_ECR": moto_endpoint,
        "AWS_ENDPOINT_URL_SERVICE_QUOTAS": moto_endpoint,
        "AWS_ENDPOINT_URL_STS": moto_endpoint,
        **NO_ACCOUNT,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def _dynamodb_command(port: int, more: Sequence[str]) -> list[str]:
    program, folder = java(), dynamodb_local()
    library = f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}"
    options = ["-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)]
    return [program, *HEAP, *more, library, "-jar", str(folder / "DynamoDBLocal.jar"), *options]


def _start(pid: int, command: Callable[[int], list[str]], log: Path) -> int:
    for _ in range(TRIES):
        port = _free_port()
        guarded = [sys.executable, str(Path(__file__).with_name("guard.py")), str(pid), *command(port)]
        with log.open("wb") as output:
            guard = subprocess.Popen(
                guarded,
                cwd=log.parent,  # DynamoDB Local leaves a file where it stands
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        if _is_ready(guard, port):
            return port
        guard.terminate()
    raise RuntimeError(f"{command(0)[0]} did not start as a server: {log.read_text()[-1000:]}")


def _is_ready(guard: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline and guard.poll() is None:
        if _answers(port):
            return True
        time.sleep(0.05)
    return False


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
