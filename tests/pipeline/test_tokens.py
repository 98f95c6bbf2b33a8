"""Access tokens are renewed in time, and once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.broker.celery_app import WORKER_THREADS
from shared.connections.access_tokens import LONGEST_MARGIN_S, TokenSource
from shared.connections.oauth_states import open_oauth
from shared.connections.tokens import lock_token
from shared.pacing.limits import TOKENS_BURST
from tests.pipeline.conftest import Interrupted
from tests.pipeline.workspaces import Workspace
from worker.rounds.reports import RoundEnd

LIFETIME_S = 1800


def count_refreshes(workspace: Workspace) -> int:
    """The first token request of an account, that of the code, is logged without an account."""
    return len(workspace.requests("oauth.token"))


def test_token_is_refreshed_before_it_expires(workspace: Workspace) -> None:
    workspace.add_contact()
    workspace.accept()
    workspace.work()
    assert count_refreshes(workspace) == 0

    workspace.advance(LIFETIME_S - LONGEST_MARGIN_S + 1)
    workspace.accept()
    workspace.work()

    assert count_refreshes(workspace) == 1
    assert workspace.outcomes() == [("success", None)] * 2
    assert 401 not in [each.status for each in workspace.requests("notes.batch_create")]


def test_many_turns_of_one_connection_refresh_its_token_once(workspace: Workspace) -> None:
    workspace.add_contact()
    for _ in range(350):
        workspace.accept()
    workspace.advance(LIFETIME_S)
    workspace.sandbox.add_fault("oauth.token", "slow", seconds=0.3)

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(lambda _: workspace.turn(), range(8)))
    workspace.work_after(1)

    assert RoundEnd.WORKED in ends
    assert count_refreshes(workspace) == 1
    assert workspace.outcomes() == [("success", None)] * 350
    assert len(workspace.notes()) == 350


def test_turn_that_finds_its_token_being_refreshed_puts_the_calls_off_for_a_second(
    workspace: Workspace,
) -> None:
    log_id = workspace.accept()
    workspace.advance(LIFETIME_S)

    with workspace.worker.database.begin() as another_worker:
        lock_token(another_worker, workspace.connection_id)
        workspace.work()

    assert count_refreshes(workspace) == 0
    assert workspace.log(log_id).attempts == 0
    assert workspace.due_in(log_id) == pytest.approx(1, abs=0.9)


def test_token_that_was_refreshed_while_a_worker_waited_is_not_refreshed_again(
    workspace: Workspace,
) -> None:
    workspace.advance(LIFETIME_S)
    # Both workers have seen the old token by the time that the first may refresh it.
    for _ in range(TOKENS_BURST):
        workspace.worker.limits.reserve_token_request(longest_wait=0)

    with ThreadPoolExecutor(2) as pool:
        tokens = list(pool.map(workspace.worker.tokens.access_token, [workspace.connection_id] * 2))

    assert count_refreshes(workspace) == 1
    assert tokens[0] == tokens[1]


def test_refresh_token_that_hubspot_replaces_is_kept(workspace: Workspace) -> None:
    workspace.sandbox.set_behaviour(rotates_refresh_tokens=True)
    workspace.add_contact()

    for _ in range(2):
        workspace.advance(LIFETIME_S)
        workspace.accept()
        workspace.work()

    assert count_refreshes(workspace) == 2
    assert workspace.outcomes() == [("success", None)] * 2


def test_refresh_token_that_hubspot_replaces_outlives_the_transaction_it_was_asked_in(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    def end_transactions() -> None:
        """As Postgres does when a worker stalls in one."""
        with workspace.worker.database.begin() as session:
            session.execute(
                text("""
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE state = 'idle in transaction' AND datname = current_database()
                """)
            )

    workspace.sandbox.set_behaviour(rotates_refresh_tokens=True)
    workspace.add_contact()
    workspace.accept()
    workspace.advance(LIFETIME_S)
    stalled = interrupted("/token", end_transactions, is_after=True)
    tokens = TokenSource(
        database=stalled.database,
        redis=stalled.redis,
        limits=stalled.limits,
        cipher=stalled.cipher,
        oauth=open_oauth(stalled.settings, stalled.http),
    )
    with pytest.raises(DBAPIError):
        tokens.access_token(workspace.connection_id)

    workspace.work()

    assert workspace.outcomes() == [("success", None)]
    assert count_refreshes(workspace) == 1


def test_failing_refresh_is_harmless_while_the_old_token_lives(workspace: Workspace) -> None:
    workspace.add_contact()
    workspace.advance(LIFETIME_S - LONGEST_MARGIN_S + 1)
    workspace.sandbox.add_fault("oauth.token", "html")
    workspace.accept()

    workspace.work()

    assert workspace.outcomes() == [("success", None)]


@pytest.mark.parametrize("endpoint", ["contacts.search", "notes.batch_create"])
def test_token_that_hubspot_refuses_early_is_renewed_and_the_request_repeated(
    workspace: Workspace, endpoint: str
) -> None:
    workspace.add_contact()
    workspace.accept()
    workspace.sandbox.add_fault(
        endpoint, "status", times=1, status=401, category="EXPIRED_AUTHENTICATION"
    )

    workspace.work()

    assert count_refreshes(workspace) == 1
    assert [each.status for each in workspace.requests(endpoint)] in ([401, 200], [401, 201])
    assert workspace.outcomes() == [("success", None)]
    assert len(workspace.notes()) == 1


@pytest.mark.parametrize("endpoint", ["contacts.search", "notes.batch_create"])
def test_token_refused_although_it_is_new_is_retried_later(
    workspace: Workspace, endpoint: str
) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault(endpoint, "status", status=401, category="INVALID_AUTHENTICATION")

    workspace.work()

    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("pending", "hubspot_unavailable")
    assert log.last_write_at is None
    assert len(workspace.requests(endpoint)) == 2

    workspace.sandbox.clear_faults()
    workspace.work_after(10)
    assert workspace.outcomes() == [("success", None)]


def test_every_thread_of_a_worker_may_store_a_token_inside_of_the_refresh(
    workspace: Workspace,
) -> None:
    database = workspace.worker.database
    all_refresh = Barrier(WORKER_THREADS)

    def refresh(_: int) -> int:
        with database.begin() as asking:
            asking.execute(text("SELECT 1"))
            all_refresh.wait(timeout=240)
            with database.begin() as storing:
                return int(storing.execute(text("SELECT 1")).scalar_one())

    with ThreadPoolExecutor(WORKER_THREADS) as pool:
        assert sum(pool.map(refresh, range(WORKER_THREADS))) == WORKER_THREADS
