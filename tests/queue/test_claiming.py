"""Claiming: who gets which due calls, in what order, and how they are given back."""

import pytest
from sqlalchemy import func, select, text, update

from shared.models import Call
from shared.queue.claims import (
    LEASE_S,
    MAX_BYTES_CLAIMED,
    abandon_calls,
    claim_due_calls,
    load_contents,
    renew_claims,
)
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import Tenant, ago

_NOW = select(func.now())


def test_claim_takes_the_oldest_due_calls_up_to_its_limit(tenant: Tenant) -> None:
    ids = tenant.store(5)
    for position, log_id in enumerate(ids):
        tenant.change([log_id], next_attempt_at=ago(10 * position))

    assert [call.id for call in tenant.claim(3)] == ids[:1:-1]
    assert [call.id for call in tenant.claim(3)] == ids[1::-1]
    assert tenant.claim(3) == []


def test_call_that_is_not_due_is_left_alone_whatever_its_status(tenant: Tenant) -> None:
    tenant.store(next_attempt_at=ago(-60))
    tenant.store(
        status="skipped", error_code="not_connected", error_message="x", next_attempt_at=None
    )
    (looked_up_again,) = tenant.store(
        status="skipped", error_code="contact_not_found", error_message="x", next_attempt_at=ago(1)
    )
    assert [(call.id, call.status) for call in tenant.claim()] == [(looked_up_again, "skipped")]


def test_claim_counts_the_fence_and_holds_a_lease(tenant: Tenant) -> None:
    (log_id,) = tenant.store()
    (call,) = tenant.claim(claim_id="turn_7")
    log = tenant.log(log_id)
    assert (call.fence, log.fence, log.claimed_by, log.claim_size) == (1, 1, "turn_7", 1)
    assert log.claimed_until is not None
    assert 0 < (log.claimed_until - log.updated_at).total_seconds() <= LEASE_S + 5

    tenant.release([call])
    assert tenant.claim()[0].fence == 2


def test_claimed_call_brings_its_content_and_its_ages(tenant: Tenant) -> None:
    (log_id,) = tenant.store(
        last_write_at=ago(90),
        hub_id=101,
        contact_id="7",
        read_back_misses=1,
        failing_since=ago(600),
        failures=4,
        looks=1,
        raw_lookup=True,
    )
    (call,) = tenant.claim()
    assert call.payload == {}
    assert call.marked_for == pytest.approx(90, abs=5)
    assert call.failing_for == pytest.approx(600, abs=5)
    assert (call.read_back_misses, call.failures, call.searches_done, call.calculated_searched) == (
        1,
        4,
        1,
        True,
    )
    assert (call.id, call.hub_id, call.contact_id) == (log_id, 101, "7")


