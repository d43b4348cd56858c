"""`pyanamo status`, `wait`, `samples` and `explain`: how far tables are, and why they are no further."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import jsonschema
import pytest

from harness.program import until
from pyanamo_async.cli.explaining import COMMANDS, OF_THE_TABLE
from pyanamo_async.cli.listing import Column, fitting
from pyanamo_async.cli.memory_view import memory_lines, memory_row, memory_words
from pyanamo_async.core.memory.use import Asked, MemoryUse, Peaks, Reserved
from pyanamo_async.core.text.byte_sizes import GIB
from tests.cli.conftest import PYANAMO, Cli, process
from tests.cli.test_main import on_terminal
from tests.docs.json_schemas import MEMORY

TABLE = "sqlite:pyanamo.db"


def test_status_as_json(ran: Cli) -> None:
    """One object per table: all that a program may want to know, also what a terminal shows."""
    [seen] = ran("status", "--json").json()
    example = seen["failures"][0].pop("example")

    assert seen.pop("at").endswith("Z")
    assert seen.pop("items_per_second") > 0
    assert {name: pace["items"] for name, pace in seen.pop("settled").items()} == {"recent": 3, "last_hour": 3}
    assert seen.pop("items") == {"todo": 0, "locked": 0, "done": 2, "failed": 1, "Wall_Time_Exceeded": 0, "Pending": 0}
    nested = {name: (each["items"], each["ids"]) for name, each in seen.pop("nested").items()}
    assert nested.pop("done") == (1, ["n"])
    assert nested == dict.fromkeys(("todo", "1-25", "26-50", "51-75", "76-99"), (0, []))
    assert example == "b"
    assert seen == {
        "table": TABLE,
        "retrying": 0,
        "total": 3,
        "tasks": {"total": 4, "todo": 0, "done": 3, "failed": 1},
        "crashes": 0,
        "interruptions": 0,
        "seconds_lost": 0.0,
        "seconds_saved": 0.0,
        "cpu_seconds_lost": 0.0,
        "cpu_seconds_saved": 0.0,
        "memory": None,
        "too_large": [],
        "last_attempts": 0,
        "workers": {"alive": 0, "running": 0, "waiting_for_room": 0, "slots": 0},
        "seconds_left": None,
        "failures": [{"retrying": False, "reason": "exit status 3", "items": 1}],
        "waits_until": None,
        "failures_examined": 1,
        "halted": [],
    }


def test_status_in_a_pipe_is_names_and_numbers(ran: Cli) -> None:
    """For `awk`: the same names each time, also for what is unknown."""
    *lines, failure = ran("status").out.splitlines()
    values = dict(line.split("\t") for line in lines)

    assert (values["table"], values["done"], values["failed"], values["total"]) == (TABLE, "2", "1", "3")
    assert (values["tasks done"], values["nested done"], values["workers"]) == ("3", "1", "0")
    assert float(values["items per second"]) > 0
    assert values["seconds left"] == values["seconds left at least"] == values["seconds left at most"] == ""
    assert failure == "failure\t1\texit status 3"


def test_status_of_several_tables(ran: Cli) -> None:
    """By arguments, by flags, by both; each once."""
    ran("import", "single.txt", "-t", "sqlite:other.db")

    for argv in ([TABLE, "sqlite:other.db"], ["-t", TABLE, "-t", "sqlite:other.db"], [TABLE, "-t", "sqlite:other.db"]):
        both = ran("status", *argv, TABLE, "--json").json()
        assert [(each["table"], each["total"]) for each in both] == [(TABLE, 3), ("sqlite:other.db", 2)]
    lines = ran("status", TABLE, "sqlite:other.db").out.splitlines()
    assert [line for line in lines if line.startswith("table\t")] == [f"table\t{TABLE}", "table\tsqlite:other.db"]


def test_a_file_whose_scheme_was_forgotten_is_refused(ran: Cli) -> None:
    """As with `-t`: a bare word is a DynamoDB table."""
    said = ran("status", "pyanamo.db")

    assert said.status == 2
    assert "did you mean sqlite:pyanamo.db?" in said.err


def test_the_variable_names_the_table_without_arguments(ran: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only then."""
    monkeypatch.setenv("PYANAMO_TABLE", "sqlite:a b.db")
    ran("import", "single.txt")

    assert [each["table"] for each in ran("status", "--json").json()] == ["sqlite:a b.db"]
    assert [each["table"] for each in ran("status", TABLE, "--json").json()] == [TABLE]


def test_watching_into_a_pipe_is_a_table_that_grows(ran: Cli) -> None:
    """A header, and a line for each table each time."""
    header, *lines = (
        line.split("\t") for line in ran("status", "--watch", "0.01", "--times", "3", TABLE).out.splitlines()
    )

    assert len(lines) == 3
    row = dict(zip(header, lines[-1], strict=True))
    told = [row[name] for name in ("table", "done", "failed", "tasks done", "seconds left")]
    assert told == [TABLE, "2", "1", "3", ""]


