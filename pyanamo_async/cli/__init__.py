"""TALKS: typer commands of a few lines, rich tables, JSON.

Data goes to stdout, everything else to stderr. Whatever is heavy is imported where it is used: `--help` is instant.
"""

import gc
import sys

GARBAGE_AFTER = 20_000
"""New objects until Python looks for cycles among them: with its 700 it looks at what was imported again and again."""


def main() -> None:
    """Run the command line and exit with its status."""
    gc.set_threshold(GARBAGE_AFTER)
    from pyanamo_async.cli.border import run

    status = run(sys.argv[1:])
    gc.freeze()  # nothing that is left is worth a look: all of it ends now
    sys.exit(status)