def test_claim_that_is_large_together_leaves_the_contents_to_be_loaded(tenant: Tenant) -> None:
    ids = tenant.store(3, payload={"summary": "x" * (MAX_BYTES_CLAIMED // 3)})
    calls = tenant.claim()
    assert [call.payload for call in calls] == [None] * 3
    assert not any(call.is_content_gone for call in calls)
    assert {call.payload_bytes - MAX_BYTES_CLAIMED // 3 for call in calls} == {15}

    with tenant.database.begin() as session:
        session.delete(session.get_one(Call, ids[1]))
        contents = load_contents(session, calls)
    assert contents.keys() == {ids[0], ids[2]}
    tenant.release(calls)
    assert [call.is_content_gone for call in tenant.claim()] == [False, True, False]


def test_content_is_measured_as_it_will_be_read_and_not_as_it_lies_on_the_disk(
    tenant: Tenant,
) -> None:
    numbers = [1e308] * 20_000
    (log_id,) = tenant.store(payload={"structured_data": {"a": numbers}})
    (call,) = tenant.claim()
    assert call.payload is None
    assert call.payload_bytes > 300 * len(numbers)

    # As stored by a version that did not measure: a guess that is rather too large.
    with tenant.database.begin() as session:
        session.execute(update(Call).values(payload_bytes=None))
    tenant.release([call])
    (call,) = tenant.claim()
    assert call.id == log_id
    assert call.payload is None
    assert call.payload_bytes > MAX_BYTES_CLAIMED


_FILL = text("""
    UPDATE calls SET payload_bytes = NULL, payload = jsonb_build_object('filler', (
        SELECT string_agg(md5(n::text), '') FROM generate_series(1, 22 * 1024 * 1024 / 32) AS n))
""")


def test_content_whose_guess_is_beyond_an_integer_hinders_no_claim(tenant: Tenant) -> None:
    (log_id,) = tenant.store()
    with tenant.database.begin() as session:
        session.execute(_FILL)
    (call,) = tenant.claim()
    assert call.id == log_id
    assert call.payload is None
    assert call.payload_bytes > 2**31


def test_calls_of_other_users_are_never_touched(tenant: Tenant, make_tenant: MakeTenant) -> None:
    other = make_tenant("user_2")
    (foreign,) = other.store()
    tenant.store(2)
    assert len(tenant.claim()) == 2
    assert other.log(foreign).fence == 0
    assert [call.id for call in other.claim()] == [foreign]


def test_concurrent_claims_are_disjoint_and_wait_for_nobody(tenant: Tenant) -> None:
    ids = tenant.store(60)
    with tenant.database.begin() as one, tenant.database.begin() as other:
        first = claim_due_calls(one, **tenant.identity, claim_id="turn_1", most=20)
        second = claim_due_calls(other, **tenant.identity, claim_id="turn_2", most=20)
    taken = [call.id for call in (*first, *second)]
    assert len(taken) == len(set(taken)) == 40
    assert set(taken) <= set(ids)


def test_lanes_are_served_in_order(tenant: Tenant) -> None:
    by_lane = [tenant.store(2, lane=lane, next_attempt_at=ago(10 * lane)) for lane in range(4)]
    assert [call.lane for call in tenant.claim()] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert all(tenant.log(ids[0]).fence == 1 for ids in by_lane)


@pytest.mark.parametrize(
    ("waiting", "most", "served"),
    [
        # calls waiting in each lane; the batch; how many of each lane are in it
        ((200, 200, 200, 200), 100, (70, 10, 10, 10)),
        ((200, 0, 0, 200), 100, (90, 0, 0, 10)),
        ((5, 200, 0, 200), 100, (5, 85, 0, 10)),
        ((0, 0, 0, 30), 100, (0, 0, 0, 30)),
        ((200, 3, 3, 3), 100, (91, 3, 3, 3)),
        ((9, 9, 9, 9), 10, (7, 1, 1, 1)),
    ],
)
def test_each_lane_that_waits_gets_at_least_a_tenth(
    tenant: Tenant, waiting: tuple[int, ...], most: int, served: tuple[int, ...]
) -> None:
    for lane, count in enumerate(waiting):
        tenant.store(count, lane=lane)
    calls = tenant.claim(most)
    assert tuple(sum(call.lane == lane for call in calls) for lane in range(4)) == served


def test_released_call_is_due_again_after_the_delay(tenant: Tenant) -> None:
    (log_id,) = tenant.store()
    tenant.release(tenant.claim(), delay=30)
    assert tenant.due_in(log_id) == pytest.approx(30, abs=5)
    log = tenant.log(log_id)
    assert (log.claimed_by, log.claimed_until, log.claim_size) == (None, None, None)
    assert (log.attempts, log.status, log.suspect_size) == (0, "pending", None)


def test_release_under_an_old_fence_changes_nothing(tenant: Tenant) -> None:
    (log_id,) = tenant.store()
    stale = tenant.claim()
    tenant.release(stale)
    tenant.claim(claim_id="turn_2")
    tenant.release(stale)
    assert tenant.log(log_id).claimed_by == "turn_2"


def test_renewing_extends_only_leases_that_still_hold(tenant: Tenant) -> None:
    (live,) = tenant.store()
    tenant.claim(claim_id="live")
    (expired,) = tenant.store()
    tenant.claim(claim_id="expired")
    (foreign,) = tenant.store()
    tenant.claim(claim_id="foreign")
    tenant.change([live, foreign], claimed_until=ago(-3))
    tenant.change([expired], claimed_until=ago(1))

    with tenant.database.begin() as session:
        renew_claims(session, ["live", "expired"])
    left = {}
    with tenant.database.begin() as session:
        for log_id in (live, expired, foreign):
            until = tenant.log(log_id).claimed_until
            assert until is not None
            left[log_id] = (until - session.scalars(_NOW).one()).total_seconds()
    assert left[live] == pytest.approx(LEASE_S, abs=3)
    assert left[expired] <= 0
    assert left[foreign] <= 3


def test_abandoned_call_is_as_lost_as_that_of_a_dead_worker(tenant: Tenant) -> None:
    (log_id,) = tenant.store()
    calls = tenant.claim()
    with tenant.database.begin() as session:
        abandon_calls(session, calls)
    assert tenant.claim() == []
    assert tenant.return_expired() == (1, [])
    assert tenant.log(log_id).suspect_size == 2
