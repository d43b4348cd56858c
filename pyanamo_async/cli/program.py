"""The program: its commands, and the text above them in `--help`.

Only the command that is asked for is imported. Without a command, or with an unknown one, all are imported: to list
them, or to suggest the nearest one or the one that `other_words` has. Shell completion names no command, either.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from pyanamo_async import __version__
from pyanamo_async.cli.console import say
from pyanamo_async.cli.other_words import Group

COMMANDS = {
    "import": "importing.import_file",
    "run": "run.run",
    "status": "table_status.status",
    "wait": "waiting.wait",
    "list": "list_items.list_items",
    "show": "show.show",
    "explain": "explaining.explain",
    "logs": "logs.logs",
    "failures": "failures.failures",
    "retry": "changing.retry",
    "reset": "changing.reset",
    "hold": "changing.hold",
    "unhold": "changing.unhold",
    "cancel": "changing.cancel",
    "delete": "changing.delete",
    "set": "changing.set_items",
    "samples": "samples.samples",
    "results": "results.results",
    "files": "files.files",
    "export": "export.export",
    "trace": "trace.trace",
    "report": "report.report",
    "doctor": "doctor.doctor",
    "bench": "bench.bench",
    "reclaim": "workers.reclaim",
    "alive": "alive.alive",
    "workers": "workers.app",
    "batch": "batch.app",
    "table": "tables.app",
}
"""The module of this package, and the function or group in it, of each command."""


def program(name: str) -> typer.Typer:
    """Make the program with the command of this name, or with all of them."""
    app = typer.Typer(
        cls=Group,
        rich_markup_mode=None,
        add_completion=name not in COMMANDS,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(pyanamo)
    for each in [name] if name in COMMANDS else COMMANDS:
        _add(each, app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"pyanamo {__version__}")
        raise typer.Exit


def pyanamo(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run large numbers of shell tasks from a table, with any number of identical workers.

    Start with: pyanamo import FILE, pyanamo run, pyanamo status.
    """


def _add(name: str, app: typer.Typer) -> None:
    """Add a command or a group; its module may define the command's class and the end of its help."""
    place, _, called = COMMANDS[name].partition(".")
    module = import_module(f"{__package__}.{place}")
    found = getattr(module, called)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name)
    else:
        app.command(name, cls=getattr(module, "COMMAND", None), epilog=getattr(module, "EPILOG", None))(found)
