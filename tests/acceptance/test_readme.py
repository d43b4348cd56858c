"""What the READMEs tell people to type exists."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import pytest

from pyanamo_async.app.settings import DEFAULT_KEY
from pyanamo_async.aws.credentials import REPLACEMENTS, WITHHELD
from tests.acceptance.program import PYANAMO, ROOT
from tests.acceptance.test_exit_codes import MEANINGS
from tests.servers.clients import client

FENCE = re.compile(r"^```(?:sh|bash|console)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
WHAT_EVERYBODY_DOES = {"import", "run", "status", "logs"}
GROUPS = {"table", "workers"}


def _typed(program: str) -> list[list[str]]:
    """List the command lines of a program in the code blocks of the READMEs, as words."""
    texts = [(ROOT / name).read_text() for name in ("README.md", "examples/README.md")]
    lines = [line.removeprefix("$ ") for text in texts for block in FENCE.findall(text) for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(f"{program} ")]


def _subcommand(words: list[str]) -> list[str]:
    return words[1:3] if words[1] in GROUPS else words[1:2]


@pytest.mark.parametrize("words", _typed("pyanamo"), ids=" ".join)
def test_a_command_line_of_the_readmes_exists(words: list[str]) -> None:
    """Its command is there, and has every flag that is shown."""
    shown = subprocess.run([PYANAMO, *_subcommand(words), "--help"], capture_output=True, text=True, check=False)

    assert shown.returncode == 0, shown.stderr
    flags = {word.partition("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)}
    assert flags <= set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", shown.stdout))


def test_the_readmes_show_the_way() -> None:
    """The two commands to begin with; importing, running, looking and reading: all are shown."""
    assert {("make", "demo"), ("make", "test")} <= {tuple(words) for words in _typed("make")}
    assert {_subcommand(words)[0] for words in _typed("pyanamo")} >= WHAT_EVERYBODY_DOES


@pytest.mark.parametrize("words", _typed("make"), ids=" ".join)
def test_a_make_target_of_the_readmes_exists(words: list[str]) -> None:
    """Make knows how it would do it."""
    targets = [word for word in words[1:] if "=" not in word]

    subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


def test_the_lifecycle_rule_is_one_that_s3_takes(bucket: str, moto_endpoint: str) -> None:
    """As it stands in the README; it covers what the default `--bucket-key` is the beginning of."""
    [rules] = re.findall(r"^```json\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    s3 = client("s3", moto_endpoint)

    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=json.loads(rules))

    [rule] = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (rule["Status"], rule["Filter"]["Prefix"]) == ("Enabled", f"{DEFAULT_KEY}/")
    assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7


def test_variables_that_are_withheld_are_in_the_readme() -> None:
    """Whoever relies on `--no-task-credentials` reads exactly what it does."""
    text = (ROOT / "README.md").read_text()

    assert [name for name in (WITHHELD | REPLACEMENTS.keys()) if f"`{name}`" not in text] == []


def test_exit_codes_are_in_the_readme() -> None:
    """The table of exit codes of `run` has all five, each with what it means."""
    rows = dict(re.findall(r"^\| *`?(\d+)`? *\|(.*)", (ROOT / "README.md").read_text(), re.MULTILINE))

    assert {status: word for status, word in MEANINGS.items() if word not in rows.get(status, "")} == {}
