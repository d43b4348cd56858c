"""What importing the package costs, and where flags may be named."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyanamo_async

PACKAGE = Path(pyanamo_async.__file__).parent
COMMAND = re.compile(r"`[^`]+ [^`]+`")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
SHORT_FLAG = re.compile(r"(?<![\w-])-[bkr] (file:|[A-Z])")


def modules_after(code: str) -> set[str]:
    """Return the modules that some code imports into a fresh interpreter."""
    listing = f"import sys; before = set(sys.modules); {code}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_else() -> None:
    """Not even asyncio: names are imported from their modules when they are first used."""
    imported = modules_after("import pyanamo_async")

    assert {name for name in imported if name.startswith("pyanamo_async")} == {"pyanamo_async"}
    assert not imported & {"asyncio", "msgspec", "orjson", "typer", "rich", "aioboto3"}


def test_opening_a_table_in_a_file_imports_no_aws() -> None:
    """Nor what only workers and the command line need."""
    imported = modules_after("import pyanamo_async; pyanamo_async.open_table('sqlite:step.db')")

    assert not imported & {"aioboto3", "botocore", "typer", "rich", "uvloop", "pyanamo_async.worker"}


def test_flags_are_named_by_the_command_line_alone() -> None:
    """Everywhere else errors name the arguments of the API, which the command line translates.

    A whole command in backticks is as it is to be typed.
    """
    found = [
        f"{path.relative_to(PACKAGE)}: {text}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if not {"cli", "entrypoint"}.intersection(path.relative_to(PACKAGE).parts)
        for text in strings(ast.parse(path.read_text()))
        if FLAG.search(without := COMMAND.sub("", text)) or SHORT_FLAG.search(without)
    ]

    assert found == []


def strings(tree: ast.AST) -> Iterator[str]:
    """Yield the texts in a module that are not docstrings."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value
