"""Retries by hand: what they bring back, and what they never shorten or repeat."""

from typing import Any

import pytest
from sqlalchemy import delete

from shared.log.replays import requeue_calls
from shared.models import Call
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import HUB, Tenant, ago, skipped, written

WAITED: dict[str, Any] = {"error_message": "x", "next_attempt_at": None}
FAILED: dict[str, Any] = WAITED | {"status": "error", "error_code": "rejected_by_hubspot"}


def requeue(tenant: Tenant, *ids: str) -> int:
    with tenant.database.begin() as session:
        return requeue_calls(session, ids, **tenant.identity)


@pytest.mark.parametrize("row", [FAILED, WAITED | {"status": "skipped", "error_code": "x"}])
def test_failed_or_skipped_call_is_pending_again_from_the_start(
    tenant: Tenant, row: dict[str, Any]
) -> None:
    (log_id,) = tenant.store(
        **row,
        hub_id=HUB,
        contact_id="7",
        looks=6,
        raw_lookup=True,
        failures=30,
        failing_since=ago(90_000),
    )
    assert requeue(tenant, log_id) == 1
    log = tenant.log(log_id)
    assert (log.status, log.error_code, log.error_message) == ("pending", None, None)
    assert (log.lane, log.looks, log.raw_lookup, log.failures) == (1, 0, False, 0)
    assert (log.failing_since, log.hub_id, log.contact_id) == (None, None, None)
    assert [call.id for call in tenant.claim()] == [log_id]


def test_write_in_doubt_stays_in_doubt_where_it_was(tenant: Tenant) -> None:
    (log_id,) = tenant.store(
        **FAILED, hub_id=HUB, contact_id="7", last_write_at=ago(40), read_back_misses=1
    )
    assert requeue(tenant, log_id) == 1
    (call,) = tenant.claim()
    assert call.marked_for == pytest.approx(40, abs=5)
    assert (call.hub_id, call.contact_id, call.read_back_misses) == (HUB, "7", 1)


def test_replay_outlives_a_look_that_is_under_way(tenant: Tenant) -> None:
    (log_id,) = tenant.store(status="skipped", error_code="contact_not_found", error_message="x")
    (looked_up,) = tenant.claim()

    assert requeue(tenant, log_id) == 1
    tenant.record(skipped(looked_up, next_in=3600))

    log = tenant.log(log_id)
    assert (log.status, log.error_code) == ("pending", None)
    assert tenant.due_in(log_id) <= 0
    assert [call.id for call in tenant.claim()] == [log_id]


def test_replay_leaves_no_mark_to_the_worker_that_had_the_call(tenant: Tenant) -> None:
    tenant.connect()
    (log_id,) = tenant.store(status="skipped", error_code="contact_not_found", error_message="x")
    looked_up = tenant.claim()

    requeue(tenant, log_id)

    assert tenant.mark(looked_up) == frozenset()


def test_synced_and_waiting_calls_are_left_alone(tenant: Tenant) -> None:
    tenant.store(2)
    done, waiting = tenant.claim()
    tenant.record(written(done))
    tenant.release([waiting], delay=60)
    assert requeue(tenant, done.id, waiting.id) == 0
    assert tenant.log(done.id).status == "success"
    assert tenant.due_in(waiting.id) > 50


def test_call_whose_content_is_deleted_is_not_requeued(tenant: Tenant) -> None:
    (log_id,) = tenant.store(**FAILED)
    with tenant.database.begin() as session:
        session.execute(delete(Call))
    assert requeue(tenant, log_id) == 0


def test_nobody_requeues_the_calls_of_others(tenant: Tenant, make_tenant: MakeTenant) -> None:
    (log_id,) = make_tenant("user_2").store(**FAILED)
    assert requeue(tenant, log_id) == 0
    assert tenant.log(log_id).status == "error"
