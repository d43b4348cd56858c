"""The rights in the guide suffice: every command runs against a service that grants its role no more than these."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest

from harness.gate import Gate, gated
from pyanamo_async import Selection, Table, WorkerSettings, open_table
from tests.docs.pages import DOCS, codes, rows, section

DYNAMODB = "AWS_ENDPOINT_URL_DYNAMODB"
VERBS = {"INSERT": "PartiQLInsert", "UPDATE": "PartiQLUpdate", "DELETE": "PartiQLDelete"}


def rights() -> dict[str, set[str]]:
    """Return the actions of each role, by the guide."""
    found: dict[str, set[str]] = {}
    for role, _, actions in rows(section(DOCS / "guide" / "aws.md", "Rights")):
        if named := {each for each in codes(actions) if each[0].isupper()}:
            base = re.match(r"of an? ([a-z ]+), and", actions)
            found.setdefault(role, named | (found[base[1]] if base else set()))
    return found


async def read(table: Table) -> None:
    await table.status()
    assert [each async for each in table.items()]
    await table.item("a")
    assert await (await table.logs("b")).text()
    await table.workers()
    await table.describe()


async def read_results(table: Table) -> None:
    assert [row async for row in table.trace()]
    assert not [row async for row in table.results()]
    assert [found async for found in table.all_logs(Selection(where="exit == 0"))]


async def work(table: Table) -> None:
    assert (await table.run(WorkerSettings(items=4))).exit_status == 0


async def operate(table: Table) -> None:
    await table.order("drain", all_workers=True)
    await table.reclaim()
    await table.adopt()
    assert not [each async for each in table.doctor()]


async def plan(table: Table) -> None:
    assert await table.provision(read=5, write=5)
    assert await table.bill_on_demand()


async def import_items(table: Table) -> None:
    await table.add([an_item(name) for name in "defghijk"])
    await table.add([an_item(name) for name in "abcdefgh"], on_exists="replace")


COMMANDS: dict[str, Callable[[Table], Awaitable[object]]] = {  # in an order in which each leaves the next something
    "reader": read,
    "reader of results": read_results,
    "worker": work,
    "operator": operate,
    "importer": import_items,
    "planner": plan,
    "remover": lambda table: table.drop(force=True),
    "creator": import_items,
}


def an_item(name: str) -> dict[str, str]:
    return {"itemID": name, "TaskID": "s", "TaskScript": "seq 10000" if name == "b" else f"echo {name}"}


async def test_the_rights_of_a_role_suffice(
    table: str, bucket: str, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For all that its commands do: an importer adds to a table that exists, a creator to one that does not."""
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    async with open_table(table, bucket=bucket) as everything:
        await everything.add([an_item(name) for name in "abc"])
        await everything.run()
        await everything.add([an_item(name) for name in "defghijk"])
        for role, command in COMMANDS.items():
            allowed = rights()[role]
            gate = Gate(lambda call, allowed=allowed: VERBS.get(call.verb, call.operation) in allowed)  # type: ignore[misc]
            with gated({DYNAMODB: aws_env[DYNAMODB]}, gate) as gates:
                monkeypatch.setenv(DYNAMODB, gates[DYNAMODB])
                async with open_table(table, bucket=bucket) as limited:
                    await command(limited)
        await everything.drop(force=True)
