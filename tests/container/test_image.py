"""The recipe of the image, as far as it can be checked without building it."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

DOCKERFILE = Path(__file__).parents[2] / "container" / "Dockerfile"


def needed(package: str, found: set[str]) -> set[str]:
    """Collect what a package needs when it is installed without extras, and what that needs."""
    for line in requires(package) or []:
        requirement = Requirement(line)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and requirement.name not in found:
            found.add(requirement.name)
            needed(requirement.name, found)
    return found


def test_the_image_keeps_what_the_worker_needs() -> None:
    """What the build alone needed is removed, and nothing else."""
    [removed] = re.findall(r"pip uninstall -q -y (editables .*) \\", DOCKERFILE.read_text())
    everything = needed("pyanamo-async", set())

    assert "aiohttp" in everything  # which something else needs
    assert everything.isdisjoint(removed.split())
