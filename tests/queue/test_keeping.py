"""What a customer does not want kept is never stored; what they chose is fixed at intake."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from shared.activities.news import apply_news
from shared.calls.intake import NewCall, StoredCall, store_calls
from shared.reasons import Lane
from tests.queue.tenants import Tenant

SECRET = "what was said"
LINK = "https://rec.example.com/1"
CALL: dict[str, Any] = {
    "summary": "Wants a demo",
    "transcript": [{"role": "user", "text": SECRET}],
    "recording_url": LINK,
}
TABLES = ("calls", "call_deliveries", "hubspot_sync_logs", "activity_updates", "hubspot_audit")


def deliver(tenant: Tenant, *, activity: Any = "note", **facts: Any) -> StoredCall:
    call = NewCall(
        user_id=tenant.user_id,
        workspace_id=tenant.workspace_id,
        call_id="c",
        phone_number=None,
        payload=facts,
    )
    with tenant.database.begin() as session:
        return store_calls(session, [call], lane=Lane.LIVE, activity=activity)[0]


def choose(tenant: Tenant, **choices: Any) -> None:
    with tenant.database.begin() as session:
        session.execute(
            text("UPDATE hubspot_oauth_tokens SET choices = :choices WHERE user_id = :user_id"),
            {"choices": json.dumps(choices), "user_id": tenant.user_id},
        )


def dump(tenant: Tenant) -> str:
    """Everything that is stored, as text."""
    with tenant.database.begin() as session:
        return "\n".join(
            row[0]
            for table in TABLES
            for row in session.execute(text(f"SELECT t::text FROM {table} t"))  # noqa: S608
        )


@pytest.mark.parametrize(
    ("keep", "gone", "stays"),
    [
        ({"transcript": False}, [SECRET], [LINK]),
        ({"recording": False}, [LINK], [SECRET]),
        ({"transcript": False, "recording": False}, [SECRET, LINK], []),
        ({"transcript": True}, [], [SECRET, LINK]),
        ({}, [], [SECRET, LINK]),
    ],
)
@pytest.mark.parametrize("disconnected", [False, True])
def test_what_is_not_kept_is_stored_nowhere(
    tenant: Tenant, keep: dict[str, bool], gone: list[str], stays: list[str], *, disconnected: bool
) -> None:
    tenant.connect()
    if disconnected:
        tenant.disconnect()
    choose(tenant, keep=keep)
    first = deliver(tenant, **CALL)
    assert not first.is_duplicate
    later = [{"role": "agent", "text": SECRET}]
    deliver(tenant, transcript=later, recording_url=f"{LINK}?again=1", agent_name="Ada")
    found = dump(tenant)
    assert all(each not in found for each in gone)
    assert all(each in found for each in ["Wants a demo", "Ada", *stays])
    with tenant.database.begin() as session:
        apply_news(session, **tenant.identity, most=10)
    found = dump(tenant)
    assert all(each not in found for each in gone)


def test_delivery_of_which_nothing_is_kept_says_nothing_new(tenant: Tenant) -> None:
    tenant.connect()
    choose(tenant, keep={"transcript": False})
    deliver(tenant, summary="Wants a demo")
    again = deliver(tenant, transcript=CALL["transcript"])
    assert (again.is_duplicate, again.is_updated) == (True, False)
    assert SECRET not in dump(tenant)


def test_same_delivery_is_known_again_although_not_all_of_it_was_kept(tenant: Tenant) -> None:
    tenant.connect()
    choose(tenant, keep={"transcript": False})
    deliver(tenant, **CALL)
    choose(tenant)
    assert deliver(tenant, **CALL).is_duplicate
    assert SECRET not in dump(tenant)


@pytest.mark.parametrize(
    ("chosen", "default", "expected"),
    [(None, "note", "note"), (None, "call", "call"), ("note", "call", "note")],
)
def test_activity_is_fixed_when_a_call_comes(
    tenant: Tenant, chosen: str | None, default: str, expected: str
) -> None:
    tenant.connect()
    choose(tenant, **({"activity": chosen} if chosen else {}))
    stored = deliver(tenant, activity=default, summary="x")
    choose(tenant, activity="call" if expected == "note" else "note")
    deliver(tenant, activity=default, summary="y")
    assert tenant.log(stored.log_id).activity == expected


def test_tenant_without_a_connection_has_the_defaults(tenant: Tenant) -> None:
    stored = deliver(tenant, activity="call", **CALL)
    assert tenant.log(stored.log_id).activity == "call"
    assert SECRET in dump(tenant)
