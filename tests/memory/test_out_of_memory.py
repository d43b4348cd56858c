"""Scripts that the kernel ends because memory ran out, told from those that anybody killed."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pyanamo_async.execution import MemorySampler, ShellLauncher, run
from pyanamo_async.host.oom_kills import OomKills
from pyanamo_async.ports import Command, Exit
from tests.memory.control_groups import a_control_group, limit
from tests.memory.test_peaks import Lines, Samples

LIMIT = 64 << 20
HUNGRY = f"{shlex.quote(sys.executable)} -S -c 'x = bytearray(b\"x\") * (256 << 20)'"


@pytest.fixture
def group() -> Iterator[Path]:
    """Return a control group with little memory, below our own."""
    with a_control_group() as folder:
        limit(folder, LIMIT)
        yield folder


def a_root(folder: Path, group: Path) -> Path:
    """Return a root in which this process is in that group."""
    root = folder / "root"
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("4:memory:/\n0::/\n")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/memory").symlink_to(group)
    return root


def ended(script: str, root: Path) -> Exit:
    """Run a script, and return how it ended."""

    async def main() -> Exit:
        sampler = MemorySampler(oom_kills=OomKills(root=root))
        try:
            launcher = ShellLauncher(memory=sampler)
            process = await launcher.start(Command(script, os.environ), stdout=Lines(), stderr=Lines())
            used = await process.wait()
            await process.finish(linger=timedelta(seconds=10))
            return used
        finally:
            sampler.close()

    return run(main())


@pytest.mark.parametrize("rest", ["", "; exit $?"], ids=["the script itself", "a child of it"])
def test_a_script_that_the_kernel_ended_ran_out_of_memory(rest: str, group: Path, tmp_path: Path) -> None:
    """Whether it ends by the signal, or as a shell whose child was killed."""
    inside = f"echo $$ > {group}/cgroup.procs; {'exec ' if not rest else ''}{HUNGRY}{rest}"

    used = ended(inside, a_root(tmp_path, group))

    assert (used.signal, used.code) in {(9, None), (None, 137)}
    assert used.out_of_memory


@pytest.mark.parametrize("script", ["kill -9 $$", "exit 137", "sh -c 'kill -9 $$'; exit $?"])
def test_what_anybody_killed_did_not_run_out_of_memory(script: str, group: Path, tmp_path: Path) -> None:
    """An exit status alone never says so."""
    used = ended(script, a_root(tmp_path, group))

    assert (used.signal, used.code) in {(9, None), (None, 137)}
    assert not used.out_of_memory


def a_count(root: Path) -> tuple[OomKills, Path]:
    """Return what watches the kernel's count of three kills, in control groups of version 2, and the file of it."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("0::/\n")
    count = root / "sys/fs/cgroup/memory.events"
    count.parent.mkdir(parents=True)
    count.write_text("oom 0\noom_kill 3\n")
    kills = OomKills(root=root)
    kills.note(0.0)
    return kills, count


def test_a_count_explains_what_ended_within_two_seconds(tmp_path: Path) -> None:
    """Several at once, too; what ends later was killed by something else. In version 2 as in version 1."""
    kills, count = a_count(tmp_path)
    quiet = kills.rose(5.0)

    count.write_text("oom 1\noom_kill 4\n")
    at_once = [kills.rose(10.0), kills.rose(11.5)]
    for at in range(10, 15):
        kills.note(at)
    later = kills.rose(15.0)

    assert (quiet, at_once, later) == (False, [True, True], False)


def test_a_count_explains_nothing_that_started_after_it_rose(tmp_path: Path) -> None:
    """A script that is killed by something else and tried again at once did not run out of memory three times."""
    kills, count = a_count(tmp_path)

    count.write_text("oom_kill 4\n")
    beside = [kills.rose(10.0, since_s=9.0), kills.rose(10.1, since_s=9.5)]
    next_one = kills.rose(10.2, since_s=10.1)
    count.write_text("oom_kill 5\n")
    again = kills.rose(10.3, since_s=10.1)

    assert (beside, next_one, again) == ([True, True], False, True)


def test_without_a_count_or_a_machine_that_tells_nothing_is_out_of_memory(tmp_path: Path) -> None:
    """As where there are no control groups, and no /proc."""
    kills = OomKills(root=tmp_path)
    kills.note(0.0)

    assert not kills.rose(1.0)


def machine_left(root: Path, *, available: int, swap: int = 0) -> None:
    """Have a machine of 1,000 kB with so much left, and no count."""
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    told = f"MemTotal:  1000 kB\nMemAvailable:  {available} kB\nSwapFree:  {swap} kB\nHugePages_Total:   0\n"
    (root / "proc/meminfo").write_text(told)


def test_without_a_count_a_machine_that_was_nearly_out_of_memory_explains_what_was_killed(tmp_path: Path) -> None:
    """Within two seconds of a look that found it so: when the script is gone, there is memory again."""
    machine_left(tmp_path, available=300)
    kills = OomKills(root=tmp_path)
    for at in (0.0, 1.0, 2.0, 3.0):
        kills.note(at)
    quiet = kills.rose(3.1)
    machine_left(tmp_path, available=20)
    kills.note(4.0)
    machine_left(tmp_path, available=500)
    soon = kills.rose(4.5)
    for at in (5.0, 6.0, 7.0):
        kills.note(at)

    assert (quiet, soon, kills.rose(7.5)) == (False, True, False)


def test_a_machine_that_can_swap_is_not_out_of_memory(tmp_path: Path) -> None:
    """The kernel takes that first."""
    machine_left(tmp_path, available=20, swap=0)
    kills = OomKills(root=tmp_path)
    machine_left(tmp_path, available=20, swap=500)

    kills.note(0.0)

    assert not kills.rose(1.0)


@pytest.mark.parametrize(("script", "out_of_memory"), [("kill -9 $$", True), ("exit 137", True), ("exit 1", False)])
@pytest.mark.parametrize("is_short", [True, False])
def test_without_a_count_neither_the_ending_nor_the_machine_tells_alone(
    script: str, out_of_memory: bool, is_short: bool, tmp_path: Path
) -> None:
    """A script that was killed while the machine had memory failed; so did one that exits as it likes."""
    machine_left(tmp_path, available=20 if is_short else 900)
    seen = OomKills(root=tmp_path)
    seen.note(-10.0)

    used = ended(script, tmp_path)

    assert used.out_of_memory is (out_of_memory and is_short)


def test_the_kernel_takes_a_process_of_a_script_rather_than_the_worker() -> None:
    """A process that offers itself even more keeps its score."""

    async def scores() -> list[str]:
        lines, samples = Lines(), Samples()
        sampler = MemorySampler(on_sample=samples)
        script = "sleep 60 & echo $! $$; sh -c 'echo 900 >/proc/$$/oom_score_adj; echo $$; exec sleep 60' & wait"
        try:
            process = await ShellLauncher(memory=sampler).start(Command(script, os.environ), stdout=lines, stderr=lines)
            await lines.wait_for(2)
            await asyncio.to_thread(samples.wait_for_whole_one)
            found = [Path(f"/proc/{pid}/oom_score_adj").read_text().strip() for pid in lines.text.decode().split()]
            process.signal(signal.SIGKILL)
            await process.wait()
            await process.finish(linger=timedelta(seconds=10))
            return found
        finally:
            sampler.close()

    assert run(scores()) == ["500", "500", "900"]
    assert int(Path("/proc/self/oom_score_adj").read_text()) < 500
