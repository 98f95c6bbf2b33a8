"""A day of calls in the past, for pictures: rows as workers would have left them."""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import psycopg

from tests.browser.workspaces import Workspace

HOURS: Final = 24
OUTCOMES: Final = (
    ("success", None, None),
    ("skipped", "contact_not_found", "No HubSpot contact has this number."),
    ("skipped", "no_phone_number", "The number was withheld."),
    ("error", "rejected_by_hubspot", "Property values were not valid"),
)
WEIGHTS: Final = (84, 9, 4, 3)
INSERT: Final = """
    INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, phone_number, created_at)
    VALUES (%(id)s, %(user_id)s, %(workspace_id)s, %(call_id)s, %(phone_number)s, %(created_at)s)
"""
# Statuses are counted as they change.
FINISH: Final = """
    UPDATE hubspot_sync_logs
    SET status = %(status)s, error_code = %(error_code)s, error_message = %(error_message)s,
        hub_id = %(hub_id)s, contact_id = %(contact_id)s, engagement_id = %(engagement_id)s,
        attempts = 1, next_attempt_at = NULL, updated_at = %(updated_at)s
    WHERE id = %(id)s
"""


class _Outcome(NamedTuple):
    status: str
    error_code: str | None
    error_message: str | None


def add_history(workspace: Workspace) -> None:
    """Add some 200 calls of the last day, busiest in the middle of it; always the same ones."""
    rows = list(_make_rows(workspace, random.Random(7)))
    with psycopg.connect(workspace.deployments.database_url) as connection:
        connection.cursor().executemany(INSERT, rows)
        connection.cursor().executemany(FINISH, rows)


def _make_rows(workspace: Workspace, chance: random.Random) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for hour in range(HOURS):
        busy = math.sin(math.pi * (hour + 0.5) / HOURS) ** 2
        for _ in range(round(chance.uniform(12, 20) * busy)):
            created_at = now - timedelta(hours=HOURS - hour, seconds=-chance.uniform(0, 3500))
            outcome = _Outcome(*chance.choices(OUTCOMES, WEIGHTS)[0])
            is_synced = outcome.status == "success"
            yield outcome._asdict() | {
                "id": f"hs_{chance.getrandbits(128):032x}",
                "user_id": workspace.user_id,
                "workspace_id": workspace.workspace_id,
                "call_id": f"call_{chance.getrandbits(32):08x}",
                "phone_number": None
                if outcome.error_code == "no_phone_number"
                else f"+1202555{chance.randrange(100, 200):04}",
                "created_at": created_at,
                "updated_at": created_at + timedelta(seconds=chance.lognormvariate(-0.6, 0.5)),
                "hub_id": workspace.hub_id if is_synced else None,
                "contact_id": str(chance.randrange(700, 900)) if is_synced else None,
                "engagement_id": str(chance.getrandbits(40)) if is_synced else None,
            }
