"""Run the process tests on every Python from 3.11 that this machine has: `python tests/process/every_python.py`.

Each gets a virtual environment below `.cache/`, with what these tests need and no more. Arguments go to pytest.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEEDED = ["uvloop>=0.21", "psutil>=7", "pytest>=8.3", "pytest-asyncio>=1.5", "pytest-timeout>=2.3"]
VERSIONS = [f"3.{minor}" for minor in range(11, 20)]


def main() -> int:
    """Run them all; the exit status is 1 when one failed."""
    failed = [version for version in VERSIONS if (python := interpreter(version)) and not passes(version, python)]
    if failed:
        print(f"failed on Python {', '.join(failed)}")
    return bool(failed)


def interpreter(version: str) -> str | None:
    """Find an interpreter of that version that really starts: a shim may stand for nothing."""
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:
        return None
    return python


def passes(version: str, python: str) -> bool:
    """Run the tests on one interpreter."""
    print(f"--- Python {version}", flush=True)
    venv = ROOT / ".cache" / f"python{version}"
    if not (venv / "bin" / "pytest").exists():
        subprocess.run([python, "-m", "venv", "--clear", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "--quiet", *NEEDED], check=True)
    tests = ROOT / "tests" / "process"
    command = [str(venv / "bin" / "python"), "-m", "pytest", "-q", f"--confcutdir={tests}", str(tests), *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
