"""A worker that dies by SIGKILL: its scripts end, and its items are run again; on one machine at once."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing

from harness.program import until
from tests.recovery.processes import SHORT_LEASE, Site

ENDLESS = "sleep 3000"  # nobody waits for its end


def test_scripts_of_a_killed_worker_are_ended_and_run_again_by_another(any_site: Site) -> None:
    """The guard ends them; a worker that lives takes the items over, and no two runs of one overlap."""
    site, witness = any_site, any_site.witness
    first = site.folder / "first"
    site.items(*(f"{name}|s|{witness.script(f'test -e {first} || {ENDLESS}')}" for name in "ab"))
    killed = site.start("-i", "2", *SHORT_LEASE)
    until(lambda: witness.begun() == 2)
    other = site.start("-i", "2", "--wait", *SHORT_LEASE)
    until(lambda: len(site.crew()) == 2)

    killed.signal(signal.SIGKILL)
    first.touch()
    until(lambda: not site.scripts(attempt=1))

    until(lambda: set(site.states().values()) == {"done"})
    other.signal(signal.SIGTERM)
    assert other.exit() == 0
    assert witness.overlaps() == []
    for row in site.rows().values():
        assert (row["ItemState"], row["Attempt"], row["Crashes"]) == ("done", 2, 1)
        assert "vanished" in row["History"][0]


def test_running_again_after_a_kill_goes_on_at_once(any_site: Site) -> None:
    """Whoever kills the only worker and starts it again waits for no lease, nor hears that all is done."""
    site = any_site
    site.items(f"a|s|{site.witness.script(f'test $PYANAMO_ATTEMPT = 2 || {ENDLESS}')}")
    killed = site.start("--lease", "1h")
    until(lambda: site.witness.begun() == 1)
    killed.signal(signal.SIGKILL)
    killed.exit()

    assert site.start("--lease", "1h").exit() == 0
    assert site.rows()["a"]["Attempt"] == 2
    assert site.witness.overlaps() == []


def test_what_another_living_worker_holds_is_left_to_it(any_site: Site) -> None:
    """With nothing else to do a worker goes home at once: its neighbour lives, as anybody on the machine can see."""
    site = any_site
    go_on = site.folder / "go-on"
    site.items(f"a|s|{site.witness.script(f'until test -e {go_on}; do sleep 0.1; done')}")
    busy = site.start()
    until(lambda: site.witness.begun() == 1)

    assert site.start().exit() == 0
    go_on.touch()
    assert busy.exit() == 0
    assert site.rows()["a"]["Attempt"] == 1


def test_a_vanished_worker_of_another_machine_is_waited_for(site: Site) -> None:
    """Nobody here can see its process: its lease decides, and nobody says before that nothing is left."""
    site.items(f"a|s|{site.witness.script(f'test $PYANAMO_ATTEMPT = 2 || {ENDLESS}')}")
    killed = site.start(*SHORT_LEASE)
    until(lambda: site.witness.begun() == 1)
    killed.signal(signal.SIGKILL)
    killed.exit()
    _move_to_another_machine(site)

    assert site.start(*SHORT_LEASE).exit() == 0
    assert site.rows()["a"]["Attempt"] == 2


def test_a_worker_that_is_stopped_while_it_stays_for_others_says_that_work_is_left(site: Site) -> None:
    """What a vanished worker holds needs somebody: 75."""
    site.items(f"a|s|{site.witness.script(ENDLESS)}")
    killed = site.start()
    until(lambda: site.witness.begun() == 1)
    killed.signal(signal.SIGKILL)
    killed.exit()
    _move_to_another_machine(site)
    waiting = site.start()
    until(lambda: "waiting for items of other workers" in waiting.said())

    waiting.signal(signal.SIGTERM)
    assert waiting.exit() == 75


def test_reclaim_takes_over_from_the_dead_of_this_machine(site: Site) -> None:
    """By hand too, without waiting for a lease."""
    site.items("a|s|" + site.witness.script(ENDLESS))
    killed = site.start()
    until(lambda: site.witness.begun() == 1)
    assert site.program("reclaim") == "0 items went back\n"
    killed.signal(signal.SIGKILL)
    killed.exit()
    until(lambda: not site.scripts())

    assert site.program("reclaim", "--dry-run") == "a\n"
    assert site.program("reclaim") == "1 item went back\n"
    assert site.states() == {"a": "todo"}


def _move_to_another_machine(site: Site) -> None:
    with closing(sqlite3.connect(site.program.sqlite_file())) as connection, connection:
        connection.execute("UPDATE workers SET Process = 'other' || substr(Process, 6)")
