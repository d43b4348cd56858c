"""`pyanamo failures`, `retry` and `reset`, and the flags of selections."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pyanamo_async.core.transitions import claim
from pyanamo_async.core.workers import Worker
from pyanamo_async.store.sqlite import SqliteStore
from tests.cli.conftest import PYANAMO, Cli, process
from tests.cli.test_main import on_terminal
from tests.fakes import NOON

FAILING = """\
itemID|TaskID|TaskScript
ok|s1|true
x1|s1|echo "no file x1.bam" >&2; exit 7
x2|s2|echo "no file x2.bam" >&2; exit 7
-k|s2|kill -9 $$
"""


@pytest.fixture
def failed(cli: Cli, folder: Path) -> Cli:
    """A table of which one item is done and three failed."""
    (folder / "tasks.txt").write_text(FAILING)
    assert cli("import", "tasks.txt").status == 0
    assert process("run", "-i", "1", "--max-failures", "1", "-q").status == 3
    return cli


def states(cli: Cli) -> dict[str, str]:
    return {row["itemID"]: row["ItemState"] for row in cli("list", "--json").json()}


def test_failures_are_told_by_reason(failed: Cli) -> None:
    """With what to type to look at one, and to run them again."""
    said = failed("failures")

    assert said.out.replace("x2", "x1").splitlines() == [  # either may have failed first
        "items\tstate\treason\tlook at one",
        "2\tfailed\texit status 7: no file #.bam\tpyanamo logs --stderr x1",
        "1\tfailed\tkilled by SIGKILL\tpyanamo logs --stderr -- -k",
    ]
    assert said.err == "3 items failed; pyanamo retry runs them again\n"


def test_a_terminal_shows_the_reason_before_what_to_type(failed: Cli) -> None:  # noqa: ARG001 - its table is read
    """Also where the name of the table is long: the command stands once, below."""
    address = f"sqlite:{'long' * 12}.db"
    Path("pyanamo.db").rename(address.removeprefix("sqlite:"))

    shown = on_terminal("failures", "-t", address, stderr=True, columns=80)

    assert "exit status 7: no file #.bam" in shown
    assert f"what x1 wrote to stderr: pyanamo logs --stderr -t {address} x1" in shown


def test_what_is_told_to_type_can_be_typed(failed: Cli) -> None:
    """Whatever the table and the id are called, and without another word."""
    address = "sqlite:a b.db"
    Path("pyanamo.db").rename("a b.db")

    line = failed("failures", "-t", address).out.splitlines()[1].split("\t")[3]
    done = subprocess.run(["sh", "-c", line.replace("pyanamo", PYANAMO, 1)], capture_output=True, check=True)

    assert done.stdout == b"no file x1.bam\n"


def test_failures_as_json(failed: Cli) -> None:
    """The same for programs, of one sample here."""
    assert failed("failures", "--sample", "s1", "--json").json() == [
        {
            "items": 1,
            "retrying": False,
            "reason": "exit status 7: no file x1.bam",
            "example": "x1",
            "example_reason": "attempt 1: exit status 7: no file x1.bam",
        }
    ]


def test_items_that_retry_are_told_with_why(cli: Cli, folder: Path) -> None:
    """Before they have failed for good, by `failures` and by `status`."""
    (folder / "n.txt").write_text("itemID|TaskID|TaskScript|TaskArgs\nn|s|exit |0,3\n")
    cli("import", "n.txt", "--nested")
    with subprocess.Popen([PYANAMO, "run", "-q"]) as running:
        while not cli("status", "--json").json()[0]["retrying"]:
            assert running.poll() is None
        running.terminate()

    said, [seen] = cli("failures"), cli("status", "--json").json()

    assert said.out.splitlines()[1] == "1\tretrying\texit status 3\tpyanamo logs --stderr n Task_1"
    assert said.err == "0 items failed; 1 item is retrying\n"
    assert seen["failures"] == [{"retrying": True, "reason": "exit status 3", "items": 1, "example": "n"}]
    assert seen["waits_until"]
    assert cli("status").out.splitlines()[-1] == "retry\t1\texit status 3"


def test_without_failures_nothing_is_listed(cli: Cli) -> None:
    """Not even a header."""
    cli("table", "create")

    assert (cli("failures").out, cli("failures").err) == ("", "0 items failed\n")


def test_a_bare_retry_runs_all_failed_items_again(failed: Cli) -> None:
    """And a worker finds them."""
    said = failed("retry", "--yes", "--reason", "the disk was full")

    assert (said.status, said.out, said.err) == (0, "3 items will run again\n", "")
    assert states(failed) == {"ok": "done", "x1": "todo", "x2": "todo", "-k": "todo"}
    assert failed("show", "x1", "--json").json()["Reason"] == "attempt 1: the disk was full"
    assert process("run", "--max-failures", "1", "-q").status == 3
    assert failed("show", "x1", "--json").json()["Attempt"] == 2


def test_a_limit_alone_limits_what_is_retried(failed: Cli) -> None:
    """It names no other items than a bare retry does."""
    assert failed("retry", "--limit", "2", "--yes").out == "2 items will run again\n"
    assert sorted(states(failed).values()) == ["done", "failed", "todo", "todo"]


def test_a_selection_is_retried(failed: Cli) -> None:
    """By id, sample, expression and so on."""
    assert failed("retry", "--where", "exit == 7", "--sample", "s2", "-y").out == "1 item will run again\n"
    assert failed("retry", "-y", "--", "-k").out == "1 item will run again\n"
    assert states(failed) == {"ok": "done", "x1": "failed", "x2": "todo", "-k": "todo"}


def test_what_is_done_is_not_retried_but_reset(failed: Cli) -> None:
    """Each verb says what it did."""
    said = failed("retry", "ok", "--yes")

    assert (said.status, said.out, said.err) == (0, "0 items will run again\n", "1 item had nothing to run again\n")
    assert failed("reset", "ok", "--yes").out == "1 item will run again\n"
    assert states(failed)["ok"] == "todo"


def test_a_dry_run_lists(failed: Cli) -> None:
    """Ids to stdout, for `xargs`, and nothing is changed."""
    said = failed("reset", "--dry-run", "--sample", "s1")

    assert (said.status, sorted(said.out.split()), said.err) == (0, ["ok", "x1"], "2 items would run again\n")
    assert failed("retry", "--dry-run", "x1", "--json").json() == {
        "dry_run": True,
        "selected": 1,
        "changed": 1,
        "unchanged": 0,
        "no_longer_matching": 0,
        "fenced": 0,
        "failed": 0,
        "locked": [],
        "missing": [],
        "outputs_not_found": [],
        "outputs_not_removed": [],
        "item_ids": ["x1"],
    }
    assert states(failed)["x1"] == "failed"


def test_a_locked_item_is_named(failed: Cli) -> None:
    """The exit status says that not all is as ordered."""
    lock("x1", "w", living=True)

    said = failed("reset", "x1", "x2", "--yes")

    assert (said.status, said.out) == (3, "1 item will run again\n")
    assert said.err == "1 item left alone, because a worker holds it: x1. hint: --force ends what runs\n"


def test_an_item_of_a_worker_that_vanished_has_a_way_back(failed: Cli) -> None:
    """To force anything would end nothing: it is to be reclaimed."""
    lock("x1", "w", living=True)
    lock("x2")

    said = failed("reset", "x1", "x2", "--yes")

    assert said.err == (
        "1 item left alone, because a worker holds it: x1. hint: --force ends what runs\n"
        "1 item left alone, because a worker that vanished holds it: x2. "
        "hint: `pyanamo reclaim` puts such items back\n"
    )
    assert failed("reclaim").out == "1 item went back\n"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["retry"], "running items again needs confirmation, but there is no terminal. hint: give --yes or --dry-run"),
        (["reset", "--yes"], "nothing is selected. hint: give ITEM, --state, --sample"),
        (["reset", "--yes", "--limit", "3"], "nothing is selected"),
        (["list", ""], "ITEM is empty"),
        (["list", "--state", ""], "--state is empty"),
        (["list", "--state", "faild"], "did you mean failed?"),
        (["list", "--sample", ""], "--sample is empty"),
        (["list", "--worker", " "], "--worker is empty"),
        (["list", "--where", ""], "--where is empty"),
        (["list", "--where", "exot == 1"], "--where: unknown field 'exot' at character 1"),
        (["list", "--limit=-1"], "--limit is -1"),
        (["list", "--all", "a"], "--all and ITEM exclude each other"),
        (["list", "--count", "--json"], "--count, --tsv, --json and --jsonl are four formats"),
    ],
)
def test_a_selection_that_says_nothing_is_refused(failed: Cli, argv: list[str], says: str) -> None:
    """By the names of its flags, before anything is changed."""
    said = failed(*argv)

    assert (said.status != 0, said.out) == (True, "")
    assert says in said.err
    assert sorted(states(failed).values()) == ["done", "failed", "failed", "failed"]


def test_an_order_that_names_a_missing_item_is_incomplete(failed: Cli) -> None:
    """Whether the table has others that are named, or none."""
    for order in ("retry --dry-run", "retry -y", "hold -y", "set -y --cpus 2", "cancel -y --reason no", "delete -y"):
        alone, beside = failed(*order.split(), "nosuch"), failed(*order.split(), "nosuch", "x1")

        assert (order, alone.status, beside.status) == (order, 3, 3)
        assert alone.err.endswith("the table has no item nosuch\n")
        assert beside.err.endswith("the table has no item nosuch\n")
    assert "x1" not in states(failed)


def test_what_is_read_of_named_items_is_shown_beside_a_missing_one(failed: Cli, folder: Path) -> None:
    """The missing one is named on stderr, and the exit status says so."""
    both = ["list", "list --json", "list --sort state", "trace --sort took", "results", "files", "export --to a.tsv"]
    for command in (*both, "logs --stderr"):
        (folder / "ids").write_text("x1\nx2\n")
        whole = failed(*command.split(), "--from", "ids")
        (folder / "ids").write_text("x1\nnosuch\nx2\n")
        said = failed(*command.split(), "--from", "ids")

        assert (command, whole.status, said.status) == (command, 0, 3)
        assert (said.out, said.err) == (whole.out, f"{whole.err}the table has no item nosuch\n")


def test_list_takes_a_selection(failed: Cli) -> None:
    """Several states in any case, ids, expressions; `--count` prints a number."""

    def ids(*argv: str) -> list[str]:
        return sorted(row["itemID"] for row in failed("list", "--json", *argv).json())

    assert ids("-s", "DONE", "-s", "todo") == ids("--state", "done,todo") == ["ok"]
    assert ids("x2", "ok") == ["ok", "x2"]
    assert ids("--where", "signal == 9") == ["-k"]
    assert ids("--task", "0", "--state", "failed") == ["-k", "x1", "x2"]
    assert len(ids("--limit", "2")) == 2
    assert failed("list", "--state", "failed", "--count").out == "3\n"


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (b"n\n", 1, "nothing was changed"),
        (b"\x04", 1, "nothing was changed"),
        (b"\x03", 130, ""),
        (b"y\n", 0, "3 items"),
    ],
)
def test_who_is_asked_may_say_no(failed: Cli, answer: bytes, status: int, said: str) -> None:
    """On a terminal; nothing is changed then, and one Ctrl-C is enough."""
    pid, terminal = pty.fork()
    if not pid:
        os.execv(PYANAMO, [PYANAMO, "retry"])  # noqa: S606 # it is the child of `fork`
    printed = b""
    while b"[y/N]" not in printed:
        printed += os.read(terminal, 4096)
    os.write(terminal, answer)
    with suppress(OSError):  # the end of a terminal
        while more := os.read(terminal, 4096):
            printed += more
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status
    os.close(terminal)

    assert "run 3 items again? [y/N]" in printed.decode()
    assert said in printed.decode()
    assert ("todo" in states(failed).values()) == (status == 0)


def test_ctrl_c_ends_a_search_without_end(cli: Cli, folder: Path) -> None:
    """A regular expression that backtracks for ever is interrupted by the second Ctrl-C at the latest."""
    (folder / "tasks.txt").write_text(f"itemID|TaskID|TaskScript\na|s|: {'a' * 60}!\n")
    assert cli("import", "tasks.txt").status == 0
    endless = [PYANAMO, "list", "--where", 'script ~ "(a+)+$"']
    with subprocess.Popen(endless, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as searching:
        while not has_open(searching.pid, "pyanamo.db"):
            assert searching.poll() is None
        while searching.poll() is None:
            searching.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                searching.wait(timeout=1)
        assert (searching.returncode, searching.communicate()) == (130, (b"", b""))


def has_open(pid: int, name: str) -> bool:
    """Return whether a process has a file of this name open."""
    with suppress(OSError):
        return any(each.resolve().name == name for each in Path(f"/proc/{pid}/fd").iterdir())
    return False


def lock(item_id: str, worker: str = "gone", *, living: bool = False) -> None:
    """Let a worker hold an item: one that is gone, or one that has just sent a heartbeat."""

    async def hold() -> None:
        store = SqliteStore(Path("pyanamo.db"))
        if living:
            now = datetime.now(UTC)
            await store.heartbeat(Worker(worker, "elsewhere", now, now, timedelta(days=1)))
        item = await store.read(item_id)
        await store.save(item, claim(item, worker=worker, token="t", now=NOON))
        await store.close()

    asyncio.run(hold())
