"""Run the process tests on every Python from 3.11 that this machine has: `python tests/process/every_python.py`.

Each gets a virtual environment below `.cache/`, with what these tests need and no more. Arguments go to pytest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEEDED = [
    "uvloop>=0.21",
    "psutil>=7",
    "pytest>=8.3",
    "pytest-asyncio>=1.5",
    "pytest-timeout>=2.3",
    "hypothesis",
    "msgspec",
]
VERSIONS = [f"3.{minor}" for minor in range(11, 20)]


def main() -> int:
    """Run them all; the exit status is 1 when one failed."""
    failed = [version for version in VERSIONS if (python := interpreter(version)) and not passes(version, python)]
    if failed:
        print(f"failed on Python {', '.join(failed)}")
    return bool(failed)


def interpreter(version: str) -> str | None:
    """Find an interpreter of that version that really starts: a shim of pyenv may stand for nothing."""
    installed = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/{version}.*/bin/python")
    for python in (shutil.which(f"python{version}"), *map(str, installed)):
        if python and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            return python
    return None


def passes(version: str, python: str) -> bool:
    """Run the tests on one interpreter."""
    print(f"--- Python {version}", flush=True)
    venv = ROOT / ".cache" / f"python{version}"
    if not (venv / "bin" / "pytest").exists():
        subprocess.run([python, "-m", "venv", "--clear", venv], check=True)
    subprocess.run([venv / "bin" / "pip", "install", "--quiet", *NEEDED], check=True)  # also what is new in the list
    tests = ROOT / "tests" / "process"
    command = [str(venv / "bin" / "python"), "-m", "pytest", "-q", f"--confcutdir={tests}", str(tests), *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
