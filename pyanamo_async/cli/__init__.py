"""TALKS: typer commands of a few lines, rich tables, JSON.

Data goes to stdout, everything else to stderr. Whatever is heavy is imported where it is used: `--help` is instant.
"""

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    from pyanamo_async.cli.border import run

    sys.exit(run(sys.argv[1:]))
