"""Which loop it runs on, and what it says when that cannot be."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys

import pytest

from pyanamo_async.execution import run

SEVEN_WITHOUT = """
import asyncio, logging, os, sys
{missing}
from pyanamo_async.execution import run
logging.basicConfig(format="%(message)s")
async def main():
    process = await asyncio.create_subprocess_shell("exit 7")
    print(type(asyncio.get_running_loop()).__name__, await process.wait())
run(main())
run(main())
"""


async def loop_name() -> str:
    return type(asyncio.get_running_loop()).__qualname__


def test_loop_is_the_fast_one_unless_another_is_asked_for() -> None:
    """Where it can run."""
    assert run(loop_name()) == "FastLoop"
    assert run(loop_name(), loop_factory=asyncio.new_event_loop) == "_UnixSelectorEventLoop"


@pytest.mark.parametrize("factory", ["None", "uvloop.new_event_loop", "asyncio.new_event_loop"])
def test_exits_are_known_where_they_were_ignored(factory: str) -> None:
    """Ignored signals are inherited: every script would seem to end with 255, and what it starts itself as well."""
    program = SEVEN_WITHOUT.format(missing="").replace("exit 7", "sh -c 'exit 7'").replace("run(main())", "", 1)
    program = program.replace("run(main())", f"import uvloop; run(main(), loop_factory={factory})")
    ignored = "import signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); exec(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", ignored, program], capture_output=True, text=True, check=True, timeout=300
    )

    assert done.stdout.split()[1:] == ["7"]


@pytest.mark.parametrize(
    ("missing", "word"),
    [
        ("del os.pidfd_open", "no pidfd"),
        ("def refused(*_): raise PermissionError(1, 'seccomp')\nos.pidfd_open = refused", "seccomp"),
    ],
)
def test_plain_asyncio_takes_the_place_of_a_fast_loop_that_cannot_be(missing: str, word: str) -> None:
    """It works all the same, and says once what is missing."""
    program = SEVEN_WITHOUT.format(missing=missing)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300)

    assert done.stdout.splitlines() == ["PlainLoop 7", "PlainLoop 7"]
    assert done.stderr.count("plain asyncio") == 1
    assert word in done.stderr


def test_as_many_files_as_the_system_grants_may_be_open() -> None:
    """A thousand scripts at once need three thousand descriptors; a login shell grants 1,024."""
    program = (
        "import resource; from pyanamo_async.execution import run\n"
        "async def main(): print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "run(main())"
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    done = subprocess.run(
        ["sh", "-c", f'ulimit -S -n 256; exec "{sys.executable}" -c "$0"', program],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )

    assert int(done.stdout) == min(hard, 65_536)
