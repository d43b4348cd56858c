"""How output is stored: what a caller asks for, validated once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from pyanamo_async.core.arguments import check_fields
from pyanamo_async.core.text.durations import show_duration
from pyanamo_async.errors import UsageError

_LOG_GROUP = re.compile(r"[A-Za-z0-9_./#-]{1,512}")
_ENCRYPTION = re.compile(r"AES256|aws:kms(:dsse)?(:(?!dsse:?$)[^:].*)?")
_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""What PutRetentionPolicy takes. Source: Amazon CloudWatch Logs API reference."""


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """How a worker stores output.

    `spool_bytes` is the memory for output under way. `sse` encrypts objects in a bucket: `AES256`, `aws:kms`,
    `aws:kms:KEY`, `aws:kms:dsse`, `aws:kms:dsse:KEY`, or empty for the bucket's own rule.

    With `cloudwatch`, output of 2 KB to 10 MB goes to that group of CloudWatch Logs; empty means the table's own group,
    None means no CloudWatch Logs. A group that a worker has to create keeps events for `cloudwatch_retention`, by
    default for ever.

    Of each stream of a task `max_output_bytes` are stored, None for all; what fits the record is always kept.

    Raises:
        UsageError: `sse` is no encryption of S3, `cloudwatch` no name of a log group, or `cloudwatch_retention` no time
            that CloudWatch Logs keeps events for.
    """

    spool_bytes: int = 64 << 20
    sse: str = ""
    cloudwatch: str | None = None
    cloudwatch_retention: timedelta | None = None
    max_output_bytes: int | None = None

    def __post_init__(self) -> None:
        """Check types and names."""
        check_fields(self)
        for name in ("spool_bytes", "max_output_bytes"):
            if (getattr(self, name) or 0) < 0:
                raise UsageError(f"`{name}` is negative", hint="give at least 0")
        if self.sse and not _ENCRYPTION.fullmatch(self.sse):
            raise UsageError(f"`sse` '{self.sse}' is no encryption of S3", hint="aws:kms, aws:kms:dsse or AES256")
        if self.cloudwatch:
            check_log_group(self.cloudwatch)
        if self.cloudwatch_retention is not None:
            _check_retention(self.cloudwatch_retention, is_used=self.cloudwatch is not None)


def check_log_group(name: str) -> None:
    """Raise `UsageError` for what is no name of a log group."""
    if not _LOG_GROUP.fullmatch(name):
        raise UsageError(
            f"`cloudwatch` '{name}' is no name of a log group",
            hint="give up to 512 letters, digits, '_', '-', '/', '.', '#'",
        )


def _check_retention(span: timedelta, *, is_used: bool) -> None:
    if not is_used:
        raise UsageError("`cloudwatch_retention` has no effect without `cloudwatch`", hint="give both, or leave it out")
    if span not in {timedelta(days=days) for days in _RETENTION_DAYS}:
        raise UsageError(
            f"`cloudwatch_retention` is {show_duration(span)}, which CloudWatch Logs does not offer",
            hint=f"give one of these numbers of days: {', '.join(map(str, _RETENTION_DAYS))}",
        )
