"""Time limits: the worker's own, and those of tasks."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.recovery.processes import Site

PACES_S = (3, 30)  # of a task; the longer one is for a machine so busy that the worker starts too late
MOST_RUNS = 30


def _run_for_three_tasks(site: Site, *flags: str) -> None:
    """Run with time for three tasks, one after the other, each of which sleeps for as long as `pace` says."""
    for pace_s in PACES_S:
        (site.folder / "pace").write_text(str(pace_s))
        assert site.start("-w", str(7 * pace_s // 2), *flags).exit() == 75
        if site.witness.begun():
            break
    (site.folder / "pace").write_text("0")


def test_nothing_is_begun_that_would_not_end_in_time(site: Site) -> None:
    """20 items, 2 at a time, in the time of three: none is ended midway, and a second run does what is left."""
    site.items(*(f"i{n}|s|{site.witness.script('sleep $(cat pace)')}" for n in range(20)))

    _run_for_three_tasks(site, "-i", "2")
    done = site.witness.begun()
    assert 2 <= done <= 6
    assert all(run.ended for run in site.witness.runs())
    assert Counter(site.states().values()) == {"done": done, "todo": 20 - done}

    assert site.start("-i", "20").exit() == 0
    assert set(site.states().values()) == {"done"}
    assert max(row["Attempt"] for row in site.rows().values()) == 1


def test_a_nested_item_keeps_what_is_done_and_comes_again_after_todo(any_site: Site) -> None:
    """Ten tasks of which some do not fit: the others stay done, and the rest is run when nothing is `todo`."""
    site = any_site
    file = site.folder / "nested.txt"
    script = f"{site.witness.script('sleep $(cat pace)')};:"
    file.write_text(f"itemID|TaskID|TaskScript|TaskArgs\nn|s|{script}|{','.join('abcdefghij')}\n")
    site.program("import", "--nested", file)

    _run_for_three_tasks(site, "-n", "2")
    first = site.rows()["n"]
    kept = [name for name, task in first["TaskScript"].items() if task["Status"] == "done"]
    assert first["ItemState"] == "Wall_Time_Exceeded"
    assert 2 <= len(kept) < 10
    assert all(run.ended for run in site.witness.runs())
    assert first["Log_Length"] == len(kept)

    site.items(f"single|s|{site.witness.script('true')}")
    assert site.start("-i", "1", "-n", "10").exit() == 0
    second = site.rows()["n"]
    assert second["ItemState"] == "done"
    assert {name: second["Log"][name] for name in kept} == {name: first["Log"][name] for name in kept}
    assert site.witness.begun() == 11
    assert [run.item for run in site.witness.runs()][len(kept)] == "single"


def test_what_does_not_end_in_time_is_ended_and_left(site: Site) -> None:
    """Nobody could know how long it takes: it is ended, without a failure, and the worker is gone in time."""
    site.items(f"long|s|{site.witness.script('sleep 3000')}")
    for wall_s in (5, 60):
        assert site.start("-w", str(wall_s)).exit() == 75
        if site.witness.begun():
            break

    row = site.rows()["long"]
    assert row["ItemState"] == "Wall_Time_Exceeded"
    assert row["Reason"] == "attempt 1: interrupted: wall time"
    assert "Failures" not in row
    assert site.scripts() == []


def test_an_item_that_never_fits_is_buried_some_day(site: Site) -> None:
    """Five times ended by the wall time, without progress: its reason says that."""
    site.items("long|s|sleep 3000")
    statuses = [75]
    while statuses[-1] == 75 and len(statuses) < MOST_RUNS:  # a slow machine may have no time for it in some of them
        statuses.append(site.start("-w", "2").exit())

    assert statuses[-1] == 3
    assert site.rows()["long"]["Reason"] == "attempt 5: the wall time ended it 5 times without progress"


def test_a_task_has_its_own_time(site: Site) -> None:
    """`--timeout` for all, a column `Timeout` for one; TERM, KILL for the deaf, a failure each time."""
    site.items(
        "slow|s|2||sleep 3000",
        "deaf|s|1||trap '' TERM; sleep 3000",
        "own|s||30s|sleep 2",
        "quick|s|||true",
        header="itemID|TaskID|MaxFailures|Timeout|TaskScript",
    )

    assert site.start("-i", "4", "--timeout", "1s", "--backoff", "10ms..10ms").exit() == 3
    rows = site.rows()
    assert site.states() == {"slow": "failed", "deaf": "failed", "own": "done", "quick": "done"}
    assert (rows["slow"]["Failures"], rows["deaf"]["Failures"]) == (2, 1)
    assert rows["slow"]["Log"]["Status"] == "TimedOut"
    assert rows["slow"]["Reason"] == "attempt 2: ran longer than its limit of 1 s"
    assert rows["slow"]["History"] == ["attempt 1: ran longer than its limit of 1 s"]
    assert site.scripts() == []


@pytest.mark.parametrize(
    ("script", "failures", "state", "attempts"),
    [
        ("test $PYANAMO_ATTEMPT = 5 && exit 0; exit 75", 0, "done", 5),
        ("exit 2", 1, "failed", 1),
        ("test $PYANAMO_ATTEMPT = 5 && exit 0; kill -9 $$", 0, "done", 5),
        ("exit 1", 3, "failed", 3),
    ],
)
def test_policy_by_exit_status(site: Site, script: str, failures: int, state: str, attempts: int) -> None:
    """`75=retry` counts no failure, `2=fail` gives up at once, a signal N is 128 + N; the rest has `--max-failures`."""
    site.items(f"a|s|{script}")

    site.start("--on-exit", "75=retry,2=fail,137=retry", "--backoff", "10ms..10ms").exit()

    row = site.rows()["a"]
    assert (row["ItemState"], row["Attempt"], row.get("Failures", 0)) == (state, attempts, failures)
    assert len(row.get("History", [])) == attempts - 1
