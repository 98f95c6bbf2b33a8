"""What an operator has to know is told, with its cure; what is well is not."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import pytest
from sqlalchemy import delete, update

from shared.connections.accounts import pause_account
from shared.models import ActivityUpdate, Call, Connection, Revocation, Stray
from shared.privacy.erasure import erase_calls
from tests.queue.tenants import HUB, Tenant, ago, skipped, written
from tests.trouble.conftest import Measure, Tell, TellJson

HOUR: Final = 3600
ERROR: Final[dict[str, Any]] = {
    "status": "error",
    "error_message": "It failed.",
    "next_attempt_at": None,
}


def pause(tenant: Tenant) -> None:
    tenant.connect()
    with tenant.database.begin() as session:
        pause_account(session, HUB, seconds=600, reason="HubSpot's DAILY limit is used up")


def lose_connection(tenant: Tenant) -> None:
    tenant.connect()
    with tenant.database.begin() as session:
        session.execute(
            update(Connection).values(state="reconnect_required", state_reason="token revoked")
        )


def stick(tenant: Tenant) -> None:
    tenant.connect()
    tenant.store(2, next_attempt_at=ago(400))


def stick_backfill(tenant: Tenant) -> None:
    tenant.connect()
    tenant.store(lane=3, next_attempt_at=ago(2 * HOUR))


def crash(tenant: Tenant) -> None:
    tenant.connect()
    tenant.store(3)
    tenant.lose(tenant.claim())


def doubt(tenant: Tenant) -> None:
    tenant.connect()
    tenant.store(
        hub_id=HUB, contact_id="7", last_write_at=ago(400), next_attempt_at=ago(-60), failures=3
    )


def misconfigure(tenant: Tenant) -> None:
    tenant.store(error_code="configuration_error", error_message="x", next_attempt_at=ago(-60))


def fail(tenant: Tenant) -> None:
    tenant.store(2, **ERROR, error_code="rejected_by_hubspot")


def fail_updates(tenant: Tenant) -> None:
    for state, due_at in (("failed", None), ("failed", None), ("held", None), ("waiting", ago(0))):
        (log_id,) = tenant.store()
        with tenant.database.begin() as session:
            session.add(
                ActivityUpdate(
                    log_id=log_id, **tenant.identity, hub_id=HUB, state=state, due_at=due_at
                )
            )


def forget_archiving(tenant: Tenant) -> None:
    with tenant.database.begin() as session:
        session.add(Stray(hub_id=HUB, activity_id="9", log_id="hs_1", written_at=ago(HOUR)))


def forget_revoking(tenant: Tenant) -> None:
    tenant.connect()
    tenant.disconnect()
    with tenant.database.begin() as session:
        session.execute(update(Revocation).values(created_at=ago(HOUR)))


class Case(NamedTuple):
    make: Callable[[Tenant], None]
    told: str
    cure: str
    gauge: str
    value: int


CASES = (
    Case(pause, "101 until .*DAILY limit", "go on by themselves", "callsync_paused_accounts", 1),
    Case(
        lose_connection,
        "user_1 in ws_1, account 101, since .*: token revoked",
        "connects HubSpot again",
        "callsync_connections/reconnect_required",
        1,
    ),
    Case(stick, "user_1 in ws_1: 2, since", "callsync doctor", "callsync_troubled_calls/stuck", 2),
    Case(stick_backfill, "user_1 in ws_1: 1, since", "doctor", "callsync_troubled_calls/stuck", 1),
    Case(crash, "lost their worker\n  3, ", "tried alone", "callsync_troubled_calls/suspect", 3),
    Case(doubt, "in doubt\n  1, ", "asked for the note", "callsync_troubled_calls/in_doubt", 1),
    Case(
        misconfigure,
        "our configuration\n  1, ",
        "HUBSPOT_CLIENT_SECRET",
        "callsync_troubled_calls/misconfigured",
        1,
    ),
    Case(
        fail,
        "rejected_by_hubspot\n  2, ",
        "callsync retry --status error --error-code rejected_by_hubspot",
        "callsync_failed_calls/rejected_by_hubspot",
        2,
    ),
    Case(
        fail_updates,
        "completed\n  user_1 in ws_1: 2, since",
        "callsync retry --update failed",
        "callsync_updates/failed",
        2,
    ),
    Case(
        forget_archiving, "archived yet\n  1, ", "worker runs", "callsync_overdue_surplus_notes", 1
    ),
    Case(forget_revoking, "revoked yet\n  1, ", "worker runs", "callsync_overdue_revocations", 1),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.make.__name__)
def test_trouble_is_told_with_its_cure_and_measured(
    tenant: Tenant, tell: Tell, measure: Measure, case: Case
) -> None:
    assert measure().get(case.gauge, 0) == 0
    case.make(tenant)

    exit_code, shown = tell()

    assert exit_code == 1
    assert re.search(case.told, shown), shown
    (line,) = [line for line in shown.splitlines() if line.startswith("  → ")]
    assert case.cure in line
    assert measure()[case.gauge] == case.value


def test_service_that_is_well_has_no_trouble(tenant: Tenant, tell: Tell) -> None:
    tenant.connect()
    tenant.store(3)
    first, second, _ = tenant.claim()
    tenant.record(written(first), skipped(second, next_in=600))
    tenant.store(next_attempt_at=ago(100))
    tenant.store(lane=3, next_attempt_at=ago(HOUR / 2))

    assert tell() == (0, "✓ No trouble.\n")


def test_calls_of_a_paused_account_wait_and_are_not_stuck(
    tenant: Tenant, tell_json: TellJson
) -> None:
    pause(tenant)
    tenant.store(next_attempt_at=ago(HOUR))
    told = tell_json()
    assert told["stuck_calls"] == []
    assert [account["hub_id"] for account in told["paused_accounts"]] == [HUB]


def test_failed_call_whose_content_is_gone_is_past_help(tenant: Tenant, tell: Tell) -> None:
    first, second, third = tenant.store(3, **ERROR, error_code="network_error")
    with tenant.database.begin() as session:
        session.execute(delete(Call).where(Call.log_id == first))
        erase_calls(session, [second])
    assert "network_error\n  1, " in tell()[1]
    with tenant.database.begin() as session:
        session.execute(delete(Call).where(Call.log_id == third))
    assert tell()[0] == 0


def test_json_says_the_same_with_times(tenant: Tenant, tell_json: TellJson) -> None:
    stick(tenant)
    fail(tenant)
    told = tell_json()
    (stuck,) = told["stuck_calls"]
    assert (stuck["user_id"], stuck["workspace_id"], stuck["calls"]) == ("user_1", "ws_1", 2)
    age = datetime.now(UTC) - datetime.fromisoformat(stuck["since"])
    assert age > timedelta(seconds=399)
    assert [(each["error_code"], each["calls"]) for each in told["failed_calls"]] == [
        ("rejected_by_hubspot", 2)
    ]
    assert told["failed_updates"] == []
    assert told["in_doubt"] == {"count": 0, "since": None}
