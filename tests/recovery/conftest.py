"""A site for each foundation; nothing that was started there outlives its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.program import Program
from tests.acceptance.conftest import on_aws, on_sqlite, pyanamo
from tests.recovery.processes import Site, with_env

__all__ = ["on_aws", "on_sqlite", "pyanamo"]


@pytest.fixture
def site(on_sqlite: Program) -> Iterator[Site]:
    """Workers on a SQLite file."""
    yield from _site(on_sqlite)


@pytest.fixture
def aws_site(on_aws: Program) -> Iterator[Site]:
    """Workers on DynamoDB and S3."""
    yield from _site(on_aws)


@pytest.fixture
def any_site(pyanamo: Program) -> Iterator[Site]:
    """Workers on each foundation in turn."""
    yield from _site(pyanamo)


def _site(program: Program) -> Iterator[Site]:
    (program.folder / "tmp").mkdir()
    site = Site(with_env(program, TMPDIR=str(program.folder / "tmp")))
    yield site
    site.end()
