"""What a script prints arrives: all of it, in order, byte for byte, in bounded memory."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from datetime import timedelta
from pathlib import Path

from pyanamo_async.execution import ShellLauncher
from tests.process.scripts import LINGER, Collector, command, run_script, start

PIPE_BYTES = 1 << 16


async def test_outputs_are_apart_and_in_order(launcher: ShellLauncher) -> None:
    """Each stream keeps its order, and none gets what the other printed."""
    ran = await run_script(launcher, "for i in $(seq 2000); do echo out $i; echo err $i >&2; done")

    assert ran.stdout == b"".join(b"out %d\n" % i for i in range(1, 2001))
    assert ran.stderr == b"".join(b"err %d\n" % i for i in range(1, 2001))


async def test_bytes_pass_as_they_are(launcher: ShellLauncher) -> None:
    """NULs and invalid UTF-8 are nobody's business here."""
    ran = await run_script(launcher, r"printf '\000\377\303(\000'; printf '\200' >&2")

    assert (ran.stdout, ran.stderr) == (b"\x00\xff\xc3(\x00", b"\x80")


async def test_fifty_megabytes_without_a_newline_arrive(launcher: ShellLauncher) -> None:
    """There is no longest line; chunks stay small."""
    out = Collector()
    process = await start(launcher, "head -c 50000000 /dev/zero | tr '\\0' x", out)
    await process.finish(linger=LINGER)

    assert hashlib.sha256(b"x" * 50_000_000).digest() == hashlib.sha256(out.data).digest()
    assert out.largest_chunk <= 1 << 18


async def test_what_was_printed_before_the_exit_is_fed_when_wait_returns(launcher: ShellLauncher) -> None:
    """Nobody has to wait for the end of the pipe to see the last words, and a full pipe is not lost."""
    for size in (1, PIPE_BYTES - 1, PIPE_BYTES, 3 * PIPE_BYTES):
        out = Collector()
        process = await start(launcher, f"head -c {size} /dev/zero", out)
        await process.wait()

        assert len(out.data) == size
        await process.finish(linger=LINGER)


async def test_output_is_read_while_the_script_runs(launcher: ShellLauncher, tmp_path: Path) -> None:
    """A long script's output is not kept back until its end."""
    gate = tmp_path / "gate"
    process = await start(launcher, f"mkfifo {gate}; echo first; read -r _ < {gate}; echo last", out := Collector())
    await out.arrived.wait()
    assert out.data == b"first\n"

    await asyncio.to_thread(gate.write_text, "go\n")
    await process.finish(linger=LINGER)
    assert out.data == b"first\nlast\n"


async def test_paused_receiver_makes_the_script_wait(launcher: ShellLauncher, tmp_path: Path) -> None:
    """Output that nobody takes stays in the script's pipe, not in the worker's memory; resumed, all of it comes."""
    witness = tmp_path / "written"
    out = Collector(limit=0)
    process = await start(launcher, f"for i in 1 2 3; do head -c 300000 /dev/zero; echo $i >> {witness}; done", out)
    await out.arrived.wait()
    held = len(out.data)
    await asyncio.sleep(0.2)  # time enough to overrun, if it did
    assert held == len(out.data) <= out.largest_chunk
    assert not witness.exists()

    finish = asyncio.create_task(process.finish(linger=LINGER))
    while not finish.done():
        process.resume()
        await asyncio.sleep(0)
    await finish
    assert len(out.data) == 900_000
    assert witness.read_text() == "1\n2\n3\n"


async def test_exit_is_told_although_a_receiver_is_paused(launcher: ShellLauncher) -> None:
    """A slow store never makes a script look as if it ran on; `finish` brings what was still in the pipe."""
    out = Collector(limit=0)
    process = await start(launcher, "echo one; sleep 0.1; echo two", out)
    ended = await process.wait()
    assert (ended.code, bytes(out.data)) == (0, b"one\n")

    finish = asyncio.create_task(process.finish(linger=LINGER))
    done, _ = await asyncio.wait([finish], timeout=3 * LINGER.total_seconds())
    assert not done  # it waits for a paused receiver as long as that needs
    process.resume()
    await finish
    assert bytes(out.data) == b"one\ntwo\n"


async def test_output_in_an_enlarged_pipe_arrives_whole(launcher: ShellLauncher) -> None:
    """A program may enlarge its pipe to 1 MiB; all it printed is fed, also when nobody may linger."""
    enlarge = "import fcntl, sys; fcntl.fcntl(1, 1031, 1 << 20); sys.stdout.write('a'); sys.stdout.flush()"
    fill = "sys.stdin.readline(); sys.stdout.write('b' * 1_000_000)"
    out = Collector(limit=0)
    process = await start(launcher, f'sleep 0.3 | "{sys.executable}" -c "{enlarge}; {fill}"', out)
    await process.wait()
    assert len(out.data) == 1

    out.limit = float("inf")
    finish = asyncio.create_task(process.finish(linger=timedelta(0)))
    await asyncio.sleep(0)
    process.resume()
    await finish
    assert len(out.data) == 1_000_001


async def test_script_may_close_its_outputs(launcher: ShellLauncher) -> None:
    """The end of the pipes is not the end of the script."""
    ran = await run_script(launcher, "echo hi; exec >&- 2>&-; sleep 0.2; exit 9")

    assert (ran.exit.code, ran.stdout) == (9, b"hi\n")


async def test_environment_is_the_commands(launcher: ShellLauncher) -> None:
    """A script sees exactly the environment it was given."""
    env = {"PATH": "/usr/bin:/bin", "WORD": "grüß gott"}
    ran = await run_script(launcher, command('printf "%s" "$WORD"; test -z "$HOME"', env))

    assert ran.exit.code == 0
    assert ran.stdout.decode() == "grüß gott"
