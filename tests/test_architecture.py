"""What the house promises about itself: no private places of libraries, modules of a readable size, plain words."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyanamo_async

PACKAGE = Path(pyanamo_async.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 250
PROTOCOL_METHODS = {"_wait", "_abc_impl"}  # what asyncio's Process calls on any loop's transport: part of being one
HEAVY = {"aioboto3", "aiobotocore", "botocore", "aiohttp", "rich", "typer", "uvloop", "orjson", "msgspec", "asyncio"}


def is_private(name: str) -> bool:
    """Return whether a name begins with one underscore."""
    return name.startswith("_") and not name.startswith("__")


def names_of_ours() -> set[str]:
    """Collect every private name that the package itself defines."""
    ours: set[str] = set()
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    ours.add(name)
                case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Name(id=name, ctx=ast.Store()):
                    ours.add(name)
    return ours


def foreign_private_names(source: str, ours: set[str]) -> Iterator[str]:
    """Find private names of others: attributes nobody here defines, and imports of private names or modules."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr=name) if is_private(name) and name not in ours:
                yield f"line {node.lineno}: .{name}"
            case ast.ImportFrom(module=str(module), names=names):
                for word in (*module.split("."), *(each.name for each in names)):
                    if is_private(word) and not (module == "_typeshed" or word in ours):
                        yield f"line {node.lineno}: from {module} import {word}"
            case ast.Import(names=names):
                for each in names:
                    if any(is_private(word) for word in each.name.split(".")):
                        yield f"line {node.lineno}: import {each.name}"


def overridden_private_names() -> Iterator[str]:
    """Find private methods of library classes that a class of ours overrides."""
    for found in pkgutil.walk_packages([str(PACKAGE)], prefix="pyanamo_async."):
        module = importlib.import_module(found.name)
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ != found.name:
                continue
            bases = [base for base in kind.__mro__[1:] if not base.__module__.startswith("pyanamo_async")]
            for name in vars(kind):
                if is_private(name) and name not in PROTOCOL_METHODS:
                    yield from (
                        f"{found.name}.{kind.__name__}.{name} of {base.__module__}"
                        for base in bases
                        if name in vars(base) and base.__module__ not in {"builtins", "typing", "abc", "enum"}
                    )


def test_no_private_place_of_a_library_is_used() -> None:
    """A library's release may change them without a word."""
    ours = names_of_ours()
    found = {
        str(module.relative_to(PACKAGE)): places
        for module in MODULES
        if (places := list(foreign_private_names(module.read_text(), ours)))
    }

    assert found == {}
    assert list(overridden_private_names()) == []


@pytest.mark.parametrize(
    "source",
    [
        "client._endpoint",
        "from botocore._private import x",
        "import asyncio._hidden",
        "self.process._transport",
        "from aiobotocore.session import _hidden",
    ],
)
def test_the_look_for_private_places_finds_them(source: str) -> None:
    """A check that finds nothing in anything would pass for ever."""
    assert list(foreign_private_names(source, {"_own"}))


def lost_updates(source: str) -> Iterator[int]:
    """Find sums that are read before an await and written after it, while others may change what is shared."""
    tree = ast.parse(source)
    shared = {name for node in ast.walk(tree) if isinstance(node, ast.Nonlocal | ast.Global) for name in node.names}

    def is_shared(target: ast.expr) -> bool:
        return isinstance(target, ast.Attribute) or (isinstance(target, ast.Name) and target.id in shared)

    def read_beside_awaits(node: ast.AST) -> set[str]:
        if isinstance(node, ast.Await):
            return set()
        own = {ast.unparse(node)} if isinstance(node, ast.Name | ast.Attribute) else set()
        return own.union(*map(read_beside_awaits, ast.iter_child_nodes(node)))

    for node in ast.walk(tree):
        match node:
            case ast.AugAssign(target=target, value=value):
                reads = True
            case ast.Assign(targets=[target], value=ast.BinOp() | ast.Call() as value):
                reads = ast.unparse(target) in read_beside_awaits(value)
            case _:
                continue
        if reads and is_shared(target) and any(isinstance(each, ast.Await) for each in ast.walk(value)):
            yield node.lineno


def test_nothing_shared_is_read_before_an_await_and_written_after_it() -> None:
    """What another coroutine added in between would be lost."""
    found = {str(module): lines for module in MODULES if (lines := list(lost_updates(module.read_text())))}

    assert found == {}


@pytest.mark.parametrize(
    "source", ["nonlocal a\n    a = a.plus(await f())", "self.a += await f()", "self.a = self.a + await f()"]
)
def test_the_look_for_lost_updates_finds_them(source: str) -> None:
    """In each of the forms that it knows."""
    assert list(lost_updates(f"async def g(self):\n    {source}"))


def test_every_module_can_be_read_in_one_sitting() -> None:
    """250 lines at most."""
    long = {str(module.relative_to(PACKAGE)): lines for module in MODULES if (lines := lines_of(module)) > MAX_LINES}

    assert long == {}


def lines_of(module: Path) -> int:
    return len(module.read_text().splitlines())


def test_importing_the_package_loads_nothing_heavy() -> None:
    """`import pyanamo_async` costs a notebook nothing until a table is opened."""
    script = "import sys, pyanamo_async; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert HEAVY & {*loaded} == set()
