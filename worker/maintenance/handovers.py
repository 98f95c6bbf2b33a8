"""Moving the calls that waited for a connect, page by page."""

import time

import structlog

from shared.queue.handovers import move_page
from worker.resources import Resources

log = structlog.get_logger(__name__)


def hand_over_calls(resources: Resources, *, deadline: float) -> int:
    """Move calls until none is left to move, or `deadline` (monotonic) has come; returns how many.

    Each page is a transaction of its own, so that a restart loses nothing, and several workers may
    do this beside each other.

    Raises:
        SQLAlchemyError, WakeUpError: What is left is moved the next time.
    """
    moved = 0
    while time.monotonic() < deadline:
        with resources.database.begin() as session:
            page = move_page(session)
        if page is None:
            break
        moved += page.moved
        if page.moved:
            log.info(
                "calls_handed_over",
                connection_id=page.connection_id,
                kind=page.kind,
                calls=page.moved,
            )
        # Calls are due now, or nothing keeps those that are from being claimed any more.
        if page.is_last if page.kind == "part" else page.moved:
            resources.wake_ups.wake(page.connection_id)
    return moved
