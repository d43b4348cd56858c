"""The rights in the guide suffice: every command runs against a service that grants its role no more than these."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from pyanamo_async import Selection, Table, WorkerSettings, open_table
from tests.acceptance.wire import Handler, serving
from tests.docs.pages import DOCS, codes, rows, section

PASSED_ON = {"content-type", "x-amz-crc32", "x-amzn-requestid"}  # headers
VERBS = {"INSERT": "PartiQLInsert", "UPDATE": "PartiQLUpdate", "DELETE": "PartiQLDelete", "SELECT": "PartiQLSelect"}


@contextmanager
def granting(actions: set[str], endpoint: str) -> Iterator[str]:
    """Pass on to a service what these actions of DynamoDB allow, refuse the rest, and yield the address."""
    there = urlsplit(endpoint)

    class Gate(Handler):
        def do_POST(self) -> None:  # noqa: N802 # the name is the base class's
            body = self.body()
            if denied := _actions(self.headers["X-Amz-Target"], body) - actions:
                error = {"__type": "AccessDeniedException", "Message": f"not authorized to perform {sorted(denied)}"}
                self.answer(400, {}, json.dumps(error).encode())
                return
            connection = http.client.HTTPConnection(there.netloc)
            connection.request("POST", "/", body, dict(self.headers.items()))
            reply = connection.getresponse()
            passed_on = {name: value for name, value in reply.getheaders() if name.lower() in PASSED_ON}
            self.answer(reply.status, passed_on, reply.read())
            connection.close()

    with serving(Gate) as address:
        yield address


def _actions(target: str, body: bytes) -> set[str]:
    operation = target.rpartition(".")[2]
    if operation != "BatchExecuteStatement":
        return {operation}
    return {VERBS[each["Statement"].split()[0]] for each in json.loads(body)["Statements"]}


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
            with granting(rights()[role], aws_env["AWS_ENDPOINT_URL_DYNAMODB"]) as endpoint:
                monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
                async with open_table(table, bucket=bucket) as limited:
                    await command(limited)
        await everything.drop(force=True)
