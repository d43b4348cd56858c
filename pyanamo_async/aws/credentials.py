"""Keep the worker's AWS credentials out of the environment of its scripts.

No variable that is passed on holds credentials or leads AWS's tools to any: of a container, a role, a profile, a file
or the instance. This is no sandbox: a script runs as the worker's own user and can read what the worker can.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

WITHHELD = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
    }
)
REPLACEMENTS = {
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def without_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without credentials, in which AWS's tools find none by themselves.

    Source: "Standardized credential providers" in the AWS SDKs and Tools Reference Guide.
    """
    return {name: value for name, value in environ.items() if name not in WITHHELD} | REPLACEMENTS
