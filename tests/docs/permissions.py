"""Write `docs/guide/permissions.md`: what each role of the stack may do, and the calls that need it.

`python -m tests.docs.permissions`, as `make docs` does; `tests/container/test_permissions.py` recorded the calls.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.container.rights import RECORDING, UNPROVEN, actions, policies, statements
from tests.container.stack import properties
from tests.docs.pages import DOCS

PAGE = DOCS / "guide" / "permissions.md"
HEAD = """\
# Permissions

What the roles of [the stack](../reference/stack.md) may do, and why. Each role ran behind a gate that refuses what its
policy does not allow, on the table, the index or the path that a call names: no right is missing. And each action here
was needed by a call that was recorded there, or stands under *Not recorded*: no right is there for nothing.

What such a recording cannot show:

- No emulator checks keys. That a key of yours needs these actions is what AWS says.
- Conditions (`kms:ViaService`), trust policies, AWS's own `AmazonEC2ContainerServiceforEC2Role` of the instances, and
  the role that Batch makes for itself (`AWSServiceRoleForBatch`).
- Without `s3:ListBucket` S3 answers 403 for an object that is not there, where it would say 404.

Rights for tables that the stack did not make are [on another page](aws.md#rights).
"""


def page() -> str:
    """Return the page."""
    recorded = json.loads(RECORDING.read_text())
    parts = [HEAD]
    for policy in sorted(policies(), key=lambda name: (name not in recorded, name)):
        parts.append(f"\n## {policy}\n\n{properties(policy)['Description']}.\n")
        rows = list(_rows(policy, recorded.get(policy, [])))
        if proven := [row for row in rows if row[2]]:
            parts.append(_table(("action", "on", "calls that need it"), proven))
        if others := [(action, on, UNPROVEN[policy, sid]) for action, on, calls, sid in rows if not calls]:
            parts.append("\nNot recorded:\n" if proven else "")
            parts.append(_table(("action", "on", "who calls it"), others))
    return "\n".join(part.rstrip("\n") for part in parts if part).replace("\n\n\n", "\n\n") + "\n"


def _rows(policy: str, recorded: list[list[str]]) -> Iterator[tuple[str, str, str, str]]:
    for each in statements(policy, table="TABLE", bucket="BUCKET", stack="STACK"):
        for action in actions(each):
            calls = [f"`{call}`" for sid, of_action, call in recorded if (sid, of_action) == (each["Sid"], action)]
            yield f"`{action}`", _on(each["Resource"]), ", ".join(calls), each["Sid"]


def _on(resource: str | list[str]) -> str:
    arns = [resource] if isinstance(resource, str) else resource
    return ", ".join(f"`{arn.split(':', 5)[-1]}`" for arn in arns)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *(row[: len(head)] for row in rows)]
    return "\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
