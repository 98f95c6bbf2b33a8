"""What is known of an account: pauses, width, refused properties."""

from sqlalchemy import text

from shared.connections import accounts
from shared.connections.accounts import AccountState
from tests.queue.tenants import HUB, Tenant


def load(tenant: Tenant) -> AccountState:
    with tenant.database.begin() as session:
        return accounts.load_account(session, HUB)


def pause(tenant: Tenant, seconds: float) -> None:
    with tenant.database.begin() as session:
        accounts.pause_account(session, HUB, seconds=seconds, reason=f"for {seconds}")


def fail(tenant: Tenant) -> int:
    with tenant.database.begin() as session:
        return accounts.count_failed_round(session, HUB)


def succeed(tenant: Tenant) -> int:
    with tenant.database.begin() as session:
        accounts.record_good_round(session, HUB)
    return load(tenant).turn_width


def test_account_nobody_knows_is_unpaused_and_full_width(tenant: Tenant) -> None:
    assert load(tenant) == AccountState(HUB)
    assert not load(tenant).is_recovering


def test_pause_is_never_shortened(tenant: Tenant) -> None:
    pause(tenant, 100)
    pause(tenant, 5)
    assert 90 < load(tenant).paused_for <= 100
    pause(tenant, 200)
    assert 190 < load(tenant).paused_for <= 200


def test_pause_that_is_over_may_be_followed_by_a_shorter_one(tenant: Tenant) -> None:
    pause(tenant, -50)
    state = load(tenant)
    assert (state.paused_for, state.was_paused, state.is_recovering) == (0, True, True)
    pause(tenant, 5)
    assert 0 < load(tenant).paused_for <= 5


def test_second_failing_turn_narrows_to_one_and_good_turns_widen_by_doubling(
    tenant: Tenant,
) -> None:
    assert (fail(tenant), load(tenant).turn_width) == (1, 4)
    assert (fail(tenant), load(tenant).turn_width) == (2, 1)
    assert (fail(tenant), load(tenant).turn_width) == (3, 1)
    assert [succeed(tenant) for _ in range(3)] == [2, 4, 4]
    assert not load(tenant).is_recovering
    assert fail(tenant) == 1


def test_good_turn_ends_no_pause_that_still_runs(tenant: Tenant) -> None:
    pause(tenant, 60)
    fail(tenant)
    succeed(tenant)
    assert load(tenant).paused_for > 50
    assert load(tenant).failing_turns == 0


def test_good_turn_forgets_a_pause_that_is_over(tenant: Tenant) -> None:
    pause(tenant, -1)
    succeed(tenant)
    assert not load(tenant).was_paused


def test_refused_properties_are_left_out_for_a_while(tenant: Tenant) -> None:
    with tenant.database.begin() as session:
        accounts.remember_raw_search(session, HUB)
    assert load(tenant).is_raw_search
    with tenant.database.begin() as session:
        session.execute(text("UPDATE hubspot_accounts SET raw_search_until = now()"))
    assert not load(tenant).is_raw_search


def refused(tenant: Tenant) -> set[str]:
    return set(load(tenant).refused_properties)


def test_refused_phone_properties_add_up_and_are_forgotten_in_time(tenant: Tenant) -> None:
    for names in (["direct_line"], ["direct_line", "desk"]):
        with tenant.database.begin() as session:
            accounts.remember_refused_properties(session, HUB, names)
    assert refused(tenant) == {"direct_line", "desk"}
    with tenant.database.begin() as session:
        session.execute(text("UPDATE hubspot_accounts SET refused_properties_until = now()"))
    assert refused(tenant) == set()
    with tenant.database.begin() as session:
        accounts.remember_refused_properties(session, HUB, ["fax"])
    assert refused(tenant) == {"fax"}
    with tenant.database.begin() as session:
        accounts.forget_refused_properties(session, HUB)
    assert refused(tenant) == set()
