"""`container/push`, with engines and an AWS CLI that write down how they were called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PUSH = Path(__file__).parents[2] / "container" / "push"
ECR = "123456789012.dkr.ecr.eu-west-2.amazonaws.com"
FAKE = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case $1 in login) echo "  stdin $(cat)" >> "$CALLS" ;; esac
[ "$(basename "$0")" != aws ] || echo secret
case " $FAILS " in *" $1 "*) exit 1 ;; esac
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of calls; PATH has what the script itself needs, and no engine."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "dirname", "basename", "cat", "env"):
        (tools / name).symlink_to(Path("/bin") / name if (Path("/bin") / name).exists() else Path("/usr/bin") / name)
    (tmp_path / "Dockerfile").write_text("FROM pyanamo-async\n")
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("FAILS", "")
    return tmp_path / "calls"


def have(calls: Path, *names: str) -> None:
    for name in names:
        program = calls.parent / "tools" / name
        program.write_text(FAKE)
        program.chmod(0o755)


def push(calls: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Push the image of a Dockerfile of one's own."""
    command = [str(each) for each in (PUSH, *arguments, *([calls.parent / "Dockerfile"] if arguments else []))]
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)


def called(calls: Path) -> list[str]:
    """Return the calls, without what follows the first words of a build."""
    lines = calls.read_text().splitlines() if calls.exists() else []
    return [line.split(" --file ")[0] for line in lines]


@pytest.mark.parametrize("engine", ["docker", "podman", "buildah"])
def test_any_engine_builds_and_pushes_after_a_login(calls: Path, engine: str) -> None:
    """The password goes by stdin: never where a process list shows it."""
    have(calls, engine, "aws")
    done = push(calls, f"{ECR}/step:v1")

    assert (done.returncode, done.stdout) == (0, f"pushed {ECR}/step:v1\n"), done.stderr
    assert called(calls) == [
        "aws ecr get-login-password --region eu-west-2",
        f"{engine} login --username AWS --password-stdin {ECR}",
        "  stdin secret",
        f"{engine} build --platform linux/amd64",
        f"{engine} push {ECR}/step:v1",
    ]
    assert f"--tag {ECR}/step:v1 --label org.opencontainers.image.revision=" in calls.read_text()
    assert calls.read_text().splitlines()[3].endswith(str(calls.parent))


def test_another_registry_needs_no_aws(calls: Path) -> None:
    """And a name without a tag is the latest."""
    have(calls, "docker", "podman")
    push(calls, "localhost:5000/step", PYANAMO_ENGINE="podman", PYANAMO_PLATFORM="linux/arm64")

    assert called(calls) == ["podman build --platform linux/arm64", "podman push localhost:5000/step:latest"]


def test_what_is_missing_is_named(calls: Path) -> None:
    """The image, the engine, the CLI, the Dockerfile: before anything is built."""
    no_engine = push(calls, "step:v1")
    have(calls, "docker")
    no_name, no_cli = push(calls), push(calls, f"{ECR}/step:v1")
    (calls.parent / "Dockerfile").unlink()
    no_file = push(calls, "step:v1")

    assert (no_name.returncode, "name the image" in no_name.stderr) == (2, True)
    assert (no_engine.returncode, "neither docker nor podman nor buildah" in no_engine.stderr) == (1, True)
    assert (no_cli.returncode, "the AWS CLI" in no_cli.stderr) == (1, True)
    assert (no_file.returncode, "there is no" in no_file.stderr) == (2, True)
    assert called(calls) == []


@pytest.mark.parametrize("step", ["ecr", "login", "build", "push"])
def test_nothing_follows_a_step_that_failed(calls: Path, step: str) -> None:
    """Least of all the word that it was pushed."""
    have(calls, "docker", "aws")
    failed = push(calls, f"{ECR}/step:v1", FAILS=step)

    assert (failed.returncode != 0, failed.stdout) == (True, "")
    assert called(calls)[-1].split()[1] in {step, "secret"}
