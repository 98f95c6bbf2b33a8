"""Calls whose worker died: claimed in ever smaller batches until the one at fault is alone."""

from collections import Counter
from contextlib import ExitStack
from typing import Any, Final

import pytest

from shared.queue.claims import claim_due_calls
from tests.queue.conftest import MakeTenant
from tests.queue.tenants import Tenant, ago, skipped

MARKED: Final[dict[str, Any]] = {"hub_id": 101, "contact_id": "7", "last_write_at": ago(60)}


def test_live_claims_are_not_returned(tenant: Tenant) -> None:
    tenant.store(2)
    tenant.claim(1)
    lost = tenant.claim(1)
    tenant.change([lost[0].id], claimed_until=ago(1))
    assert tenant.return_expired() == (1, [])
    assert tenant.log(lost[0].id).claimed_by is None


def test_lost_batch_is_claimed_again_by_halves(tenant: Tenant) -> None:
    tenant.store(9)
    tenant.lose(tenant.claim())
    sizes = []
    while calls := tenant.claim():
        sizes.append(len(calls))
        tenant.record(*[skipped(call) for call in calls])
    assert sizes == [4, 4, 1]


def test_suspects_are_claimed_apart_from_calls_beyond_suspicion(tenant: Tenant) -> None:
    tenant.store(4)
    suspects = tenant.claim()
    tenant.lose(suspects)
    fresh = tenant.store(3)
    first, second, third = tenant.claim(), tenant.claim(), tenant.claim()
    assert {call.id for call in first + second} == {call.id for call in suspects}
    assert len(first) == len(second) == 2
    assert {call.id for call in third} == set(fresh)


def lose_alone(tenant: Tenant) -> None:
    """Store a call, and lose its claim twice: the second time it was suspected already."""
    tenant.store()
    tenant.lose(tenant.claim())
    tenant.lose(tenant.claim())


def test_calls_of_a_dead_host_are_tried_again_beside_each_other(
    tenant: Tenant, make_tenant: MakeTenant
) -> None:
    tenants = [make_tenant(f"user_{number}") for number in range(9)]
    for each in tenants:
        each.store()
        each.lose(each.claim())
    with ExitStack() as stack:
        held = [
            claim_due_calls(
                stack.enter_context(tenant.database.begin()),
                **each.identity,
                claim_id=each.user_id,
                most=9,
            )
            for each in tenants  # none is committed before the last of them is claimed
        ]
    assert [len(calls) for calls in held] == [1] * 9


def test_suspect_that_is_held_alone_is_the_only_one_held(
    tenant: Tenant, make_tenant: MakeTenant
) -> None:
    other = make_tenant("user_2")
    for each in (tenant, other):
        lose_alone(each)
    with tenant.database.begin() as one, tenant.database.begin() as two:
        held = claim_due_calls(one, **tenant.identity, claim_id="turn_1", most=9)
        assert len(held) == 1
        assert claim_due_calls(two, **other.identity, claim_id="turn_2", most=9) == []
    # Committed, and still held.
    assert other.claim() == []
    tenant.record(skipped(held[0]))
    assert len(other.claim()) == 1


@pytest.mark.parametrize("calls", [1, 2, 9])
def test_suspect_can_be_claimed_by_the_release_before(tenant: Tenant, calls: int) -> None:
    """That one claims as many as the size says, and holds those of size 1 alone."""
    ids = tenant.store(calls)
    while any(each.suspect_size != 1 for each in tenant.logs(ids)):
        tenant.lose(tenant.claim())
        assert all(each.suspect_size is None or each.suspect_size >= 1 for each in tenant.logs(ids))
    alone = tenant.claim()
    assert len(alone) == 1
    tenant.lose(alone)
    assert tenant.log(alone[0].id).solo_crashes == 1


