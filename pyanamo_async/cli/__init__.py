"""TALKS: typer commands of a few lines, rich tables, JSON.

Data goes to stdout, everything else to stderr. Whatever is heavy is imported where it is used: `--help` is instant.
"""
