"""Names that other programs have for our commands: if one is typed, the error names our command."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

OTHER_WORDS = {
    "add": "import",
    "adopt": "table adopt",
    "autoscale": "table autoscale",
    "cat": "logs",
    "check": "doctor",
    "clear": "table clear",
    "create": "table create",
    "del": "delete",
    "describe": "show",
    "drain": "workers drain",
    "dump": "export",
    "errors": "failures",
    "help": "--help",
    "info": "show",
    "init": "table create",
    "kill": "cancel",
    "load": "import",
    "log": "logs",
    "ls": "list",
    "monitor": "status --watch",
    "pause": "hold",
    "progress": "status",
    "provision": "table provision",
    "ps": "workers",
    "purge": "table clear",
    "qstat": "status",
    "qsub": "import",
    "queue": "status",
    "release": "unhold",
    "remove": "delete",
    "requeue": "retry",
    "rerun": "retry",
    "restart": "retry",
    "resubmit": "retry",
    "resume": "unhold",
    "rm": "delete",
    "sbatch": "import",
    "scancel": "cancel",
    "squeue": "status",
    "start": "run",
    "stats": "status",
    "stop": "workers stop",
    "submit": "batch submit",
    "tail": "logs --follow",
    "top": "status --watch",
    "unlock": "reclaim",
    "update": "set",
    "watch": "status --watch",
    "why": "explain",
    "work": "run",
    "batch kill": "batch cancel",
    "batch ls": "batch list",
    "batch run": "batch submit",
    "batch start": "batch submit",
    "batch status": "batch list",
    "batch stop": "batch cancel",
    "table drop": "table delete",
    "table empty": "table clear",
    "table info": "table describe",
    "table init": "table create",
    "table purge": "table clear",
    "table remove": "table delete",
    "table rm": "table delete",
    "table show": "table describe",
    "table truncate": "table clear",
    "workers kill": "workers stop",
    "workers list": "workers",
    "workers ls": "workers",
}
"""A word within a group is written after the name of the group."""


class Group(TyperGroup):
    """A group of commands that also knows the words of other programs for them."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - the types are private to typer
        """Find the command; if the word is another program's, fail and name our command."""
        words = " ".join([*ctx.command_path.split()[1:], *args[:1]])
        if words in OTHER_WORDS and args[0] not in self.commands:
            ctx.fail(f"No such command '{args[0]}'. hint: pyanamo {OTHER_WORDS[words]}")
        return super().resolve_command(ctx, args)
