"""The program: its commands, and what stands above them in `--help`."""

from __future__ import annotations

from typing import Annotated

import typer

from pyanamo_async import __version__
from pyanamo_async.cli import bench, doctor, importing, logs, running, tables, trace, watching, workers
from pyanamo_async.cli.screen import say

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"pyanamo {__version__}")
        raise typer.Exit


@app.callback()
def pyanamo(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Run huge piles of shell tasks from a table, with any number of identical workers.

    Start with: pyanamo import FILE, pyanamo run, pyanamo status.
    """


app.command("import")(importing.import_file)
app.command("run", cls=running.RunCommand, epilog=running.EXIT_STATUSES)(running.run)
app.command("status")(watching.status)
app.command("list")(watching.list_items)
app.command("show")(watching.show)
app.command("logs")(logs.logs)
app.command("trace")(trace.trace)
app.command("doctor")(doctor.doctor)
app.command("bench")(bench.bench)
app.command("reclaim")(workers.reclaim)
app.add_typer(workers.app, name="workers")
app.add_typer(tables.app, name="table")
