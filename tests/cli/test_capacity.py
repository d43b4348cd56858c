"""`table provision`, `on-demand`, `warm`, `autoscale` and `export-template`, on DynamoDB Local and moto."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from harness.servers.clients import client
from tests.cli.conftest import Cli
from tests.cli.original_laws import TABLE
from tests.cli.test_from_pyanamo import ON_AWS
from tests.docs.pages import codes


@pytest.fixture
def dynamo(cli: Cli, table: str, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A table on DynamoDB Local, which refuses units that are as they were; Application Auto Scaling is moto's."""
    for name, value in (aws_env | {"PYANAMO_TABLE": table}).items():
        monkeypatch.setenv(name, value)
    assert cli("table", "create").status == 0
    return cli


def test_a_table_is_provisioned_with_its_index_and_back(dynamo: Cli) -> None:
    """Repeated, nothing is changed; what holds then is shown each time."""
    first, again = (dynamo("table", "provision", "--read", "5", "--write", "6") for _ in range(2))
    more = dynamo("table", "provision", "--read", "5", "--write", "7")
    back, stays = (dynamo("table", "on-demand") for _ in range(2))

    assert [first.out, again.out, more.out] == [
        f"part\treads/s\twrites/s\twarm reads/s\twarm writes/s\ntable\t5\t{n}\t\t\nQueueIndex\t5\t{n}\t\t\n"
        for n in (6, 6, 7)
    ]
    assert ["nothing was changed" in each.err for each in (first, again, more, back, stays)] == [0, 1, 0, 0, 1]
    assert "at most four times in 24 hours" in back.err
    assert "billed on demand" in stays.err


def test_autoscale_shows_what_it_registered(dynamo: Cli, table: str, moto_endpoint: str) -> None:
    """On demand it is refused, by the command that comes first; repeated, it says the same."""
    flags = ("--min", "2", "--max", "70", "--target", "40", "--in-cooldown", "60s", "--out-cooldown", "30s")
    refused = dynamo("table", "autoscale", *flags)
    dynamo("table", "provision", "--read", "5", "--write", "5")
    first, again = (dynamo("table", "autoscale", *flags, "--json").json() for _ in range(2))
    lines = dynamo("table", "autoscale", *flags).out.splitlines()

    assert (refused.status, refused.out) == (2, "")
    assert "`pyanamo table provision`" in refused.err
    assert first == again
    assert first[0] == {
        "policy": f"{table}_Write_Capacity_Scaling",
        "index": None,
        "operation": "write",
        "min": 2,
        "max": 70,
        "target_percent": 40.0,
        "in_cooldown_seconds": 60.0,
        "out_cooldown_seconds": 30.0,
    }
    assert {line.split("\t")[0] for line in lines[1:]} == {each["policy"] for each in first}
    targets = client("application-autoscaling", moto_endpoint).describe_scalable_targets(
        ServiceNamespace="dynamodb", ResourceIds=[f"table/{table}", f"table/{table}/index/QueueIndex"]
    )["ScalableTargets"]
    assert {(each["MinCapacity"], each["MaxCapacity"]) for each in targets} == {(2, 70)}
    assert len(targets) == 4


def test_errors_name_the_flags(dynamo: Cli) -> None:
    """And not the arguments of the API."""
    assert "--max is 1, less than --min" in dynamo("table", "autoscale", "--min", "5", "--max", "1").err
    assert "--write is 0" in dynamo("table", "provision", "--read", "1", "--write", "0").err
    assert "neither --read nor --write" in dynamo("table", "warm").err


def test_a_table_is_warmed_and_exported(
    cli: Cli, table: str, aws_env: dict[str, str], moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As YAML, and as JSON of the same content."""
    for name, value in (aws_env | {"PYANAMO_TABLE": table, "AWS_ENDPOINT_URL_DYNAMODB": moto_endpoint}).items():
        monkeypatch.setenv(name, value)
    created = cli("table", "create", "--tag", "project=genomes", "--deletion-protection")
    assert created.status == 0, created.err

    warmed = cli("table", "warm", "--write", "20000")
    exported = cli("table", "export-template")

    assert warmed.out.splitlines()[1].split("\t")[-1] == "20000"
    template = cli("table", "export-template", "--json").json()
    assert yaml.safe_load(exported.out) == template
    properties = template["Resources"]["Table"]["Properties"]
    assert properties["Tags"] == [{"Key": "project", "Value": "genomes"}]
    assert properties["DeletionProtectionEnabled"] is True


@pytest.mark.parametrize(
    "command",
    [
        ("provision", "--read", "1", "--write", "1"),
        ("on-demand",),
        ("warm", "--write", "1"),
        ("autoscale", "--max", "9"),
        ("export-template",),
    ],
)
def test_capacity_is_for_dynamodb(cli: Cli, command: tuple[str, ...]) -> None:
    """A SQLite table has none, and says so."""
    cli("table", "create")

    said = cli("table", *command)

    assert (said.status, said.out) == (2, "")
    assert said.err == "pyanamo: table sqlite:pyanamo.db has no capacity. hint: that is for DynamoDB tables only\n"


def test_a_table_with_the_indexes_of_the_original_is_scaled_as_it_was(
    dynamo: Cli, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are provisioned, and the policies have the names that its manager gave them."""
    theirs = {"ItemStateIndex": "ItemState", "LoggingIndex": "Log_Length"}
    indexes = [
        {
            "IndexName": name,
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
            "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        }
        for name, key in theirs.items()
    ]
    (tmp_path / "indexes.json").write_text(json.dumps({"GlobalSecondaryIndexes": indexes}))
    monkeypatch.setenv("PYANAMO_TABLE", f"{table}-2")
    dynamo("table", "create", "--indexes", "indexes.json")

    provisioned = dynamo("table", "provision", "--read", "5", "--write", "6").out.splitlines()[1:]
    registered = dynamo("table", "autoscale", "--max", "70", "--json").json()

    assert [line.split("\t")[:3] for line in provisioned] == [
        [part, "5", "6"] for part in ("table", *theirs, "QueueIndex")
    ]
    assert {each["policy"] for each in registered} == {
        f"{table}-2{index}_{kind}_Capacity_Scaling"
        for index in ("", "_QueueIndex", *(f"_{name}" for name in theirs))
        for kind in ("Read", "Write")
    }


def test_the_commands_beside_the_methods_of_the_original_do_what_those_did(dynamo: Cli) -> None:
    """As the page for its users shows them: the units that its tutorial asks for, and how they are scaled."""
    commands = {row[0]: [shlex.split(code)[1:] for code in codes(row[2])] for row in TABLE if row[0] in ON_AWS}
    [jobs], [provision], [autoscale] = (commands[row] for row in ON_AWS)

    assert dynamo(*jobs).json() == []
    assert [line.split("\t")[1:3] for line in dynamo(*provision).out.splitlines()[1:]] == [["70", "70"]] * 2
    policies = dynamo(*autoscale).json()
    assert len(policies) == 4
    assert {(each["max"], each["target_percent"]) for each in policies} == {(70, 40.0)}
    assert {(each["in_cooldown_seconds"], each["out_cooldown_seconds"]) for each in policies} == {(60.0, 60.0)}