@pytest.mark.parametrize("calls", [1, 2, 9])
def test_no_suspect_is_held_beside_one_that_is_held_alone(
    tenant: Tenant, make_tenant: MakeTenant, calls: int
) -> None:
    other = make_tenant("user_2")
    lose_alone(tenant)
    other.store(calls)
    other.lose(other.claim())
    with tenant.database.begin() as one, tenant.database.begin() as two:
        beside = claim_due_calls(one, **other.identity, claim_id="turn_1", most=9)
        assert beside
        assert claim_due_calls(two, **tenant.identity, claim_id="turn_2", most=9) == []
    assert tenant.claim() == []
    other.lose(beside)  # alone from now on, or in smaller batches
    (alone,) = tenant.claim()
    assert other.claim() == []
    tenant.record(skipped(alone))
    assert other.claim()


def test_killer_among_the_calls_of_a_dead_host_is_found_and_no_innocent_is_convicted(
    make_tenant: MakeTenant,
) -> None:
    """Each round a process takes up what it may, and dies of it if the killer is among that."""
    tenants = [make_tenant(f"user_{number}") for number in range(32)]
    (killer,) = tenants[20].store()
    for each in tenants:
        if each is not tenants[20]:
            each.store()
    for each in tenants:
        each.lose(each.claim())
    crashes: Counter[str] = Counter()
    poisonous: list[str] = []
    for _ in range(64):
        held = [(each, calls) for each in tenants if (calls := each.claim())]
        is_fatal = killer in {call.id for _, calls in held for call in calls}
        for each, calls in held:
            if is_fatal:
                crashes.update(call.id for call in calls)
                poisonous += each.lose(calls)
            else:
                each.record(*[skipped(call) for call in calls])

    assert poisonous == [killer]
    assert crashes[killer] == 4  # once beside the others, three times alone
    assert {count for log_id, count in crashes.items() if log_id != killer} == {1}
    assert [each.claim() for each in tenants] == [[]] * 32


def test_call_at_fault_is_poison_after_three_crashes_alone_and_its_neighbours_are_not(
    tenant: Tenant,
) -> None:
    ids = tenant.store(10)
    fatal = ids[6]
    poisonous: list[str] = []
    crashes = 0
    while calls := tenant.claim():
        if fatal in {call.id for call in calls}:
            crashes += 1
            poisonous += tenant.lose(calls)
        else:
            tenant.record(*[skipped(call) for call in calls])

    assert poisonous == [fatal]
    assert crashes == 7  # among 10, 5 and 2, beside others, then three times alone
    log = tenant.log(fatal)
    assert (log.status, log.error_code, log.next_attempt_at) == ("error", "poison", None)
    assert log.suspect_size is None
    innocents = tenant.logs([log_id for log_id in ids if log_id != fatal])
    assert {(log.status, log.suspect_size, log.solo_crashes) for log in innocents} == {
        ("skipped", None, 0)
    }


def test_result_acquits_a_suspect(tenant: Tenant) -> None:
    (log_id,) = tenant.store()
    for _ in range(4):
        assert tenant.lose(tenant.claim()) == []
    assert tenant.log(log_id).solo_crashes == 2
    tenant.record(skipped(tenant.claim()[0], next_in=0))
    log = tenant.log(log_id)
    assert (log.suspect_size, log.solo_crashes) == (None, 0)
    assert tenant.lose(tenant.claim()) == []


def test_suspect_that_is_put_off_stays_one(tenant: Tenant) -> None:
    tenant.store(8)
    tenant.lose(tenant.claim())
    tenant.release(tenant.claim())
    assert len(tenant.claim()) == 4


def test_poison_keeps_the_mark_of_a_write_in_doubt(tenant: Tenant) -> None:
    (log_id,) = tenant.store(**MARKED)
    poisonous: list[str] = []
    while calls := tenant.claim():
        poisonous += tenant.lose(calls)
    assert poisonous == [log_id]
    assert tenant.log(log_id).last_write_at is not None


@pytest.mark.parametrize(("mark", "crashes"), [({}, 5), (MARKED, 8)])
def test_call_with_a_mark_is_read_back_as_often_before_it_is_judged(
    tenant: Tenant, mark: dict[str, Any], crashes: int
) -> None:
    (log_id,) = tenant.store(**mark)
    for _ in range(crashes - 1):  # of which two say nothing: nobody was suspected, or held alone
        assert tenant.lose(tenant.claim()) == []
    assert tenant.lose(tenant.claim()) == [log_id]