def test_watching_as_json_is_an_object_a_line(ran: Cli) -> None:
    """With all that `status` has, but for ids."""
    lines = ran("status", TABLE, "--json", "--times", "2", "--watch=10ms").out.splitlines()
    first, second = map(json.loads, lines)

    assert first["at"] <= second["at"]
    assert {each["items"]["done"] for each in (first, second)} == {2}
    assert first["nested"]["done"] == {"items": 1}


def test_watch_stands_alone_or_before_seconds(ran: Cli) -> None:
    """What follows and is no duration is a table."""
    assert len(ran("status", "--watch", TABLE, "--times", "1").out.splitlines()) == 2
    assert len(ran("status", "--times", "1", "--watch").out.splitlines()) == 2
    refused, missing = ran("status", "--watch", "0"), ran("status", "--watch", "sqlite:nosuch.db")
    assert (refused.status, refused.out, refused.err[:26]) == (2, "", "pyanamo: --watch is zero. ")
    assert (missing.status, missing.out) == (1, "")
    assert "no AWS region is known for the table abc. hint: " in ran("status", "--watch", "abc").err
    assert ran("status", "--times", "2").status == 2


def test_watching_on_a_terminal_ends_as_the_terminal_was(ran: Cli) -> None:
    """It has a screen of its own, and what it showed last stays when it is interrupted."""
    assert ran("status").status == 0
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen([PYANAMO, "status", "--watch", "0.05"], stdout=theirs, stderr=theirs, env=env) as watching:
        os.close(theirs)
        shown = b""
        while shown.count(b"\x1b[H") < 3:
            shown += os.read(ours, 4096)
        watching.send_signal(signal.SIGINT)
        while data := _read(ours):
            shown += data
    os.close(ours)
    before, _, after = shown.decode().partition("\x1b[?25h\x1b[?1049l")

    assert watching.returncode == 130
    assert before.startswith("\x1b[?1049h\x1b[?25l")
    assert after.startswith(TABLE)
    assert "Traceback" not in after


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_wait_exits_as_run_does(ran: Cli) -> None:
    """3 when something failed, 75 when the time is over with work left, 0 when all is done."""
    assert ran("wait").status == 3
    assert "1 item is failed: pyanamo failures says why" in on_terminal("wait", stderr=True, status=3)
    ran("import", "single.txt", "-t", "sqlite:other.db")
    assert ran("wait", "-t", "sqlite:other.db", "--timeout", "0").status == 75
    ran("import", "nested.txt", "-n", "-t", "sqlite:good.db")
    assert process("run", "-t", "sqlite:good.db").status == 0
    said = ran("wait", "-t", "sqlite:good.db")
    assert (said.status, said.out, said.err) == (0, "", "")


def test_explain_tells_why_and_what_to_type(ran: Cli) -> None:
    """In sentences, and as JSON."""
    text = ran("explain", "b").out
    told = ran("explain", "b", "--json").json()

    assert text.startswith("b: failed\n  It failed at ")
    assert "The latest reason: attempt 1: exit status 3." in text
    assert "  pyanamo logs --stderr b  # see what it printed to stderr\n" in text
    assert (told["itemID"], told["state"]) == ("b", "failed")
    assert told["next"][1] == {"command": "pyanamo retry b", "purpose": "run again what did not succeed"}
    assert ran("explain", "nope").status == 1


def test_what_to_type_names_the_item_where_a_command_takes_one(cli: Cli) -> None:
    """`run` and the like are for the whole table."""
    usage = {each: cli(command.partition(" ")[0], "--help").out.splitlines()[0] for each, command in COMMANDS.items()}

    assert {each for each, line in usage.items() if "ITEM" not in line} == OF_THE_TABLE


@pytest.fixture
def cohort(cli: Cli, folder: Path) -> Cli:
    """Three samples: s1 is through align, s2 through align and call, s3 failed in align."""
    (folder / "align.txt").write_text("itemID|TaskID|TaskScript\na1|s1|true\na2|s2|true\na3|s3|exit 1\n")
    (folder / "call.txt").write_text("itemID|TaskID|TaskScript\nc2|s2|true\n")
    for step in ("align", "call"):
        cli("import", f"{step}.txt", "-t", f"sqlite:{step}.db")
        process("run", "-t", f"sqlite:{step}.db", "--max-failures", "1")
    return cli


STEPS = ("sqlite:align.db", "sqlite:call.db")


