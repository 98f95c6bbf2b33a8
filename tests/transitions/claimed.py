"""Claimed calls as the tables of events start from them."""

from datetime import UTC, datetime
from typing import Any, Final

from shared.queue.claims import ClaimedCall
from shared.queue.outcomes import Outcome
from worker.rounds.transitions import RETRY_FOR_S

PENDING: Final[dict[str, Any]] = {"status": "pending", "lane": 0, "searches_done": 0}
SKIPPED: Final[dict[str, Any]] = {"status": "skipped", "lane": 3, "searches_done": 2}
IN_DOUBT: Final[dict[str, Any]] = {"hub_id": 1, "contact_id": "7", "marked_for": 30.0}
A_DAY: Final[dict[str, Any]] = {"failing_for": RETRY_FOR_S, "failures": 30}


def claimed(**fields: Any) -> ClaimedCall:
    usual: dict[str, Any] = {
        "id": "hs_1",
        "fence": 3,
        "call_id": "call_1",
        "phone_number": "+12025550123",
        "payload": {"call_id": "call_1"},
        "received_at": datetime(2026, 11, 22, 10, tzinfo=UTC),
        "calculated_searched": False,
        "failures": 0,
        "failing_for": 0.0,
        "is_suspect": False,
        "hub_id": None,
        "contact_id": None,
        "marked_for": None,
        "read_back_misses": 0,
    }
    return ClaimedCall(**usual | PENDING | fields)


def reason(outcome: Outcome) -> tuple[str, str | None]:
    """What a person sees of an outcome."""
    return outcome.status, outcome.error_code
