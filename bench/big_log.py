"""What is polled and swept, with ten million calls in one connection beside ten thousand."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from statistics import median
from typing import Final

import psycopg
import requests
from psycopg import sql

from bench.results import Goal, Result
from bench.rig import Rig
from local import services
from local.databases import create_database, migrate
from local.processes import free_port
from local.visitor import sign_in
from shared.configuration.settings import DatabaseSettings
from shared.database.engines import Database
from shared.queue.claims import claim_due_calls, return_expired_claims
from shared.queue.waiting import find_waiting_tenants

FEW: Final = 10_000
MANY: Final = 10_000_000
DUE: Final = 1000
TRIES: Final = 25
SECONDS: Final = 1.0  # of tries at least
DEEP: Final = 0.5  # of the log lies before the deep page
MS: Final = 1000
USER, WORKSPACE = "user_1", "ws_1"

# A year of calls: most synced, some without a contact, some refused. Ids grow with time.
_FILL: Final = """
    INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, phone_number, status,
        error_code, error_message, hub_id, contact_id, engagement_id, attempts, next_attempt_at,
        created_at, updated_at)
    SELECT 'hs_' || lpad(to_hex(n), 32, '0'), %(user)s, %(workspace)s, 'call_' || n,
        '+1202' || 2000000 + n %% 1000000, kind.status, kind.error_code, kind.message,
        1, CASE WHEN kind.status = 'success' THEN (n %% 1000000)::text END,
        CASE WHEN kind.status = 'success' THEN n::text END, 1, NULL, made.at, made.at
    FROM generate_series(1, %(count)s) n,
        LATERAL (SELECT now() - interval '1 year' * (1 - n::float / %(count)s) AS at) made,
        LATERAL (SELECT CASE WHEN n %% 20 < 17 THEN 'success' WHEN n %% 20 < 19 THEN 'skipped'
                             ELSE 'error' END AS status) sort,
        LATERAL (SELECT sort.status,
            CASE sort.status WHEN 'skipped' THEN 'contact_not_found'
                             WHEN 'error' THEN 'rejected_by_hubspot' END AS error_code,
            CASE sort.status WHEN 'success' THEN NULL ELSE 'Why this call has no note.' END
                AS message) kind
"""
_ADD_DUE: Final = """
    INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, phone_number)
    SELECT 'hs_f' || lpad(to_hex(n), 31, '0'), %(user)s, %(workspace)s, 'due_' || n, '+12025550123'
    FROM generate_series(1, %(count)s) n
"""


def measure(runs: int) -> Iterator[Result]:
    """Each query through the API, and the workers' own, on both logs in turn."""
    with (
        Rig(workers=0, beat=False) as rig,
        _log(rig, "few", FEW) as few,
        _log(rig, "many", MANY) as many,
    ):
        small, large = _questions(few), _questions(many)
        for name, ask in small.items():
            ours, peers = [], []
            for _ in range(runs):
                peer, our = _took(ask, large[name])
                peers.append(peer)
                ours.append(our)
            yield Result(
                f"{name}, {MANY:,} calls in the log",
                "ms",
                ours,
                peers,
                f"{FEW:,} calls",
                Goal(1.5, is_least=False),
            )


def _questions(log: "_Log") -> Mapping[str, Callable[[], object]]:
    """What is asked of a log, by name."""

    def get(path: str) -> Callable[[], object]:
        return lambda: log.get(path)

    deep = log.deep_cursor()
    return {
        "sync log: first page": get("sync-logs"),
        "sync log: page by cursor, half way down": get(f"sync-logs?cursor={deep}"),
        "sync log: errors of one code": get(
            "sync-logs?status=error&error_code=rejected_by_hubspot"
        ),
        "sync log: one phone number": get("sync-logs?phone=%2B12022000077"),
        "status": get("status"),
        "claim of 100 due calls": log.claim,
        "sweep": log.sweep,
    }


class _Log:
    """A sync log of some length behind an API of its own."""

    def __init__(self, api_url: str, token: str, database: Database) -> None:
        self._api_url = api_url
        self._database = database
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str) -> dict[str, object]:
        answer = self._session.get(f"{self._api_url}/api/hubspot/{path}", timeout=60)
        answer.raise_for_status()
        found: dict[str, object] = answer.json()
        return found

    def deep_cursor(self) -> object:
        """A cursor in the middle of the log: from a page that a filter by time begins there."""
        until = int((time.time() - timedelta(days=365).total_seconds() * DEEP) * MS)
        return self.get(f"sync-logs?to={until}")["next_cursor"]

    def claim(self) -> None:
        with self._database.begin() as session:
            found = claim_due_calls(
                session, user_id=USER, workspace_id=WORKSPACE, claim_id="bench", most=100
            )
            if not found:
                raise RuntimeError("nothing was due")
            session.rollback()

    def sweep(self) -> None:
        with self._database.begin() as session:
            return_expired_claims(session)
            find_waiting_tenants(session)


@contextmanager
def _log(rig: Rig, name: str, count: int) -> Iterator[_Log]:
    """A database with so many calls, and an API before it."""
    url = create_database(rig.server_url, f"callsync_{name}")
    env = {"DATABASE_URL": url}
    migrate({**rig.stack.env, **env})
    with psycopg.connect(url, autocommit=True) as connection:
        _fill(connection, count)
    api_url = f"http://127.0.0.1:{free_port()}"
    ours = services.api(api_url)
    rig.stack.add(replace(ours, name=f"api-{name}"), env)
    token = sign_in(
        rig.stack.env["JWT_SECRET"],
        user_id=USER,
        workspace_id=WORKSPACE,
        lasts=timedelta(hours=2),
    )
    database = Database(DatabaseSettings.load(env).sqlalchemy_url)
    try:
        yield _Log(api_url, token, database)
    finally:
        database.engine.dispose()


def _fill(connection: psycopg.Connection, count: int) -> None:
    """Fill the log, with its indexes made afterwards: that takes minutes instead of an hour."""
    identity = {"user": USER, "workspace": WORKSPACE}
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'hubspot_sync_logs'"
        " AND indexname LIKE 'ix_%'"
    ).fetchall()
    for index, _ in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(index)))
    connection.execute("SET maintenance_work_mem = '1GB'")
    connection.execute(_FILL, {**identity, "count": count})
    for _, definition in indexes:
        connection.execute(definition.encode())
    connection.execute(_ADD_DUE, {**identity, "count": DUE})
    connection.execute("VACUUM ANALYZE")


def _took(few: Callable[[], object], many: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of each, the median of tries in turn.

    In turn and for a second, because for a tenth of one every answer may be slower, whatever is
    asked; 25 sweeps are over in less.
    """
    seconds: tuple[list[float], list[float]] = ([], [])
    until = time.perf_counter() + SECONDS
    while len(seconds[0]) < TRIES or time.perf_counter() < until:
        for ask, took in zip((few, many), seconds, strict=True):
            began = time.perf_counter()
            ask()
            took.append(time.perf_counter() - began)
    return median(seconds[0]) * MS, median(seconds[1]) * MS