def test_samples_are_shown_by_steps(cohort: Cli) -> None:
    """A line for each, a column for each step, by the name of its file."""
    assert cohort("samples", *STEPS).out.splitlines() == [
        "sample\talign\tcall",
        "s1\tdone\t",
        "s2\tdone\tdone",
        "s3\tfailed\t",
    ]
    [first, *_] = cohort("samples", *STEPS, "--json").json()
    assert first["sample"] == "s1"
    assert first["steps"]["align"]["state"] == "done"
    assert first["steps"]["call"] == {
        "state": "", "items": 0, "done": 0, "failed": 0, "held": 0, "locked": 0, "waiting": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "samples"),
    [
        (["--through", "align"], ["s1", "s2"]),
        (["--through", "sqlite:align.db", "--not-through", "call"], ["s1"]),
        (["--failed-in", "align"], ["s3"]),
        (["--not-through", "align"], ["s3"]),
    ],
)
def test_samples_are_chosen_by_steps(cohort: Cli, flags: list[str], samples: list[str]) -> None:
    """A step is a table as it was typed, or its file's stem."""
    assert [line.split("\t")[0] for line in cohort("samples", *STEPS, *flags).out.splitlines()[1:]] == samples


def test_the_next_step_is_one_pipe(cohort: Cli, folder: Path) -> None:
    """And repeated after a late sample it adds exactly one item."""
    pipe = (
        f"{PYANAMO} samples {' '.join(STEPS)} --through align --not-through call --tsv | "
        f"{PYANAMO} import - -t sqlite:call.db --id '{{sample}}' --script 'echo {{sample}}'"
    )

    def derive() -> str:
        return subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=True, timeout=60).stdout

    assert "1 added" in derive()
    assert "0 added, 1 skipped" in derive()
    (folder / "late.txt").write_text("itemID|TaskID|TaskScript\na4|s4|true\n")
    cohort("import", "late.txt", "-t", "sqlite:align.db")
    process("run", "-t", "sqlite:align.db")
    assert "1 added, 1 skipped" in derive()
    assert {row["taskID"] for row in cohort("list", "-t", "sqlite:call.db", "--json").json()} == {"s1", "s2", "s4"}


def test_a_step_without_items_has_a_column() -> None:
    """On a terminal too: that nothing is there is what was asked."""
    columns = [Column("sample"), Column("align", rank=1, even_empty=True), Column("other", rank=2)]

    assert [*fitting(columns, [["s3", "", ""]], width=80, among=range(3))] == [0, 1]


def test_nothing_for_the_next_step_is_no_error(cohort: Cli, folder: Path) -> None:
    """A pipe that is repeated finds no sample now and then: its table has a header, and nothing below."""
    (folder / "none.tsv").write_text(cohort("samples", *STEPS, "--failed-in", "call", "--tsv").out)
    (folder / "empty.tsv").touch()
    template = ("-t", "sqlite:call.db", "--id", "{sample}", "--script", "echo {sample}")

    said = cohort("import", "none.tsv", *template)

    assert (folder / "none.tsv").read_text() == "sample\talign\tcall\n"
    assert (said.status, said.out) == (0, "0 added, 0 skipped, 0 replaced\n")
    assert cohort("import", "empty.tsv", *template).status == 2


def test_samples_of_any_name_reach_the_next_step(cli: Cli, folder: Path) -> None:
    """Also those that look like a comment or a quotation."""
    names = {"#1", 'say "aah"', '"', "s 3", "a,b"}
    rows = [{"itemID": f"i{number}", "TaskID": name, "TaskScript": "true"} for number, name in enumerate(names)]
    (folder / "odd.json").write_text(json.dumps(rows))
    cli("import", "odd.json")
    (folder / "next.tsv").write_text(cli("samples", "--not-through", "pyanamo", "--tsv").out)

    cli("import", "next.tsv", "-t", "sqlite:next.db", "--id", "x-{sample}", "--sample", "{sample}", "--script", "true")

    assert {row["taskID"] for row in cli("list", "-t", "sqlite:next.db", "--json").json()} == names


def test_names_of_samples_are_words_for_a_script(cohort: Cli) -> None:
    """One a line, without a header: what a joint step is given."""
    assert cohort("samples", *STEPS, "--through", "align", "--names").out == "s1\ns2\n"
    assert cohort("samples", *STEPS, "--names", "--tsv").status == 2


def test_the_next_step_may_have_no_table_yet(cohort: Cli) -> None:
    """All samples are still to come to it; a step that samples should be through, or have failed in, must exist."""
    tables = ("sqlite:align.db", "sqlite:next.db")

    assert cohort("samples", *tables, "--through", "align", "--not-through", "next", "--tsv").out.splitlines() == [
        "sample\talign\tnext",
        "s1\tdone\t",
        "s2\tdone\t",
    ]
    for flags in ((), ("--through", "next"), ("--failed-in", "next", "--not-through", "next")):
        said = cohort("samples", *tables, *flags)
        assert (said.status, said.out) == (1, "")
        assert "there is no table" in said.err
    assert not Path("next.db").exists()


