"""Why the operating system refused something, in words."""

from __future__ import annotations


def why(error: Exception) -> str:
    """Return what an error says, without the number and the file that Python adds to those of the system."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
