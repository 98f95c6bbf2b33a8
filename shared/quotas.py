"""How often something may be done for a tenant: counted in Postgres, to hold without Redis."""

from enum import StrEnum
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

MOST_A_MINUTE: Final = 10


class Action(StrEnum):
    """What is counted, each for itself."""

    PREVIEW = "preview"
    TEST_CALL = "test_call"


# The row keeps the times of the last few uses, oldest first: when it is full and the oldest is
# younger than a minute, it is too early. The clock is read under the row's lock.
_USE = text("""
    INSERT INTO hubspot_quotas AS q (user_id, workspace_id, action, used_at)
    VALUES (:user_id, :workspace_id, :action, ARRAY[clock_timestamp()])
    ON CONFLICT (user_id, workspace_id, action) DO UPDATE
    SET used_at = (q.used_at || clock_timestamp())
                      [greatest(cardinality(q.used_at) + 2 - :most, 1):]
    WHERE cardinality(q.used_at) < :most
       OR q.used_at[1] < clock_timestamp() - interval '1 minute'
    RETURNING true
""")

_WAIT = text("""
    SELECT greatest(extract(epoch FROM used_at[1] + interval '1 minute' - clock_timestamp()), 0)
    FROM hubspot_quotas
    WHERE user_id = :user_id AND workspace_id = :workspace_id AND action = :action
""")


def use_quota(session: Session, action: Action, *, user_id: str, workspace_id: str) -> float | None:
    """Use one of the `MOST_A_MINUTE` times that the tenant has in any minute.

    Returns:
        None if it may go on; else the seconds until it may, and nothing was used.
    """
    which = {"user_id": user_id, "workspace_id": workspace_id, "action": action}
    if session.execute(_USE, {**which, "most": MOST_A_MINUTE}).scalar_one_or_none():
        return None
    return float(session.execute(_WAIT, which).scalar_one())
