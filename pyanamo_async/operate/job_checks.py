"""Judge a job definition and a queue by what workers need of AWS Batch. Pure.

1. What capacity did to a worker, and exit status 75, is retried; a worker's own failure is not.
2. Of the rules the first that fits decides, and without one that fits Batch retries: so it is asked what they decide
   together, not how they are written.
3. Batch ends no attempt before the worker's wall time, and kills none before it has ended itself.

Sources: "Automated job retries" and "Job timeouts" in the AWS Batch User Guide. `stopTimeout` is 30 s where nobody says
otherwise (`ContainerDefinition` in the ECS API reference).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from pyanamo_async.core.text.durations import parse_duration, show_duration
from pyanamo_async.core.values import Value
from pyanamo_async.core.workers import ends_within
from pyanamo_async.operate.findings import Finding, FindingKind
from pyanamo_async.ports.platform import FARGATE, FARGATE_SPOT, Image, JobDefinition, JobQueue, RetryRule

USUAL_STOP_TIMEOUT = timedelta(seconds=30)
USUAL_GRACE = timedelta(seconds=20)  # of `run`
LARGE_BYTES = 1 << 30
ONE_ATTEMPT = 1
SAME_PLATFORM = "give a definition and a queue of the same platform"
RULES_HINT = "give the definition the five rules of the guide, in their order (docs/guide/aws.md, AWS Batch)"


class End(Value):
    """How a job may end, and whether another attempt should follow."""

    what: str
    retried: bool
    status_reason: str
    reason: str = ""
    exit_code: str = ""


ENDS = (
    End("an instance that Spot took", True, "Host EC2 (instance i-0123456789abcdef0) terminated."),
    End("a Fargate task that Spot took", True, "Your Spot Task was interrupted."),
    End("a container that could not start", True, "Task failed to start", "CannotPullContainerError"),
    End("exit status 75 (interrupted, with work left)", True, "Essential container in task exited", exit_code="75"),
    End("exit status 1 (the worker itself failed)", False, "Essential container in task exited", exit_code="1"),
)


def check_definition(definition: JobDefinition) -> Iterator[Finding]:
    """Find what is wrong with a job definition by itself."""
    yield from _check_rules(definition)
    yield from _check_attempt_limit(definition)
    grace = _setting(definition, "PYANAMO_GRACE") or USUAL_GRACE
    needed, given = ends_within(grace), definition.stop_timeout or USUAL_STOP_TIMEOUT
    if given < needed:
        what = f"{definition.name} is killed {show_duration(given)} after SIGTERM, and with a grace of"
        what += f" {show_duration(grace)} a worker ends within {show_duration(needed)}"
        hint = "raise stopTimeout (to 120 s, in a definition with ecsProperties), or lower `grace`"
        yield Finding(FindingKind.STOP_TIMEOUT, what, None, hint)


def _check_rules(definition: JobDefinition) -> Iterator[Finding]:
    if definition.attempts <= ONE_ATTEMPT:
        what, hint = f"{definition.name} has one attempt: nothing is retried", "set retryStrategy.attempts to 10"
        yield Finding(FindingKind.RULE, what, None, hint)
    for end in ENDS:
        decider, fitting = decision(definition.rules, end), [each for each in definition.rules if _fits(each, end)]
        if decider == end.retried:
            continue
        decided = "retries" if decider else "does not retry"
        kind = FindingKind.RULE_ORDER if any(each.retries == end.retried for each in fitting) else FindingKind.RULE
        yield Finding(kind, f"{definition.name} {decided} {end.what}", None, RULES_HINT)


def decision(rules: tuple[RetryRule, ...], end: End) -> bool:
    """Return whether Batch retries after such an end, while attempts are left."""
    return next((each.retries for each in rules if _fits(each, end)), True)


def _fits(rule: RetryRule, end: End) -> bool:
    pairs = (
        (rule.on_status_reason, end.status_reason),
        (rule.on_reason, end.reason),
        (rule.on_exit_code, end.exit_code),
    )
    return all(pattern is None or _matches(pattern, text) for pattern, text in pairs)


def _matches(pattern: str, text: str) -> bool:
    pattern, text = pattern.casefold(), text.casefold()
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def _check_attempt_limit(definition: JobDefinition) -> Iterator[Finding]:
    limit, wall_time = definition.attempt_limit, _setting(definition, "PYANAMO_WALL_TIME")
    if limit is None or (wall_time is not None and wall_time < limit):
        return
    knows = f"has a wall time of {show_duration(wall_time)}" if wall_time else "knows no wall time"
    what = f"{definition.name} ends an attempt after {show_duration(limit)}, and its worker {knows}"
    hint = "set a wall time (PYANAMO_WALL_TIME) below it, or raise timeout.attemptDurationSeconds: Batch never retries"
    yield Finding(FindingKind.TIMEOUT, what, None, f"{hint} what it timed out")


def _setting(definition: JobDefinition, variable: str) -> timedelta | None:
    """Return a duration that a definition gives its worker, by a variable or the flag of its name, or None."""
    flag = "--" + variable.removeprefix("PYANAMO_").lower().replace("_", "-")
    words, text = definition.command, definition.environment.get(variable, "")
    for number, word in enumerate(words):
        if word.startswith(f"{flag}="):
            text = word.partition("=")[2]
        elif word == flag:
            text = "".join(words[number + 1 : number + 2])
    try:
        return parse_duration(text) if text else None
    except ValueError:
        return None


def check_image(definition: JobDefinition, image: Image | None) -> Iterator[Finding]:
    """Find an image that is not there, or that Fargate would pull for minutes."""
    if image is None:
        hint = f"build and push it: container/push {definition.image}"
        yield Finding(FindingKind.IMAGE, f"{definition.image} of {definition.name} does not exist", None, hint)
    elif image.size_bytes > LARGE_BYTES and FARGATE in definition.platforms:
        what = f"{definition.image} has {image.size_bytes / 1e9:.1f} GB, which Fargate pulls for each worker"
        yield Finding(FindingKind.IMAGE_SIZE, what, None, "make it smaller, or use EC2, which keeps images")


def check_queue(queue: JobQueue, definition: JobDefinition | None) -> Iterator[Finding]:
    """Find a queue that starts nothing, or nothing of this definition."""
    if queue.problem:
        yield Finding(FindingKind.QUEUE, f"{queue.name}: {queue.problem}", None, "enable it, and mend what it names")
    if definition and (what := mismatch(queue, definition)):
        yield Finding(FindingKind.QUEUE, what, None, SAME_PLATFORM)


def mismatch(queue: JobQueue, definition: JobDefinition) -> str:
    """Return a sentence on a queue and a definition of different platforms; empty if they are of the same."""
    of_fargate = {*queue.kinds} <= {FARGATE, FARGATE_SPOT}
    if not queue.kinds or (FARGATE if of_fargate else "EC2") in definition.platforms:
        return ""
    return f"{queue.name} has {', '.join(queue.kinds)}, and {definition.name} is for {', '.join(definition.platforms)}"


def check_quota(queue: JobQueue, kind: str, cpus: float | None) -> Iterator[Finding]:
    """Find a quota of the account below what a queue may ask for."""
    if cpus is not None and cpus < queue.max_cpus:
        what = f"the account may use {cpus:g} CPUs on {kind}, and {queue.name} asks for up to {queue.max_cpus}"
        yield Finding(
            FindingKind.QUOTA, what, None, "ask for more in Service Quotas (AWS Fargate), or expect no more workers"
        )
