"""The first command of the README, as far as it goes without installing anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from harness.program import ROOT

ITEMS = 240


def test_the_demo_runs_to_the_end_again_and_again(tmp_path: Path) -> None:
    """It imports, runs and shows the status; a second time it begins anew."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    demo = ["make", "--assume-old=.venv/runtime", "demo", f"DEMO={tmp_path / 'demo'}"]

    for _ in range(2):
        done = subprocess.run(demo, cwd=ROOT, env=env, capture_output=True, text=True, check=True)

        assert f"{ITEMS} added, 0 skipped" in done.stdout
        assert f"tasks done\t{ITEMS}" in done.stdout
        assert "item settled item=S12-5 attempt=2 state=done" in done.stderr
