"""Work that survives its workers, whatever ends them: real workers, real scripts, on each foundation."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from harness.program import until
from tests.recovery.processes import SHORT_LEASE, Site

COUNT = 700
EVERY_S = 0.1
UNEVENLY = 10  # how much longer than on average a busy machine may take for one checkpoint
SCRIPT = r"""
state=$PYANAMO_CHECKPOINT/n
n=0; if [ -e "$state" ]; then n=$(cat "$state"); fi
echo "$n $PYANAMO_ATTEMPT" >> "$HOME/begun"
trap 'exit 85' TERM
while [ $n -lt COUNT ]; do
  n=$((n + 1)); echo "$n $PYANAMO_ATTEMPT $(date +%s%N)" >> "$HOME/counted"
  echo $n > "$state.new" && mv "$state.new" "$state"
  sleep 0.02
done
""".replace("COUNT", str(COUNT))


def numbers(file: Path) -> list[list[int]]:
    """Read the lines of a file, as numbers."""
    return [list(map(int, line.split())) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def counted(any_site: Site) -> Path:
    """Where the script says what it counted."""
    (any_site.folder / "count.sh").write_text(SCRIPT)
    any_site.items(f"count|s|. {any_site.folder}/count.sh  # has a PYANAMO_CHECKPOINT")
    return any_site.folder / "counted"


def reach(counted: Path, number: int) -> None:
    """Wait until the script has counted so far."""
    until(lambda: max((line[0] for line in numbers(counted) if line), default=0) >= number)


def lost_s(counted: Path, begun: int, killed_ns: int) -> float:
    """Return for how long a killed attempt had counted on since the number from which its successor began."""
    [at] = [at for number, attempt, *at in numbers(counted) if (number, attempt) == (begun, 1)]
    return (killed_ns - at[0]) / 1e9


def test_a_count_survives_everything_that_ends_its_worker(any_site: Site, counted: Path) -> None:
    """Killed, stopped, cut off and short of wall time in turn: it counts every number, and never starts over.

    A worker that is killed loses at most what was done since the last checkpoint was due. One that is told to stop
    loses nothing.
    """
    begun = any_site.folder / "begun"
    flags = ("--checkpoint-every", f"{EVERY_S}s", *SHORT_LEASE)
    first = any_site.start(*flags)
    reach(counted, 120)
    killed_ns = time.time_ns()
    first.signal(signal.SIGKILL)
    second = any_site.start(*flags)
    reach(counted, 160)
    second.signal(signal.SIGTERM)
    assert second.exit() == 75, second.said()
    told = any_site.rows()["count"]["Log"]
    third = any_site.start(*flags)
    reach(counted, 200)
    third.signal(signal.SIGSTOP)
    fourth = any_site.start(*flags)
    until(lambda: len(numbers(begun)) == 4)
    reach(counted, numbers(begun)[-1][0] + 40)
    fourth.signal(signal.SIGTERM)
    assert fourth.exit() == 75, fourth.said()
    third.signal(signal.SIGCONT)
    third.exit()
    short = any_site.start(*flags, "-w", "2s")
    short.exit()
    last = any_site.start(*flags)
    assert last.exit() == 0, last.said()

    starts = [line[0] for line in numbers(begun)]
    assert any_site.states() == {"count": "done"}
    assert {line[0] for line in numbers(counted)} == set(range(1, COUNT + 1))
    assert starts == sorted(starts)
    assert starts[0] == 0 < starts[1], starts
    stored = int(told["Restored_From"].partition("/")[2])
    mean_s = float(told["Restored_Seconds"]) / stored
    assert lost_s(counted, starts[1], killed_ns) < EVERY_S + UNEVENLY * mean_s, (stored, told["Restored_Seconds"])
    assert starts[2] >= max(number for number, attempt, *_ in numbers(counted) if attempt == 2) - 1
    saved = any_site.rows()["count"]["Seconds_Saved"]
    assert saved > 0
    assert not any("checkpoint" in path.parts for path in (any_site.folder / "logs").rglob("*"))
