"""Writes whose answer was lost after their call was: remembered until it is known what they did."""

import pytest

from shared.queue.claims import ClaimedCall
from shared.queue.outcomes import Outcome
from shared.queue.strays import (
    LOOK_EVERY_S,
    StrayToFind,
    count_look,
    forget_stray,
    move_stray,
    take_strays_to_find,
)
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import HUB, Tenant, ago, skipped, written
from worker.rounds.doubts import LATE_COMMIT_S


def doubted(call: ClaimedCall, *, hub_id: int = HUB, contact_id: str = "7") -> Outcome:
    """A create got no answer."""
    return Outcome(
        call.id,
        call.fence,
        "pending",
        error_code="network_error",
        error_message="Cut off.",
        next_in=10,
        keeps_mark=True,
        hub_id=hub_id,
        contact_id=contact_id,
    )


def take(tenant: Tenant) -> list[StrayToFind]:
    with tenant.database.begin() as session:
        return take_strays_to_find(session, most=9)


def lose_one(tenant: Tenant) -> ClaimedCall:
    """Store a call and lose the claim of it; returns what the frozen worker holds."""
    tenant.connect()
    tenant.store()
    (stale,) = tenant.claim()
    tenant.lose([stale])
    return stale


def test_late_write_of_a_call_that_has_its_note_is_looked_for(tenant: Tenant) -> None:
    stale = lose_one(tenant)
    tenant.record(written(tenant.claim()[0]))

    tenant.record(doubted(stale))

    (late,) = take(tenant)
    assert (late.id, late.hub_id, late.contact_id) == (stale.id, HUB, "7")
    assert (late.connection_id, late.read_back_misses) == (tenant.connection().id, 0)
    assert late.marked_for == pytest.approx(0, abs=5)
    assert tenant.log(stale.id).status == "success"


def test_late_write_of_a_call_that_somebody_holds_leaves_that_claim_alone(tenant: Tenant) -> None:
    stale = lose_one(tenant)
    (held,) = tenant.claim()

    tenant.record(doubted(stale))

    assert tenant.log(stale.id).last_write_at is None
    assert tenant.record(written(held)) == {held.id}
    assert [late.id for late in take(tenant)] == [stale.id]


def test_waiting_call_is_in_doubt_again_after_a_late_write(tenant: Tenant) -> None:
    stale = lose_one(tenant)

    tenant.record(doubted(stale))

    (call,) = tenant.claim()
    assert (call.hub_id, call.contact_id, call.read_back_misses) == (HUB, "7", 0)
    assert call.marked_for == pytest.approx(0, abs=5)
    assert take(tenant) == []  # that doubt is settled like any other


def test_late_write_renews_the_doubt_of_an_earlier_one(tenant: Tenant) -> None:
    stale = lose_one(tenant)
    tenant.change(
        [stale.id], hub_id=HUB, contact_id="7", last_write_at=ago(500), read_back_misses=1
    )

    tenant.record(doubted(stale))

    (call,) = tenant.claim()
    assert call.marked_for == pytest.approx(0, abs=5)
    assert call.read_back_misses == 0


def test_late_write_to_another_contact_leaves_the_doubt_about_this_one(tenant: Tenant) -> None:
    stale = lose_one(tenant)
    tenant.change([stale.id], hub_id=HUB, contact_id="8", last_write_at=ago(500))

    tenant.record(doubted(stale))

    (call,) = tenant.claim()
    assert call.contact_id == "8"
    assert call.marked_for == pytest.approx(500, abs=5)
    assert [late.contact_id for late in take(tenant)] == ["7"]


def test_call_that_was_given_up_is_in_doubt_and_looked_for(tenant: Tenant) -> None:
    stale = lose_one(tenant)
    tenant.record(skipped(tenant.claim()[0]))

    tenant.record(doubted(stale))

    assert tenant.log(stale.id).last_write_at is not None
    assert [late.id for late in take(tenant)] == [stale.id]


def test_doubt_that_was_not_of_this_claim_is_nothing_new(tenant: Tenant) -> None:
    stale = lose_one(tenant)
    tenant.record(written(tenant.claim()[0]))

    tenant.record(Outcome(stale.id, stale.fence, "pending", next_in=10, keeps_mark=True))

    assert take(tenant) == []


def test_late_write_comes_again_until_it_is_forgotten(tenant: Tenant) -> None:
    stale = lose_one(tenant)
    tenant.record(written(tenant.claim()[0]))
    tenant.record(doubted(stale))
    (first,) = take(tenant)
    with tenant.database.begin() as session:
        count_look(session, first)
    assert take(tenant) == []

    tenant.age_strays(LOOK_EVERY_S)
    (second,) = take(tenant)
    assert second.read_back_misses == 1
    assert second.marked_for >= LATE_COMMIT_S
    with tenant.database.begin() as session:
        move_stray(session, second, "8")

    tenant.age_strays(LOOK_EVERY_S)
    (third,) = take(tenant)
    assert (third.contact_id, third.read_back_misses) == ("8", 0)
    with tenant.database.begin() as session:
        forget_stray(session, third)

    tenant.age_strays(LOOK_EVERY_S)
    assert take(tenant) == []


def test_late_write_waits_for_a_connection_to_its_account(
    tenant: Tenant, make_tenant: MakeTenant
) -> None:
    stale = lose_one(tenant)
    tenant.record(written(tenant.claim()[0]))
    tenant.record(doubted(stale))
    tenant.disconnect()
    assert take(tenant) == []

    other = make_tenant("user_2")
    other.connect()
    assert [late.connection_id for late in take(tenant)] == [other.connection().id]
