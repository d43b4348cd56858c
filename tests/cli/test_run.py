"""The flags of `pyanamo run` that can be written in several ways."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli


@pytest.mark.parametrize(
    ("argv", "group"),
    [
        (["--cloudwatch", "my group"], "my group"),
        (["--cloudwatch=my group"], "my group"),
        (["-i", "2", "--cloudwatch", "my group", "-n", "1"], "my group"),
        (["--cloudwatch"], "/PyAnamo/odd name"),
        (["--cloudwatch", "-i", "2"], "/PyAnamo/odd name"),
        (["--cloudwatch", "--exit-zero"], "/PyAnamo/odd name"),
    ],
)
def test_the_group_may_be_left_out(cli: Cli, argv: list[str], group: str) -> None:
    """`--cloudwatch` stands alone or with a group, wherever on the line; the complaint shows what was understood."""
    said = cli("run", "-t", "sqlite:odd name.db", *argv)

    assert said.status == 2
    assert f"--cloudwatch '{group}' is no name of a log group" in said.err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--sse", "aws:kms"], "--sse"),
        (["--spool-memory", "much"], "--spool-memory"),
        (["--cloudwatch", "g", "more"], "more"),
    ],
)
def test_invalid_usage_is_refused(cli: Cli, argv: list[str], says: str) -> None:
    """Before anything is opened."""
    said = cli("run", *argv)

    assert said.status == 2
    assert says in said.err
