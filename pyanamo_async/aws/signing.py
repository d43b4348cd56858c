"""Sign a request by AWS's Signature Version 4, for the one kind there is here: a POST to `/` with a body of bytes.

botocore's own signs anything, by objects of the email package, and derives the key of the day anew each time: a tenth
of a millisecond. A test holds that both sign alike. Source: "Create a signed AWS API request" in the IAM User Guide.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from botocore.auth import SIGNED_HEADERS_BLACKLIST

ALGORITHM = "AWS4-HMAC-SHA256"
FEW = 8  # credentials and days at a time


def signed(
    headers: Mapping[str, str],
    body: bytes,
    *,
    scope: tuple[str, str, str],
    credentials: Any,  # noqa: ANN401 - botocore's, frozen
    at: datetime,
) -> dict[str, str]:
    """Complete the headers of a request to `scope` (host, region, service), `at` a moment in UTC."""
    host, region, service = scope
    moment = f"{at:%Y%m%dT%H%M%SZ}"
    day = moment[:8]
    told = {**headers, "X-Amz-Date": moment}
    if credentials.token:
        told["X-Amz-Security-Token"] = credentials.token
    lines = {name.lower(): " ".join(value.split()) for name, value in told.items()}
    lines = {name: value for name, value in lines.items() if name not in SIGNED_HEADERS_BLACKLIST} | {"host": host}
    names = ";".join(sorted(lines))
    listed = "".join(f"{name}:{lines[name]}\n" for name in sorted(lines))
    canonical = f"POST\n/\n\n{listed}\n{names}\n{sha256(body).hexdigest()}"
    where = f"{day}/{region}/{service}/aws4_request"
    text = f"{ALGORITHM}\n{moment}\n{where}\n{sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(_key(credentials.secret_key, day, region, service), text.encode(), "sha256").hex()
    told["Authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key}/{where}, SignedHeaders={names}, Signature={signature}"
    )
    return told


@lru_cache(maxsize=FEW)
def _key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
