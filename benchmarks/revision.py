"""Another revision of pyanamo, installed beside this one, so that both are measured in one run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.course import BENCH
from benchmarks.processes import Failed
from harness.program import ROOT


def installed(revision: str) -> str:
    """Install a revision of this repository into an environment of its own, once; return its `pyanamo`.

    Raises:
        Failed: there is no such revision, or it cannot be installed.
    """
    commit = _run("git", "rev-parse", "--verify", f"{revision}^{{commit}}")
    folder = BENCH / "revisions" / commit
    pyanamo = folder / "venv" / "bin" / "pyanamo"
    if not pyanamo.exists():
        shutil.rmtree(folder, ignore_errors=True)
        source = folder / "source"
        source.mkdir(parents=True)
        archive = folder / "source.tar"
        _run("git", "archive", "--output", archive, commit)
        _run("tar", "-xf", archive, "-C", source)
        uv = Path(sys.executable).with_name("uv")
        python = folder / "venv" / "bin" / "python"
        _run(uv, "venv", "--quiet", "--python", sys.executable, folder / "venv")
        lock = source / "requirements-runtime.lock"
        _run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", lock)
        _run(uv, "pip", "install", "--quiet", "--python", python, "--no-deps", source)
    return str(pyanamo)


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Failed(f"`{' '.join(map(str, command))}` failed: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()
