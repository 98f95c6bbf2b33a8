"""Retries by hand: what is requeued, what is left alone, and what is never forgotten."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from shared.database.engines import Database
from shared.models import SyncLog
from tests.api.asking import Asker, WakeRecorder, read
from tests.api.rows import add_connection, add_log


def row(database: Database, log_id: str) -> SyncLog:
    with database.begin() as session:
        return session.get_one(SyncLog, log_id)


def retry(asker: Asker, log_id: str) -> Any:
    answer = asker.ask("POST", f"sync-logs/{log_id}/retry")
    assert answer.status_code == 202
    return answer.json


def retry_many(asker: Asker, order: Any) -> Any:
    answer = asker.ask("POST", "sync-logs/retry", json=order)
    assert answer.status_code == 202, answer.text
    return answer.json


def test_failed_call_is_due_again_at_once(
    database: Database, asker: Asker, waker: WakeRecorder
) -> None:
    connection_id = add_connection(database, asker)
    log_id = add_log(
        database,
        asker,
        status="error",
        hub_id=9,
        contact_id="5",
        failures=7,
        failing_since=datetime.now(UTC),
        looks=2,
        raw_lookup=True,
    )
    assert retry(asker, log_id) == {"success": True, "requeued": 1, "ignored": 0}
    again = row(database, log_id)
    assert (again.status, again.error_code, again.lane) == ("pending", None, 1)
    assert again.next_attempt_at is not None
    assert again.next_attempt_at <= datetime.now(UTC)
    assert (again.failures, again.failing_since, again.looks) == (0, None, 0)
    assert (again.raw_lookup, again.hub_id, again.contact_id) == (False, None, None)
    assert waker.woken == [connection_id]


def test_write_in_doubt_stays_in_doubt(database: Database, asker: Asker) -> None:
    marked_at = datetime(2026, 11, 1, tzinfo=UTC)
    log_id = add_log(
        database,
        asker,
        status="error",
        hub_id=9,
        contact_id="5",
        last_write_at=marked_at,
        read_back_misses=1,
    )
    retry(asker, log_id)
    again = row(database, log_id)
    assert (again.status, again.hub_id, again.contact_id) == ("pending", 9, "5")
    assert (again.last_write_at, again.read_back_misses) == (marked_at, 1)


@pytest.mark.parametrize("status", ["success", "pending"])
def test_call_that_is_synced_or_waits_is_left_alone(
    database: Database, asker: Asker, status: str, waker: WakeRecorder
) -> None:
    add_connection(database, asker)
    log_id = add_log(database, asker, status=status)
    before = row(database, log_id)
    assert retry(asker, log_id) == {"success": True, "requeued": 0, "ignored": 1}
    assert row(database, log_id).updated_at == before.updated_at
    assert waker.woken == []


def test_call_whose_contents_are_deleted_is_ignored(database: Database, asker: Asker) -> None:
    log_id = add_log(database, asker, status="error", has_payload=False)
    assert retry(asker, log_id)["ignored"] == 1
    assert row(database, log_id).status == "error"


def test_ids_that_cannot_be_retried_are_counted_as_ignored(
    database: Database, asker: Asker
) -> None:
    failed = add_log(database, asker, status="error")
    synced = add_log(database, asker, status="success")
    foreign = add_log(database, Asker(asker.client), status="error")
    ids = [failed, failed, synced, foreign, "hs_unknown"]
    assert retry_many(asker, {"ids": ids}) == {"success": True, "requeued": 1, "ignored": 3}
    assert row(database, foreign).status == "error"


def test_filter_requeues_what_it_matches(database: Database, asker: Asker) -> None:
    failed = add_log(database, asker, status="error", minutes_ago=5)
    gone = add_log(database, asker, status="error", minutes_ago=6, has_payload=False)
    skipped = add_log(database, asker, status="skipped", minutes_ago=5)
    old = add_log(database, asker, status="error", minutes_ago=120)
    since = int((datetime.now(UTC).timestamp() - 3600) * 1000)
    done = retry_many(asker, {"status": "error", "error_code": "network_error", "from": since})
    assert done == {"success": True, "requeued": 1, "ignored": 1}
    statuses = [row(database, each).status for each in (failed, gone, skipped, old)]
    assert statuses == ["pending", "error", "skipped", "error"]


def test_filter_without_status_means_failed_and_skipped(database: Database, asker: Asker) -> None:
    for status in ("error", "skipped", "success", "pending"):
        add_log(database, asker, status=status)
    assert retry_many(asker, {"from": 0}) == {"success": True, "requeued": 2, "ignored": 0}


def test_filter_works_through_ten_thousand_a_request(asker: Asker, database: Database) -> None:
    with database.begin() as session:
        session.execute(
            text("""
                INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, status,
                                               error_code, error_message, next_attempt_at)
                SELECT 'hs_' || md5(:user_id || n), :user_id, :workspace_id, n, 'error',
                       'network_error', 'broke', NULL
                FROM generate_series(1, 10500) AS n"""),
            asker.tenant,
        )
        session.execute(
            text("""
                INSERT INTO calls (log_id, payload)
                SELECT id, '{}' FROM hubspot_sync_logs WHERE user_id = :user_id"""),
            asker.tenant,
        )
    assert retry_many(asker, {"status": "error"})["requeued"] == 10_000
    assert retry_many(asker, {"status": "error"})["requeued"] == 500
    assert retry_many(asker, {"status": "error"})["requeued"] == 0


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({}, "body"),
        ([], "body"),
        ({"ids": []}, "ids"),
        ({"ids": "hs_1"}, "ids"),
        ({"ids": [1]}, "ids.0"),
        ({"ids": ["a\x00"]}, "ids.0"),
        ({"ids": ["hs_1"], "status": "error"}, "body"),
        ({"ids": [str(n) for n in range(1001)]}, "ids"),
        ({"status": "success"}, "body"),
        ({"status": "done"}, "status"),
        ({"status": 1}, "status"),
        ({"error_code": "boom"}, "error_code"),
        ({"from": "soon"}, "from"),
        ({"from": [1]}, "from"),
        ({"from": True}, "from"),
    ],
)
def test_order_that_makes_no_sense_is_refused(asker: Asker, order: Any, field: str) -> None:
    answer = asker.ask("POST", "sync-logs/retry", json=order)
    assert answer.status_code == 400
    assert [each["field"] for each in read(answer)["error"]["fields"]] == [field]
