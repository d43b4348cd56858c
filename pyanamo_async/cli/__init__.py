"""TALKS: typer commands of a few lines, parsing of flags, rich tables, JSON.

1. What a command does is a method of `pyanamo_async.Table`; a command parses, calls, and shows.
2. Data goes to stdout, everything else to stderr.
3. Heavy modules are imported where they are used: `--help` is instant.
"""
