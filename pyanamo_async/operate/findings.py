"""What the doctor may find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pyanamo_async.ports import UnfinishedOutput

CLOCK_HINT = "set it by NTP (chrony, systemd-timesyncd); times in the table are as wrong"


class FindingKind(StrEnum):
    """What may be wrong."""

    REGION = "region missing"
    CREDENTIALS = "credentials missing"
    TABLE = "table missing"
    TABLE_ROW = "table row missing"
    READ_ONLY = "table not writable"
    INDEX = "index not ready"
    RIGHT = "right missing"
    BUCKET = "bucket missing"
    OUTPUT_DENIED = "output not writable"
    BUCKET_REGION = "bucket elsewhere"
    KEY = "key denied"
    LIFECYCLE = "uploads never aborted"
    DEFINITION = "job definition missing"
    RULE_ORDER = "retry rules out of order"
    RULE = "retry rule missing"
    TIMEOUT = "attempt too short"
    STOP_TIMEOUT = "killed too early"
    IMAGE = "image missing"
    IMAGE_SIZE = "image large"
    QUEUE = "queue unusable"
    QUOTA = "quota small"
    UNCHECKED = "not checked"
    WORKER = "worker vanished"
    ORPHANS = "worker unknown"
    ROW = "row unreadable"
    STATE = "state unknown"
    WORKER_ROW = "worker unreadable"
    FOREIGN = "rows to adopt"
    OUTPUT = "output unfinished"
    CHECKPOINT = "checkpoint orphaned"
    CLOCK = "clock wrong"
    TOO_LARGE = "items too large"
    LAST = "last attempts left"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong or left behind: what, since when, and what to do about it; nothing once it was `removed`.

    `since` is None when it is unknown.
    """

    kind: FindingKind
    what: str
    since: datetime | None
    hint: str
    unfinished: UnfinishedOutput | None = None
    removed: bool = False
