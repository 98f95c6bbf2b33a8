"""Replays by filter reach exactly the calls that are meant, in every workspace or in one."""

from collections.abc import Collection
from typing import Any

import pytest
from sqlalchemy import select, update

from shared.calls.intake import NewCall, store_calls
from shared.database.engines import Database
from shared.models import ActivityUpdate, SyncLog
from shared.reasons import Lane
from tests.cli.conftest import Invoke


def store(database: Database, user_id: str, call_id: str, **outcome: Any) -> None:
    with database.begin() as session:
        stored = store_calls(
            session,
            [
                NewCall(
                    user_id=user_id,
                    workspace_id="ws_1",
                    call_id=call_id,
                    phone_number=None,
                    payload={"call_id": call_id},
                )
            ],
            lane=Lane.LIVE,
        )[0]
        ended = {"next_attempt_at": None, "error_message": "It failed.", **outcome}
        session.execute(update(SyncLog).where(SyncLog.id == stored.log_id).values(**ended))


@pytest.fixture
def failed_calls(empty_database: Database) -> Database:
    store(empty_database, "user_1", "limited", status="error", error_code="rate_limited")
    store(empty_database, "user_1", "refused", status="error", error_code="rejected_by_hubspot")
    store(empty_database, "user_2", "limited_too", status="error", error_code="rate_limited")
    store(empty_database, "user_2", "unknown", status="skipped", error_code="contact_not_found")
    return empty_database


def pending(database: Database) -> Collection[str]:
    with database.begin() as session:
        return set(session.scalars(select(SyncLog.call_id).filter_by(status="pending")))


@pytest.mark.parametrize(
    ("filters", "replayed"),
    [
        (["--status", "error"], {"limited", "refused", "limited_too"}),
        (["--status", "skipped"], {"unknown"}),
        (["--error-code", "rate_limited"], {"limited", "limited_too"}),
        (["--error-code", "rate_limited", "--user", "user_2"], {"limited_too"}),
        (["--status", "error", "--workspace", "ws_2"], set()),
        (["--from", "2000-01-01T00:00:00Z"], {"limited", "refused", "limited_too", "unknown"}),
        (["--to", "946684800000"], set()),
    ],
)
def test_calls_that_the_filter_means_are_pending_again(
    invoke: Invoke, failed_calls: Database, filters: list[str], replayed: set[str]
) -> None:
    result = invoke("retry", *filters)

    assert result.stdout == f"Calls that will be tried again: {len(replayed)}.\n"
    assert pending(failed_calls) == replayed


@pytest.mark.parametrize(
    ("filters", "replayed"),
    [
        (["--update", "failed"], {"failed"}),
        (["--update", "waiting"], {"held"}),
        (["--from", "2000-01-01T00:00:00Z"], {"failed", "held"}),
        (["--status", "error"], set()),
    ],
)
def test_updates_that_the_filter_means_are_due_again(
    invoke: Invoke, empty_database: Database, filters: list[str], replayed: set[str]
) -> None:
    synced = {"status": "success", "hub_id": 1, "contact_id": "7", "error_message": None}
    for state in ("failed", "held", "deleted"):
        store(empty_database, "user_1", state, **synced, engagement_id=state)
    with empty_database.begin() as session:
        for log in session.scalars(select(SyncLog)):
            session.add(
                ActivityUpdate(
                    log_id=log.id,
                    user_id="user_1",
                    workspace_id="ws_1",
                    hub_id=1,
                    state=log.call_id,
                )
            )

    result = invoke("retry", *filters)

    assert result.stdout == f"Calls that will be tried again: {len(replayed)}.\n"
    with empty_database.begin() as session:
        due = select(SyncLog.call_id).join(ActivityUpdate, ActivityUpdate.log_id == SyncLog.id)
        assert set(session.scalars(due.where(ActivityUpdate.state == "waiting"))) == replayed


def test_status_and_update_exclude_each_other(invoke: Invoke) -> None:
    result = invoke("retry", "--status", "error", "--update", "failed")

    assert result.exit_code == 2
    assert "calls with an update are synced" in result.stderr


def test_dry_run_counts_and_changes_nothing(invoke: Invoke, failed_calls: Database) -> None:
    result = invoke("retry", "--status", "error", "--dry-run")

    assert result.stdout == "Calls that would be tried again: 3.\n"
    assert pending(failed_calls) == set()


def test_retry_of_everything_must_be_asked_for(invoke: Invoke, failed_calls: Database) -> None:
    result = invoke("retry")

    assert result.exit_code == 2
    assert "at least one of --status" in result.stderr
    assert pending(failed_calls) == set()


def test_time_that_is_none_is_explained(invoke: Invoke) -> None:
    result = invoke("retry", "--from", "yesterday")

    assert result.exit_code == 2
    assert "must be like 2026-11-22T10:00:00Z" in result.stderr
