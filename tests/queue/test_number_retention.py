"""Numbers leave the log when their time is over, but never those of calls that are not settled."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, text

from shared.models import Attempt, Call, Stray
from shared.privacy import retention
from shared.privacy.retention import forget_numbers
from tests.queue.tenants import HUB, STARTED_AT, Tenant, ago

DAYS = 60
OLD = timedelta(days=DAYS + 1).total_seconds()
DONE: dict[str, Any] = {
    "status": "success",
    "hub_id": HUB,
    "contact_id": "7",
    "engagement_id": "9",
    "next_attempt_at": None,
}


def failed(code: str, message: str = "x") -> dict[str, Any]:
    return {
        "status": "error",
        "error_code": code,
        "error_message": message,
        "next_attempt_at": None,
    }


def settle(tenant: Tenant, *, age: float = OLD, keeps_content: bool = False, **columns: Any) -> str:
    (log_id,) = tenant.store(created_at=ago(age), **columns)
    if not keeps_content:
        with tenant.database.begin() as session:
            session.execute(delete(Call).where(Call.log_id == log_id))
    return log_id


def forget(tenant: Tenant) -> int:
    with tenant.database.begin() as session:
        return forget_numbers(session, days=DAYS)


@pytest.mark.parametrize("columns", [DONE, failed("contact_not_found"), failed("poison")])
def test_old_number_is_removed_and_the_entry_stays(tenant: Tenant, columns: dict[str, Any]) -> None:
    log_id = settle(tenant, **columns)
    assert forget(tenant) == 1
    log = tenant.log(log_id)
    assert (log.phone_number, log.status, log.error_code) == (
        None,
        columns["status"],
        columns.get("error_code"),
    )
    assert forget(tenant) == 0


@pytest.mark.parametrize("code", ["rejected_by_hubspot", "invalid_phone_number"])
def test_messages_that_may_quote_it_go_too(tenant: Tenant, code: str) -> None:
    log_id = settle(tenant, **failed(code, "***0123 of Mildred"))
    with tenant.database.begin() as session:
        for each in (code, "network_error"):
            session.execute(
                insert(Attempt).values(
                    log_id=log_id,
                    started_at=STARTED_AT,
                    duration_ms=1,
                    outcome="error",
                    error_code=each,
                    message=f"{each} 0123",
                )
            )
    forget(tenant)
    assert tenant.log(log_id).error_message == retention.NUMBER_FORGOTTEN_MESSAGE
    messages = [each.message for each in tenant.attempts(log_id)]
    assert messages == [None, "network_error 0123"]


@pytest.mark.parametrize(
    "columns",
    [
        {"age": OLD - 3 * 86_400, **DONE},
        {"keeps_content": True, **failed("network_error")},
        {},  # waits
        {"status": "skipped", "error_code": "contact_not_found", "error_message": "x"},
        failed("unconfirmed") | {"hub_id": HUB, "contact_id": "7", "last_write_at": func.now()},
    ],
    ids=["young", "content is kept", "waits", "is looked up again", "in doubt"],
)
def test_number_stays_while_it_is_needed(tenant: Tenant, columns: dict[str, Any]) -> None:
    log_id = settle(tenant, **columns)
    assert forget(tenant) == 0
    assert tenant.log(log_id).phone_number == "+12025550123"


@pytest.mark.parametrize("stray", [{"contact_id": "7"}, {"activity_id": "n"}])
def test_number_stays_while_a_note_of_the_call_may_turn_up(
    tenant: Tenant, stray: dict[str, str]
) -> None:
    log_id = settle(tenant, **DONE)
    with tenant.database.begin() as session:
        session.execute(insert(Stray).values(log_id=log_id, hub_id=HUB, **stray))
    assert forget(tenant) == 0


def test_batches_are_bounded_and_go_on_where_the_last_one_ended(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOST_AT_ONCE", 2)
    for _ in range(5):
        settle(tenant, **failed("poison"))
    assert [forget(tenant) for _ in range(4)] == [2, 2, 1, 0]


def test_rounds_look_at_no_entry_whose_number_is_gone(tenant: Tenant) -> None:
    settle(tenant, **DONE)
    forget(tenant)
    with tenant.database.begin() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = session.execute(
            text(
                "EXPLAIN SELECT id FROM hubspot_sync_logs WHERE phone_number IS NOT NULL"
                " AND next_attempt_at IS NULL"
                " AND created_at AT TIME ZONE 'UTC' < now() AT TIME ZONE 'UTC'"
                " ORDER BY created_at AT TIME ZONE 'UTC' LIMIT 10"
            )
        ).scalars()
        assert "ix_hubspot_sync_logs_old_numbers" in "\n".join(plan)
