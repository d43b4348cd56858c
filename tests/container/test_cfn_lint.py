"""The template as CloudFormation's own linter sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.container.stack import TEMPLATE


def test_cfn_lint_has_nothing_to_say() -> None:
    """Neither of the form of the template, nor of properties that a resource does not have."""
    linter = Path(sys.executable).with_name("cfn-lint")
    said = subprocess.run([linter, TEMPLATE], capture_output=True, text=True, check=False)

    assert (said.stdout, said.returncode) == ("", 0)
