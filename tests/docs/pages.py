"""The documentation, as tests read it: pages, code blocks, command lines and tables."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from harness.program import ROOT

DOCS = ROOT / "docs"
README = ROOT / "README.md"
AWS = DOCS / "guide" / "aws.md"  # its session is typed by a test of its own
VARIANT_CALLING = ROOT / "examples" / "variant_calling" / "README.md"
DECISIONS = sorted(DOCS.glob("decisions/20*.md"))
GENERATED = DOCS / "reference" / "cli.md"
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "examples" / "README.md",
    VARIANT_CALLING,
    *sorted(DOCS.rglob("*.md")),
]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")


def name(page: Path) -> str:
    """Name a page in test ids and messages."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the code blocks of a page in these languages."""
    return [text for language, text in _FENCE.findall(page.read_text()) if language in languages]


def command_lines(page: Path, program: str) -> list[list[str]]:
    """Return the command lines of a program in the shell blocks of a page, as words."""
    lines = [
        re.split(r" (?:[|>&]|\|\|) ", line.removeprefix("$ "))[0]
        for block in blocks(page, "sh", "console")
        for line in re.sub(r"\\\n(> )?", "", block).splitlines()
    ]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(f"{program} ")]


def links(page: Path) -> list[str]:
    """Return what a page links to, pictures included."""
    return [first or second for first, second in _LINK.findall(_FENCE.sub("", page.read_text()))]


def section(page: Path, heading: str) -> str:
    """Return the text below a heading without code blocks, to the next heading of any level."""
    return re.split(rf"^#+ {re.escape(heading)}$", prose(page), flags=re.MULTILINE)[1].partition("\n#")[0]


def rows(text: str) -> list[list[str]]:
    """Return the rows of all tables of a text, cell by cell."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not set(line) <= set("|-: ")]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def codes(cell: str) -> list[str]:
    """Return the words of a cell that are marked as code."""
    return _CODE.findall(cell)


def prose(page: Path) -> str:
    """Return the text of a page without its code blocks."""
    return _FENCE.sub("", page.read_text())
