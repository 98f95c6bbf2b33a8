"""A call that has ended stays as it is: Postgres itself refuses what would still happen to it."""

from typing import Any, Final

import pytest
from sqlalchemy import func
from sqlalchemy.exc import IntegrityError

from shared.database.engines import Database
from tests.queue.tenants import HUB, Tenant

NOTE: Final[dict[str, Any]] = {"hub_id": HUB, "contact_id": "7"}
SUCCESS: Final[dict[str, Any]] = NOTE | {"status": "success", "next_attempt_at": None}
CLAIM: Final[dict[str, Any]] = {
    "claimed_by": "t",
    "claimed_until": func.now(),
    "claim_size": 1,
}
FAILED: Final[dict[str, Any]] = {
    "status": "error",
    "error_code": "rejected_by_hubspot",
    "error_message": "x",
    "next_attempt_at": None,
}


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        (SUCCESS | {"last_write_at": func.now()}, "success_is_settled"),
        (SUCCESS | {"suspect_size": 1}, "success_is_settled"),
        (SUCCESS | CLAIM, "(success_is_settled|claimed_is_due)"),
        (FAILED | {"next_attempt_at": func.now()}, "terminal_error"),
        (FAILED | CLAIM, "claimed_is_due"),
    ],
)
def test_nothing_more_happens_to_a_call_that_has_ended(
    database: Database, columns: dict[str, Any], constraint: str
) -> None:
    tenant = Tenant(database)
    (log_id,) = tenant.store()
    if columns["status"] == "success":
        columns = columns | {"engagement_id": log_id}
    with pytest.raises(IntegrityError, match=f'"ck_hubspot_sync_logs_{constraint}"'):
        tenant.change([log_id], **columns)


@pytest.mark.parametrize(
    "columns", [SUCCESS, FAILED, FAILED | NOTE | {"last_write_at": func.now()}]
)
def test_call_may_end(database: Database, columns: dict[str, Any]) -> None:
    tenant = Tenant(database)
    (log_id,) = tenant.store()
    if columns["status"] == "success":
        columns = columns | {"engagement_id": log_id}
    tenant.change([log_id], **columns)
    assert tenant.log(log_id).status == columns["status"]
