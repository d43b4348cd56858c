"""Work that survives its workers, whatever ends them: real workers, real scripts, on each foundation."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from harness.program import until
from tests.recovery.processes import SHORT_LEASE, Site

COUNT = 700
SCRIPT = r"""
state=$PYANAMO_CHECKPOINT/n
n=0; if [ -e "$state" ]; then n=$(cat "$state"); fi
echo "$n $PYANAMO_ATTEMPT" >> "$HOME/begun"
trap 'exit 85' TERM
while [ $n -lt COUNT ]; do
  n=$((n + 1)); echo $n >> "$HOME/counted"
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


def test_a_count_survives_everything_that_ends_its_worker(any_site: Site, counted: Path) -> None:
    """Killed, stopped, cut off and short of wall time in turn: it counts every number, and never starts over."""
    begun = any_site.folder / "begun"
    flags = ("--checkpoint-every", "100ms", *SHORT_LEASE)
    first = any_site.start(*flags)
    reach(counted, 40)
    first.signal(signal.SIGKILL)
    second = any_site.start(*flags)
    reach(counted, 80)
    second.signal(signal.SIGTERM)
    assert second.exit() == 75, second.said()
    third = any_site.start(*flags)
    reach(counted, 120)
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
    saved = any_site.rows()["count"]["Seconds_Saved"]
    assert saved > 0
    assert not any("checkpoint" in path.parts for path in (any_site.folder / "logs").rglob("*"))
