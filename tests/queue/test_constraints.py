"""States that make no sense are refused by Postgres itself, whatever the code does."""

from typing import Any

import pytest
from sqlalchemy import func, insert, update
from sqlalchemy.exc import IntegrityError

from shared.models import Account, Connection
from tests.queue.tenants import HUB, Tenant, written

REASON: dict[str, Any] = {"error_code": "poison", "error_message": "x"}
NOTE: dict[str, Any] = {"hub_id": HUB, "contact_id": "7", "engagement_id": "9"}
FAILED: dict[str, Any] = REASON | {"status": "error", "next_attempt_at": None}
SUCCESS: dict[str, Any] = NOTE | {"status": "success", "next_attempt_at": None}
MARK: dict[str, Any] = {"last_write_at": func.now(), "hub_id": HUB, "contact_id": "7"}
CLAIM: dict[str, Any] = {"claimed_by": "t", "claimed_until": func.now(), "claim_size": 1}


@pytest.mark.parametrize(
    "columns",
    [
        SUCCESS,
        FAILED,
        REASON | {"status": "skipped"},
        CLAIM,
        MARK,
        MARK | {"read_back_misses": 1},
        FAILED | MARK | {"error_code": "unconfirmed"},
        {"lane": 3},
    ],
)
def test_sync_log_takes_every_state_that_makes_sense(
    tenant: Tenant, columns: dict[str, Any]
) -> None:
    (log_id,) = tenant.store(**columns)
    assert tenant.log(log_id)


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"status": "lost"}, "status"),
        ({"next_attempt_at": None}, "pending_is_due"),
        ({"status": "error", "next_attempt_at": None}, "has_reason"),
        (FAILED | {"error_message": None}, "has_reason"),
        ({"status": "skipped", "error_message": "x"}, "has_reason"),
        (SUCCESS | {"engagement_id": None}, "success_has_note"),
        (NOTE, "success_has_note"),
        (FAILED | NOTE, "success_has_note"),
        (FAILED | {"next_attempt_at": func.now()}, "terminal_error"),
        (SUCCESS | {"last_write_at": func.now()}, "success_is_settled"),
        (REASON | CLAIM | {"status": "skipped", "next_attempt_at": None}, "claimed_is_due"),
        (SUCCESS | {"next_attempt_at": func.now()}, "success_is_final"),
        (SUCCESS | {"contact_id": None}, "success_is_final"),
        (SUCCESS | {"hub_id": None}, "success_is_final"),
        (SUCCESS | REASON, "success_is_final"),
        (CLAIM | {"claimed_by": None}, "claim_is_whole"),
        (CLAIM | {"claimed_until": None}, "claim_is_whole"),
        (CLAIM | {"claim_size": None}, "claim_is_whole"),
        ({"last_write_at": func.now(), "hub_id": HUB}, "mark_names_contact"),
        ({"last_write_at": func.now(), "contact_id": "7"}, "mark_names_contact"),
        ({"read_back_misses": 1}, "misses_are_of_a_mark"),
        (FAILED | {"error_code": "unconfirmed"}, "unconfirmed_has_mark"),
        ({"lane": 4}, "lane"),
        ({"lane": -1}, "lane"),
    ],
)
def test_sync_log_refuses_what_makes_none(
    tenant: Tenant, columns: dict[str, Any], constraint: str
) -> None:
    (log_id,) = tenant.store()
    with pytest.raises(IntegrityError, match=f'"ck_hubspot_sync_logs_{constraint}"'):
        tenant.change([log_id], **columns)


def test_note_belongs_to_one_call_of_an_account(tenant: Tenant) -> None:
    tenant.store(3)
    first, second, third = tenant.claim()
    tenant.record(written(first, "9"))
    with pytest.raises(IntegrityError, match="uq_hubspot_sync_logs_hub_id_activity_engagement_id"):
        tenant.record(written(second, "9"))
    assert tenant.record(written(third, "9", hub_id=HUB + 1)) == {third.id}


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"state": "half"}, "state"),
        ({"match_policy": "newest"}, "match_policy"),
        ({"access_token": None}, "connected_has_tokens"),
        ({"refresh_token": None}, "connected_has_tokens"),
        ({"expires_at": None}, "connected_has_tokens"),
        ({"hub_id": None}, "connected_has_tokens"),
        ({"state": "disconnected"}, "disconnected_has_no_tokens"),
    ],
)
def test_connection_refuses_what_makes_no_sense(
    tenant: Tenant, columns: dict[str, Any], constraint: str
) -> None:
    tenant.connect()
    with (
        pytest.raises(IntegrityError, match=f'"ck_hubspot_oauth_tokens_{constraint}"'),
        tenant.database.begin() as session,
    ):
        session.execute(update(Connection).values(**columns))


@pytest.mark.parametrize("width", [0, 5])
def test_account_works_one_to_four_turns_wide(tenant: Tenant, width: int) -> None:
    with (
        pytest.raises(IntegrityError, match='"ck_hubspot_accounts_turn_width"'),
        tenant.database.begin() as session,
    ):
        session.execute(insert(Account).values(hub_id=HUB, turn_width=width))


def test_workspace_has_one_row_per_call(tenant: Tenant) -> None:
    (first, second) = tenant.store(2)
    call_id = tenant.log(first).call_id
    with pytest.raises(IntegrityError, match="uq_hubspot_sync_logs_user_id_workspace_id_call_id"):
        tenant.change([second], call_id=call_id)
