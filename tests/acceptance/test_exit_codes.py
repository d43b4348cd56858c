"""What `pyanamo run` tells the shell."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from harness.program import PATIENCE_S, Program, until

MEANINGS = {
    "0": "nothing is left",
    "3": "failed",
    "75": "interrupted",
    "2": "invalid usage",
    "1": "worker itself failed",
}


def test_zero_when_all_is_done(pyanamo: Program) -> None:
    """Nothing is left and nothing failed: 0, also when there was nothing to do."""
    pyanamo.import_rows("a|s|true")

    pyanamo("run", code=0)
    pyanamo("run", code=0)
    assert pyanamo.status()["items"]["done"] == 1


def test_three_when_an_item_ended_failed(on_sqlite: Program) -> None:
    """Nothing is left but an item of this run is failed: 3; the others are done all the same."""
    on_sqlite.import_rows("good|s|true", "bad|s|exit 7")

    on_sqlite("run", "--max-failures", "1", code=3)

    rows = on_sqlite.rows()
    assert {name: row["ItemState"] for name, row in rows.items()} == {"good": "done", "bad": "failed"}
    assert rows["bad"]["Log"]["Exit_Code"] == 7


def test_three_when_an_item_told_of_its_failure_by_a_tag(pyanamo: Program) -> None:
    """Scripts of the original end their errors with a tag and exit status 0; the tag becomes the reason."""
    pyanamo.import_rows("good|s|printf 'PyAnamo:\\tS1\\tfine\\n'", "bad|s|printf 'PyAnamo:\\tError\\tno reads'")

    pyanamo("run", "--max-failures", "1", "--fail-on-tag", "^Error", code=3)

    rows = pyanamo.rows()
    assert {name: row["ItemState"] for name, row in rows.items()} == {"good": "done", "bad": "failed"}
    assert (rows["bad"]["Log"]["Exit_Code"], rows["bad"]["Reason"]) == (0, "attempt 1: Error no reads")


def test_zero_for_failed_items_when_asked(on_sqlite: Program) -> None:
    """With `--exit-zero` failed items are no failure of the worker."""
    on_sqlite.import_rows("bad|s|false")

    on_sqlite("run", "--max-failures", "1", "--exit-zero", code=0)
    assert on_sqlite.status()["items"]["failed"] == 1


def test_zero_when_only_others_failed(on_sqlite: Program) -> None:
    """What failed in earlier runs is not this run's failure."""
    on_sqlite.import_rows("bad|s|false")
    on_sqlite("run", "--max-failures", "1", code=3)

    on_sqlite("run", code=0)


@pytest.mark.parametrize(
    ("pyanamo", "number"),
    [("on_sqlite", signal.SIGTERM), ("on_sqlite", signal.SIGINT), ("on_aws", signal.SIGTERM)],
    indirect=["pyanamo"],
)
def test_seventy_five_when_stopped_with_work_left(pyanamo: Program, number: signal.Signals) -> None:
    """A signal ends what runs, gives it back without a failure, and says there is work left: 75."""
    started = pyanamo.folder / "started"
    pyanamo.import_rows(*(f"{name}|s|touch {started}; sleep 300" for name in "abc"))
    worker = pyanamo.start("run", "-i", "1", "--grace", "0s")
    until(started.exists)

    worker.send_signal(number)

    assert worker.wait(timeout=PATIENCE_S) == 75
    rows = pyanamo.rows().values()
    assert Counter(row["ItemState"] for row in rows) == {"todo": 3}
    assert sum(row.get("Interruptions", 0) for row in rows) == 1
    assert not any("Failures" in row for row in rows)


def test_what_was_stopped_is_finished_by_the_next(pyanamo: Program) -> None:
    """After a stop with 75, running again does what is left, and that is all it takes."""
    started = pyanamo.folder / "started"
    pyanamo.import_rows(f"first|s|test -e {started} || {{ touch {started}; sleep 300; }}")
    worker = pyanamo.start("run", "--grace", "0s")
    until(started.exists)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=PATIENCE_S) == 75

    pyanamo("run", code=0)
    assert pyanamo.rows()["first"]["Attempt"] == 2


@pytest.mark.parametrize(
    "flags",
    [
        ["-i", "0"],
        ["-i", "many"],
        ["--lease", "1s"],
        ["--no-such-flag"],
        ["-w", "soon"],
        ["--on-exit", "7=dance"],
        ["--fail-on-tag", "("],
    ],
)
def test_two_when_it_cannot_be_meant(on_sqlite: Program, flags: list[str]) -> None:
    """Flags that make no sense: 2, before anything is claimed."""
    on_sqlite.import_rows("a|s|true")

    on_sqlite("run", *flags, code=2)
    assert on_sqlite.status()["items"]["todo"] == 1


def test_one_when_we_failed(on_sqlite: Program) -> None:
    """No table is our own failure, not the items': 1."""
    on_sqlite("run", code=1)


def test_exit_codes_are_in_the_help(on_sqlite: Program) -> None:
    """`run --help` tells all five, each with what it means."""
    lines = on_sqlite("run", "--help").partition("Exit status:")[2].splitlines()
    told = dict(line.split(maxsplit=1) for line in lines if line.strip()[:1].isdigit())

    assert {status: word for status, word in MEANINGS.items() if word not in told.get(status, "")} == {}
