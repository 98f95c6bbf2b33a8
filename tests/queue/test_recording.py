"""Recording outcomes: the fence decides, a note always counts, a second note is remembered."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from shared.queue.outcomes import Outcome, hasten_raw_searches, record_outcomes
from shared.queue.strays import Surplus, add_surplus, forget_stray, take_strays_to_archive
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import HUB, STARTED_AT, Tenant, ago, skipped, written
from tests.queue.waiting import wait_until_blocked


def test_outcomes_of_a_batch_are_stored_whole(tenant: Tenant) -> None:
    tenant.store(3, hub_id=HUB, contact_id="7", last_write_at=ago(30), looks=2)
    first, second, third = tenant.claim()
    waiting = Outcome(
        second.id,
        second.fence,
        "pending",
        error_code="network_error",
        error_message="Cut off.",
        next_in=60,
        lane=2,
        searches_done=1,
        calculated_searched=True,
        failures=4,
        is_failing=True,
        keeps_mark=True,
        read_back_misses=1,
    )
    assert tenant.record(written(first), waiting, skipped(third)) == {
        first.id,
        second.id,
        third.id,
    }

    one, two, three = tenant.logs([first.id, second.id, third.id])
    assert (one.status, one.engagement_id, one.last_write_at) == ("success", "9", None)
    assert (two.status, two.error_code, two.lane, two.looks) == ("pending", "network_error", 2, 1)
    assert (two.raw_lookup, two.failures, two.read_back_misses) == (True, 4, 1)
    assert two.failing_since is not None
    assert two.last_write_at is not None
    assert tenant.due_in(two.id) == pytest.approx(60, abs=5)
    assert (three.status, three.next_attempt_at, three.last_write_at) == ("skipped", None, None)
    assert {log.claimed_by for log in (one, two, three)} == {None}
    assert {log.attempts for log in (one, two, three)} == {1}


def test_failing_since_is_when_the_first_failure_was(tenant: Tenant) -> None:
    (log_id,) = tenant.store(failing_since=ago(5000))
    (call,) = tenant.claim()
    tenant.record(Outcome(call.id, call.fence, "pending", next_in=0, is_failing=True))
    (call,) = tenant.claim()
    assert call.failing_for == pytest.approx(5000, abs=5)
    tenant.record(Outcome(call.id, call.fence, "pending", next_in=0))
    assert tenant.log(log_id).failing_since is None


def test_outcome_names_only_what_it_overwrites(tenant: Tenant) -> None:
    (log_id,) = tenant.store(hub_id=HUB, contact_id="7")
    (call,) = tenant.claim()
    tenant.record(
        Outcome(call.id, call.fence, "error", error_code="rejected_by_hubspot", error_message="x")
    )
    log = tenant.log(log_id)
    assert (log.hub_id, log.contact_id, log.phone_number) == (HUB, "7", "+12025550123")


def test_outcome_of_a_lost_claim_is_dropped(tenant: Tenant) -> None:
    (log_id,) = tenant.store()
    (stale,) = tenant.claim()
    tenant.release([stale])
    assert tenant.record(skipped(stale)) == frozenset()
    (held,) = tenant.claim()
    assert tenant.record(skipped(stale)) == frozenset()
    log = tenant.log(log_id)
    assert (log.status, log.fence, log.claimed_by) == ("pending", held.fence, "turn_1")
    assert tenant.attempts(log_id) == []


def test_note_counts_even_after_the_claim_was_lost(tenant: Tenant) -> None:
    (log_id,) = tenant.store()
    (stale,) = tenant.claim()
    tenant.lose([stale])
    (held,) = tenant.claim()
    assert tenant.record(written(stale)) == {log_id}
    assert tenant.record(skipped(held)) == frozenset()
    log = tenant.log(log_id)
    assert (log.status, log.engagement_id, log.claimed_by) == ("success", "9", None)


def test_note_counts_even_when_the_call_was_given_up(tenant: Tenant) -> None:
    (log_id,) = tenant.store()
    (stale,) = tenant.claim()
    tenant.change(
        [log_id],
        status="error",
        error_code="hubspot_unavailable",
        error_message="x",
        next_attempt_at=None,
        claimed_by=None,
        claimed_until=None,
        claim_size=None,
    )
    tenant.record(written(stale))
    log = tenant.log(log_id)
    assert (log.status, log.error_code, log.error_message) == ("success", None, None)


def test_second_note_is_remembered_as_surplus(tenant: Tenant) -> None:
    (log_id,) = tenant.store()
    (call,) = tenant.claim()
    tenant.record(written(call, "9"))
    assert tenant.record(written(call, "9")) == frozenset()
    assert tenant.surplus_notes() == set()

    assert tenant.record(written(call, "10")) == frozenset()
    assert tenant.log(log_id).engagement_id == "9"
    assert tenant.surplus_notes() == {(HUB, "10", log_id)}
    assert len(tenant.attempts(log_id)) == 1


def test_two_notes_recorded_at_the_same_time_are_both_accounted_for(tenant: Tenant) -> None:
    (log_id,) = tenant.store()
    (call,) = tenant.claim()
    with ThreadPoolExecutor(1) as pool:
        with tenant.database.begin() as session:
            record_outcomes(session, [written(call, "9")], started_at=STARTED_AT)
            other = pool.submit(tenant.record, written(call, "10"))
            wait_until_blocked(tenant.database)
        assert other.result() == frozenset()
    assert tenant.log(log_id).engagement_id == "9"
    assert tenant.surplus_notes() == {(HUB, "10", log_id)}


def test_surplus_note_is_offered_until_it_is_archived(
    tenant: Tenant, make_tenant: MakeTenant
) -> None:
    (log_id,) = tenant.store()
    with tenant.database.begin() as session:
        add_surplus(session, [Surplus(log_id, HUB, each) for each in ["10", "11"]])
        add_surplus(session, [Surplus(log_id, HUB, each) for each in ["10"]])
        assert take_strays_to_archive(session, most=9) == []  # nobody is connected who could
    make_tenant("user_2").connect()
    with tenant.database.begin() as session:
        due = take_strays_to_archive(session, most=9)
        assert sorted(note.activity_id for note in due) == ["10", "11"]
        assert take_strays_to_archive(session, most=9) == []  # not again so soon
        forget_stray(session, due[0])
    assert len(tenant.surplus_notes()) == 1


def test_note_that_a_log_names_is_never_offered_for_archiving(tenant: Tenant) -> None:
    tenant.connect()
    (log_id,) = tenant.store()
    (call,) = tenant.claim()
    tenant.record(written(call, "9"))
    with tenant.database.begin() as session:
        add_surplus(session, [Surplus(log_id, HUB, each) for each in ["9", "10"]])
        assert [note.activity_id for note in take_strays_to_archive(session, most=9)] == ["10"]


def test_attempt_is_kept_with_what_hubspot_said(tenant: Tenant) -> None:
    tenant.store()
    (call,) = tenant.claim()
    outcome = replace(skipped(call), http_status=400, correlation_id="c-1")
    tenant.record(outcome)
    (attempt,) = tenant.attempts(call.id)
    assert (attempt.outcome, attempt.error_code, attempt.message) == (
        "skipped",
        "contact_not_found",
        "Nobody has it.",
    )
    assert (attempt.http_status, attempt.correlation_id) == (400, "c-1")
    assert attempt.started_at == STARTED_AT


def test_mere_wait_is_no_attempt(tenant: Tenant) -> None:
    (log_id,) = tenant.store()
    (call,) = tenant.claim()
    tenant.record(Outcome(call.id, call.fence, "pending", next_in=5, is_attempt=False))
    assert tenant.log(log_id).attempts == 0
    assert tenant.attempts(log_id) == []


def test_collected_raw_lookups_are_due_once_they_fill_a_search(tenant: Tenant) -> None:
    waiting = tenant.store(4, raw_lookup=True, next_attempt_at=ago(-4))
    untouched = [
        *tenant.store(1, next_attempt_at=ago(-4)),
        *tenant.store(1, raw_lookup=True, next_attempt_at=ago(-4), failing_since=ago(9)),
        *tenant.store(1, raw_lookup=True, next_attempt_at=ago(-600)),
        *tenant.store(1, raw_lookup=True, looks=1, next_attempt_at=ago(-4)),
    ]

    def hasten() -> int:
        with tenant.database.begin() as session:
            return hasten_raw_searches(session, **tenant.identity, searches_done={0, 2}, enough=5)

    assert hasten() == 0
    waiting += tenant.store(1, raw_lookup=True, next_attempt_at=ago(-4))
    assert hasten() == 5
    assert {call.id for call in tenant.claim()} == set(waiting)
    assert all(tenant.due_in(log_id) > 0 for log_id in untouched)


def test_raw_look_ups_that_would_fill_a_part_of_a_search_go_on_waiting(tenant: Tenant) -> None:
    (newest, *others) = tenant.store(12, raw_lookup=True, next_attempt_at=ago(-4))
    tenant.change([newest], next_attempt_at=ago(-5))
    with tenant.database.begin() as session:
        hastened = hasten_raw_searches(session, **tenant.identity, searches_done={0}, enough=5)
    assert hastened == 10
    due = {call.id for call in tenant.claim()}
    assert len(due) == 10
    assert due < {*others}


@pytest.mark.parametrize("next_in", [None, 30.0])
def test_call_that_nobody_was_found_for_names_no_contact(
    tenant: Tenant, next_in: float | None
) -> None:
    tenant.connect()
    (log_id,) = tenant.store(contact_id="7", hub_id=HUB)
    (call,) = tenant.claim()
    tenant.record(skipped(call, next_in=next_in))
    log = tenant.log(log_id)
    assert (log.error_code, log.contact_id) == ("contact_not_found", None)


def test_contact_of_a_write_in_doubt_is_kept_whatever_the_reason(tenant: Tenant) -> None:
    tenant.connect()
    (log_id,) = tenant.store(contact_id="7", hub_id=HUB, last_write_at=ago(5))
    (call,) = tenant.claim()
    tenant.record(replace(skipped(call, next_in=30), keeps_mark=True))
    assert tenant.log(log_id).contact_id == "7"