def test_a_step_that_is_none_of_the_tables_is_named(cohort: Cli) -> None:
    """With those there are; two files of one name are told apart by their folders."""
    said = cohort("samples", *STEPS, "--through", "cohort")
    assert (said.status, said.out) == (2, "")
    assert "--through 'cohort' is none of the tables" in said.err
    Path("sub").mkdir()
    cohort("import", "align.txt", "-t", "sqlite:sub/align.db")
    alike = cohort("samples", "sqlite:align.db", "sqlite:sub/align.db", "--through", "align")
    assert alike.status == 2
    assert "means several tables" in alike.err
    shown = cohort("samples", "sqlite:align.db", "sqlite:sub/align.db", "--through", "sqlite:align.db").out
    assert shown.splitlines()[0] == "sample\tsqlite:align.db\tsqlite:sub/align.db"


def test_what_tasks_used_of_memory_is_shown() -> None:
    """For people with the flags of a worker, for a pipe in bytes, and as JSON."""
    peaks = Peaks(50, 3 * GIB, 4 * GIB)
    asked = Asked(12 * GIB, 12 * GIB, peaks)
    use = MemoryUse(peaks, asked, (asked,), busy_cpus=0.9, reserved=Reserved(8, 32 * GIB, 2))

    used, fits = memory_words(use)
    lines = dict(line.split("\t") for line in memory_lines(use))

    assert used.startswith("memory: asked for 12 GB, used up to 3.0 GB (95 % of 50 tasks")
    assert fits.startswith("would have fitted: a lower Memory, 3.3G, -i 8 --memory 27G, a machine of 8 CPUs")
    assert (lines["memory reserved"], lines["fitting items"], lines["fitting instance"]) == (
        str(16 * GIB),
        "8",
        "m 2xlarge",
    )
    assert [line.partition("\t")[0] for line in memory_lines(None)] == [*lines]
    assert {line.partition("\t")[2] for line in memory_lines(None)} == {""}
    jsonschema.validate(memory_row(use), MEMORY)
    jsonschema.validate(memory_row(MemoryUse(large := Peaks(3, 1 << 50, 1 << 50), others=large)), MEMORY)


def test_what_waits_for_last_attempts_is_told_with_what_to_type(cli: Cli, folder: Path) -> None:
    """By every command that a person asks: of a worker that was stopped, in a table with that setting."""
    (folder / "long.txt").write_text("touch began; sleep 100\n")
    cli("import", "long.txt")
    cli("table", "last-attempts", "--after", "1")
    worker = subprocess.Popen([PYANAMO, "run", "--quiet", "--grace", "0"])
    until((folder / "began").exists)
    worker.terminate()
    assert worker.wait(60) == 75
    [item] = cli("list", "--json").json()

    assert process("run").status == 4
    assert cli("status", "--json").json()[0]["last_attempts"] == 1
    assert "last attempts\t1" in cli("status").out
    sentence = "1 item waits for a worker with --last-attempts, and no living worker has that"
    told = cli("explain", item["itemID"])
    assert "left to workers with --last-attempts, and no living worker has that." in told.out
    assert "\n  pyanamo run --last-attempts  #" in told.out
    assert sentence in cli("doctor").out
    waits = on_terminal("wait", "--timeout", "0", stderr=True, status=75)
    assert f"{sentence}: pyanamo run --last-attempts\r\n" in waits
    off = "1 item still waits for one: pyanamo run --last-attempts runs it, pyanamo retry --state todo leaves it to all"
    assert off in cli("table", "last-attempts", "--off").err
    assert cli("retry", "--state", "todo", "--yes").status == 0
    assert cli("doctor").status == 0


def test_what_no_worker_has_the_memory_for_is_told_with_its_need(cli: Cli, folder: Path) -> None:
    """Not only with its memory class; and nobody suggests a worker that would not take it."""
    (folder / "large.txt").write_text("itemID|TaskID|Memory|TaskScript\na|s|900G|true\nb|s|800G|true\n")
    cli("import", "large.txt")
    assert process("run", "--quiet", "--memory", "2M").status == 4
    sentence = "2 items need 800 to 900 GB of memory, and no living worker has that"

    told = on_terminal("wait", "--timeout", "0", stderr=True, status=75)

    assert "no worker is alive\r\n" in told
    assert f"{sentence}: pyanamo run --memory 95% on a machine that has it" in told
    assert cli("status", "--json").json()[0]["too_large"] == [
        {"memory_class": 1024, "items": 2, "need_bytes": 900 * GIB}
    ]
    assert f"too large\t2\t{900 * GIB}" in cli("status").out
    assert sentence in cli("doctor").out
    assert "It needs 900 GB of memory, and no living worker has that." in cli("explain", "a").out
