"""TALKS: typer commands of a few lines, rich tables, JSON."""


def main() -> None:
    """Run the command line."""
