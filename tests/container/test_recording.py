"""The recording of what each role does, against all that the stack allows, and the page that is written from it."""

from __future__ import annotations

import json

from tests.container.rights import RECORDING, UNPROVEN, actions, policies, statements
from tests.docs import permissions


def test_no_role_is_allowed_what_no_call_needs() -> None:
    """Each action of each statement was recorded, or its statement is named as unproven, and not both."""
    recorded = {
        (role, sid, action) for role, calls in json.loads(RECORDING.read_text()).items() for sid, action, _ in calls
    }
    allowed = {
        (policy, each["Sid"], action)
        for policy in policies()
        for each in statements(policy, table="t", bucket="b", stack="s")
        for action in actions(each)
    }

    assert {each for each in allowed if each[:2] not in UNPROVEN} == recorded
    assert {*UNPROVEN} <= {each[:2] for each in allowed}


def test_the_page_says_what_was_recorded() -> None:
    """`make docs` writes it."""
    assert permissions.PAGE.read_text() == permissions.page()
