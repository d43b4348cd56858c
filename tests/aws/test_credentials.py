"""Withholding credentials, seen with the eyes of AWS's own SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyanamo_async.app.script_environment import without_credentials

KEYS = "aws_access_key_id = k\naws_secret_access_key = s\n"
SOURCES = {
    "nothing": {},
    "keys": {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"},
    "profile": {"AWS_PROFILE": "mine"},
    "files": {"AWS_SHARED_CREDENTIALS_FILE": "HOME/.aws/credentials", "AWS_CONFIG_FILE": "HOME/.aws/config"},
    "container": {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x"},
    "pod": {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/x",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "HOME/token",
    },
    "web identity": {"AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x"},
}
LOOK = """
import json, botocore.session
providers = botocore.session.Session().get_component("credential_provider").providers
found = []
for provider in providers:
    try:
        found += [provider.METHOD] if provider.load() else []
    except Exception as error:  # it tried: that is what must not happen
        found.append(f"{provider.METHOD}: {error}")
print(json.dumps(found))
"""


@pytest.mark.parametrize("source", SOURCES)
def test_the_sdk_finds_no_credentials(tmp_path: Path, source: str) -> None:
    """Wherever the worker's own come from, a home folder with keys among it, no provider finds or even tries any."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(f"[default]\n{KEYS}[mine]\n{KEYS}")
    (tmp_path / ".aws" / "config").write_text(f"[profile mine]\n{KEYS}")
    (tmp_path / "token").write_text("t")
    given = {name: value.replace("HOME", str(tmp_path)) for name, value in SOURCES[source].items()}
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **given}

    assert look(environ) != [], "the source is none"
    assert look(without_credentials(environ)) == []


def test_the_rest_of_the_environment_stays() -> None:
    """Region, endpoints and what is not AWS's at all: scripts still know where they are."""
    rest = {"AWS_REGION": "eu-west-2", "AWS_ENDPOINT_URL_S3": "http://x", "AWS_BATCH_JOB_ID": "j", "HOME": "/root"}

    assert without_credentials(rest | SOURCES["keys"]).items() >= rest.items()


def look(environ: dict[str, str]) -> list[str]:
    done = subprocess.run([sys.executable, "-c", LOOK], env=environ, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found
