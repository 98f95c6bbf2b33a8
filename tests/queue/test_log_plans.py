"""What is read for a page of the sync log, its total and the operators, whatever the log holds."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from local.databases import fresh_database
from shared.database.engines import Database
from shared.log.sync_logs import LogFilter, count_logs, find_logs
from shared.log.trouble import read_trouble

CALLS = 20_000
PAGE = 50
KEPT = 100
UPDATES = 20
ENOUGH = 12  # for Postgres to settle for a plan that does not depend on the values
OTHER, CROWDED, SMALL = "user_other", "user_crowded", "user_small"
NUMBERS = {OTHER: "+12025550101", CROWDED: "+12025550102", SMALL: "+12025550103"}
# Neither follows from the other, as far as Postgres's statistics go.
STATUSES = (("error",), ("skipped",), ("pending",), ("error", "skipped"), None)
CODES = ("rejected_by_hubspot", "hubspot_unavailable", "contact_not_found", None)

# Each user's calls fail for a reason of their own; some are skipped for the same one.
FILL = """
    INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, phone_number, status,
        error_code, error_message, hub_id, contact_id, engagement_id, next_attempt_at, created_at)
    SELECT %(user)s || n, %(user)s, 'ws_1', n::text, %(number)s, kind.status,
        CASE kind.status WHEN 'skipped' THEN 'contact_not_found' WHEN 'error' THEN %(code)s END,
        CASE WHEN kind.status <> 'success' THEN 'Why.' END,
        1, '7', CASE WHEN kind.status = 'success' THEN %(user)s || n END, NULL,
        now() - interval '1 second' * n
    FROM generate_series(1, %(calls)s) AS n, LATERAL (
        SELECT CASE WHEN n %% 4 < 2 THEN 'success' WHEN n %% 4 = 2 THEN 'skipped'
                    ELSE 'error' END AS status) AS kind
"""


@pytest.fixture(scope="module")
def log(postgres_server_url: str, template_url: str) -> Iterator[Database]:
    """A log in which two users have many calls and one has few."""
    with fresh_database(postgres_server_url, template_url=template_url) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for user, code, calls in (
                (OTHER, "hubspot_unavailable", CALLS),
                (CROWDED, "rejected_by_hubspot", 2 * CALLS),
                (SMALL, "rejected_by_hubspot", 100),
            ):
                given = {"user": user, "code": code, "calls": calls, "number": NUMBERS[user]}
                connection.execute(FILL, given)
            # The newest calls have not lost their contents yet.
            connection.execute(
                """
                INSERT INTO calls (log_id, payload, received_at)
                SELECT id, '{}', created_at FROM hubspot_sync_logs
                ORDER BY created_at DESC LIMIT %s
            """,
                [KEPT],
            )
            # Some of the oldest could not be completed.
            connection.execute(
                """
                INSERT INTO activity_updates (log_id, user_id, workspace_id, hub_id, state)
                SELECT id, user_id, workspace_id, 1, 'failed' FROM hubspot_sync_logs
                WHERE status = 'success' AND user_id <> %s ORDER BY created_at LIMIT %s
            """,
                [SMALL, UPDATES],
            )
            connection.execute("VACUUM ANALYZE")
        database = Database(url.replace("postgresql:", "postgresql+psycopg:", 1))
        yield database
        database.dispose()


def count_rows_read(session: Session) -> int:
    """Rows of the table itself that this connection has read so far."""
    query = text("""
        SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables
        WHERE relname = 'hubspot_sync_logs'
    """)
    return int(session.execute(query).scalar_one())


def require_little(log: Database, wanted: LogFilter, *, rows_a_call: int = 1) -> None:
    """Fail unless a page and its total read no more of the log than they show."""
    with log.begin() as session:
        for _ in range(ENOUGH):
            before = count_rows_read(session)
            shown = len(find_logs(session, wanted, limit=PAGE).logs)
            total = count_logs(session, wanted)
            rows_read = count_rows_read(session) - before
    assert shown == min(PAGE, total)
    # The total is told by an index alone, if `rows_a_call` is one.
    assert rows_read <= rows_a_call * (PAGE + 1) * len(wanted.alternatives())


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("statuses", STATUSES)
@pytest.mark.parametrize("user_id", [OTHER, CROWDED, SMALL])
def test_filter_by_status_and_code_reads_what_it_shows(
    log: Database, user_id: str, statuses: tuple[str, ...] | None, code: str | None
) -> None:
    require_little(log, LogFilter(user_id, "ws_1", statuses=statuses, error_code=code))


@pytest.mark.parametrize("number", NUMBERS.values())
@pytest.mark.parametrize("user_id", [OTHER, CROWDED, SMALL])
def test_filter_by_number_reads_what_it_shows(log: Database, user_id: str, number: str) -> None:
    require_little(log, LogFilter(user_id, "ws_1", phone_numbers=("(202) 555", number)))


@pytest.mark.parametrize("update", ["failed", "deleted"])
@pytest.mark.parametrize("user_id", [OTHER, CROWDED, SMALL])
def test_filter_by_update_reads_what_it_shows(log: Database, user_id: str, update: str) -> None:
    require_little(log, LogFilter(user_id, "ws_1", updates=(update,)), rows_a_call=2)


def test_pages_of_several_states_follow_one_another(log: Database) -> None:
    wanted = LogFilter(OTHER, "ws_1", statuses=("error", "skipped"))
    with log.begin() as session:
        whole = find_logs(session, wanted, limit=3 * PAGE)
        first = find_logs(session, wanted, limit=PAGE)
        by_cursor = find_logs(session, wanted, limit=PAGE, after=first.next_position)
        by_offset = find_logs(session, wanted, limit=PAGE, offset=2 * PAGE)
    ids = [each.id for page in (first, by_cursor, by_offset) for each in page.logs]
    assert ids == [each.id for each in whole.logs]
    assert {each.status for each in whole.logs} == {"error", "skipped"}
    assert whole.logs == sorted(whole.logs, key=lambda each: each.created_at, reverse=True)


def test_operators_view_reads_nothing_whose_contents_are_deleted(log: Database) -> None:
    with log.begin() as session:
        before = count_rows_read(session)
        trouble = read_trouble(session)
        rows_read = count_rows_read(session) - before
    assert {each.error_code for each in trouble.failed_calls} == set(CODES[:2])
    assert rows_read <= KEPT
