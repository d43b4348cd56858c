"""What AWS Batch takes and decides, beyond the types of its API. Pure.

Sources: AWS Batch user guide, "Automated job retries", "Array jobs", "Job timeouts", "Service quotas"; API reference of
`SubmitJob` and `RegisterJobDefinition`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_RULES, MOST_ATTEMPTS = 5, 10
MOST_CHILDREN = 10_000
SUBMIT_BYTES, DEFINITION_BYTES = 30 * 1024, 24 * 1024
LONGEST_PATTERN = 512
MOST_DESCRIBED = 100
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_SHARE = re.compile(r"[A-Za-z0-9]{1,255}")
_REASON = re.compile(r"[A-Za-z0-9.:\s]*\*?")  # and white space
_EXIT_CODE = re.compile(r"[0-9]+\*?|\*")
PATTERNS = {"onStatusReason": _REASON, "onReason": _REASON, "onExitCode": _EXIT_CODE}


class Refused(Exception):
    """A `ClientException` of Batch: the request is not one that it takes."""


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ended: its exit code, why the job says so, and why the container does."""

    exit_code: int | None
    status_reason: str
    reason: str = ""


def is_retried(end: End, strategy: Mapping[str, Any], *, attempts_made: int) -> bool:
    """Return whether another attempt follows one that failed: the first rule that matches decides, none retries."""
    if attempts_made >= strategy.get("attempts", 1):
        return False
    for rule in strategy.get("evaluateOnExit", ()):
        if _matches_all(rule, end):
            return str(rule["action"]).upper() == "RETRY"
    return True


def matches(pattern: str, text: str) -> bool:
    """Return whether a text is the pattern, or begins with it where an asterisk ends it; letters match either case."""
    whole, text = pattern.casefold(), text.casefold()
    return text.startswith(whole[:-1]) if whole.endswith("*") else text == whole


def check_definition(request: Mapping[str, Any], *, size_bytes: int) -> None:
    """Refuse a definition that Batch refuses."""
    if size_bytes > DEFINITION_BYTES:
        raise Refused(f"Job definition is {size_bytes} bytes; the maximum is {DEFINITION_BYTES}")
    if not _NAME.fullmatch(request["jobDefinitionName"]):
        raise Refused(f"Invalid job definition name {request['jobDefinitionName']}")
    if ("containerProperties" in request) == ("ecsProperties" in request):
        raise Refused("Exactly one of containerProperties and ecsProperties is needed here")
    check_strategy(request.get("retryStrategy", {}))
    check_timeout(request.get("timeout", {}))


def check_submission(request: Mapping[str, Any], *, size_bytes: int, fair_share: bool, ecs: bool) -> None:
    """Refuse a job that Batch refuses for such a queue and definition."""
    if size_bytes > SUBMIT_BYTES:
        raise Refused(f"Request is {size_bytes} bytes; the maximum is {SUBMIT_BYTES}")
    if not _NAME.fullmatch(request["jobName"]):
        raise Refused(f"Job name {request['jobName']} is not letters, digits, hyphens and underscores, at most 128")
    if "arrayProperties" in request and not 2 <= request["arrayProperties"].get("size", 0) <= MOST_CHILDREN:
        raise Refused(f"Array size must be 2 to {MOST_CHILDREN}")
    if fair_share and "shareIdentifier" not in request:
        raise Refused("shareIdentifier must be specified. The job queue has a scheduling policy")
    if not fair_share and "shareIdentifier" in request:
        raise Refused("shareIdentifier must not be specified. The job queue has no scheduling policy")
    if "shareIdentifier" in request and not _SHARE.fullmatch(request["shareIdentifier"]):
        raise Refused("shareIdentifier must be letters and digits, at most 255")
    if ecs and "containerOverrides" in request:
        raise Refused("containerOverrides are not for job definitions with ecsProperties")
    if not ecs and "ecsPropertiesOverride" in request:
        raise Refused("ecsPropertiesOverride is for job definitions with ecsProperties only")
    for each in environment_of(request):
        if each.get("name", "").startswith("AWS_BATCH"):
            raise Refused("Environment variables cannot start with AWS_BATCH")
    check_strategy(request.get("retryStrategy", {}))
    check_timeout(request.get("timeout", {}))
    check_tags(request.get("tags", {}))


def environment_of(request: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Return the variables that a request overrides."""
    return [*request.get("containerOverrides", {}).get("environment", ()), *_of_tasks(request)]


def _of_tasks(request: Mapping[str, Any]) -> list[Mapping[str, str]]:
    tasks = request.get("ecsPropertiesOverride", {}).get("taskProperties", ())
    return [each for task in tasks for one in task.get("containers", ()) for each in one.get("environment", ())]


def check_strategy(strategy: Mapping[str, Any]) -> None:
    """Refuse a retry strategy that Batch refuses."""
    if not 1 <= strategy.get("attempts", 1) <= MOST_ATTEMPTS:
        raise Refused(f"attempts must be 1 to {MOST_ATTEMPTS}")
    rules: Sequence[Mapping[str, str]] = strategy.get("evaluateOnExit", ())
    if len(rules) > MOST_RULES:
        raise Refused(f"evaluateOnExit has {len(rules)} rules; the maximum is {MOST_RULES}")
    if rules and "attempts" not in strategy:
        raise Refused("attempts must be specified with evaluateOnExit")
    for rule in rules:
        if rule["action"].upper() not in {"RETRY", "EXIT"}:
            raise Refused(f"action {rule['action']} is neither RETRY nor EXIT")
        for name, form in PATTERNS.items():
            pattern = rule.get(name)
            if pattern is not None and (len(pattern) > LONGEST_PATTERN or not form.fullmatch(pattern)):
                raise Refused(f"{name} '{pattern}' has characters that patterns may not have")


def check_timeout(timeout: Mapping[str, int]) -> None:
    """Refuse a timeout below a minute."""
    if timeout and timeout.get("attemptDurationSeconds", 0) < 60:
        raise Refused("attemptDurationSeconds must be at least 60")


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse tags that nobody may set, and more than 50."""
    if len(tags) > 50 or any(key.lower().startswith("aws:") for key in tags):
        raise Refused("at most 50 tags, none of which begins with aws:")


def _matches_all(rule: Mapping[str, str], end: End) -> bool:
    seen = {
        "onStatusReason": end.status_reason,
        "onReason": end.reason,
        "onExitCode": "" if end.exit_code is None else str(end.exit_code),
    }
    asked = {name: rule[name] for name in PATTERNS if name in rule}
    return bool(asked) and all(matches(pattern, seen[name]) for name, pattern in asked.items())
