"""Quotas hold in any minute, for each tenant and action, however many ask at once."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from shared.db import Database
from shared.quotas import MOST_A_MINUTE, Action, use_quota

ADA = {"user_id": "ada", "workspace_id": "ws_1"}


def use(database: Database, action: Action = Action.PREVIEW, **tenant: str) -> float | None:
    with database.begin() as session:
        return use_quota(session, action, **{**ADA, **tenant})


def age(database: Database, seconds: float) -> None:
    """Let time pass."""
    with database.begin() as session:
        session.execute(
            text("""
                UPDATE hubspot_quotas SET used_at = ARRAY(
                    SELECT used - make_interval(secs => :seconds)
                    FROM unnest(used_at) WITH ORDINALITY AS u (used, number) ORDER BY number)
            """),
            {"seconds": seconds},
        )


def test_all_at_once_get_no_more_than_the_quota(empty_database: Database) -> None:
    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(lambda _: use(empty_database), range(2 * MOST_A_MINUTE)))
    assert waits.count(None) == MOST_A_MINUTE


def test_wait_is_told_and_is_enough(empty_database: Database) -> None:
    assert use(empty_database) is None
    age(empty_database, 20)
    for _ in range(MOST_A_MINUTE - 1):
        assert use(empty_database) is None
    wait = use(empty_database)
    assert wait is not None
    assert 30 < wait <= 40
    age(empty_database, wait)
    assert use(empty_database) is None
    # One came free, not all.
    assert use(empty_database) is not None


def test_tenants_and_actions_are_counted_apart(empty_database: Database) -> None:
    for _ in range(MOST_A_MINUTE):
        use(empty_database)
    assert use(empty_database) is not None
    assert use(empty_database, Action.TEST_CALL) is None
    assert use(empty_database, workspace_id="ws_2") is None


def test_row_does_not_grow(empty_database: Database) -> None:
    for _ in range(3 * MOST_A_MINUTE):
        use(empty_database)
        age(empty_database, 61)
    with empty_database.begin() as session:
        kept = session.execute(text("SELECT cardinality(used_at) FROM hubspot_quotas")).scalar_one()
    assert kept == MOST_A_MINUTE
