"""Hold an item, so that no worker claims it, and let it go as it was.

1. A held item is `Pending`, and keeps in `held` what it was. Holding it again changes only the reason.
2. An item that is done cannot be held.
"""

from __future__ import annotations

from datetime import datetime

from pyanamo_async.core.items import Held, Item, State
from pyanamo_async.core.reasons import HISTORY_LENGTH, latest, with_reason
from pyanamo_async.core.values import replace


def hold(item: Item, *, now: datetime, token: str | None = None, why: str = "") -> Item:
    """Hold an item that no worker holds; `why` becomes its reason. `token` tells this order from others.

    An item in which there is nothing to change is returned as it is.
    """
    reason = latest(item, why) or item.reason
    if item.state is State.DONE or (item.state is State.PENDING and reason == item.reason):
        return item
    token = item.token if token is None else token
    if item.state is State.PENDING:
        return with_reason(replace(item, token=token), why)
    return replace(
        item,
        state=State.PENDING,
        held=Held(item.state, item.not_before, item.done_at, item.reason),
        token=token,
        not_before=None,
        done_at=now,
        reason=reason,
    )


def unhold(item: Item, *, token: str | None = None, why: str = "") -> Item:
    """Return a held item to what it was; why it was held goes into its history, and `why` becomes the reason.

    An item that is not held is returned as it is.
    """
    if item.state is not State.PENDING:
        return item
    was = item.held or Held(reason=item.reason)
    older = (*item.history, item.reason) if item.reason != was.reason else item.history
    freed = replace(
        item,
        state=was.state,
        held=None,
        token=item.token if token is None else token,
        not_before=was.not_before,
        done_at=was.done_at,
        reason=was.reason,
        history=older[-HISTORY_LENGTH:],
    )
    return with_reason(freed, why) if why else freed
