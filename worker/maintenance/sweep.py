"""The sweep behind the queue: whatever a lost message or a dead worker left, is found here.

About once a second, in one of the worker processes.
"""

import time
from collections.abc import Iterable
from typing import Final

import structlog

from shared.activities.news import apply_news
from shared.connections.lifecycle import CONNECTED
from shared.queue.claims import return_expired_claims
from shared.queue.handovers import move_page
from shared.queue.updates import (
    end_hopeless_updates,
    find_connections_with_updates,
    return_expired_updates,
)
from shared.queue.waiting import WaitingTenant, find_waiting_tenants, settle_without_connection
from shared.reasons import Reason, Status
from shared.telemetry.metrics import CLAIMS_EXPIRED, LAST_SWEEP, OUTCOMES, SWEEP_SECONDS
from worker.maintenance.recurring import Recurring, lock_duty
from worker.resources import Resources

log = structlog.get_logger(__name__)

EVERY_S: Final = 1.0
# A connection that was woken lately is left to that wake-up.
WAKE_AGAIN_S: Final = 3
# Connections that wait are woken again in between.
HANDING_OVER_S: Final = 1.0
NAME: Final = "sweep"
# News of tenants without a connection that one sweep merges.
TENANTS_MERGED: Final = 5
CALLS_MERGED: Final = 20


def sweeping(resources: Resources) -> Recurring:
    """The sweep as a duty of all workers."""
    return Recurring(resources, name=NAME, every_s=EVERY_S, do=_sweep_and_say)


def _sweep_and_say(resources: Resources, is_troubled: bool) -> None:
    with SWEEP_SECONDS.time():
        sweep(resources, is_troubled=is_troubled)
    LAST_SWEEP.set_to_current_time()


def sweep(resources: Resources, *, is_troubled: bool = False) -> None:
    """Return expired claims, wake connections with due calls, give reasons to the unconnected.

    `is_troubled` says that the last one failed: then no wake-up counts that was sent before.

    Raises:
        SQLAlchemyError, RedisError, WakeUpError: Tried again a second later.
    """
    with resources.database.begin() as session:
        if not lock_duty(session, NAME):
            return
        returned, poisonous = return_expired_claims(session)
        returned_updates = return_expired_updates(session)
        ended_updates = end_hopeless_updates(session)
        waiting = find_waiting_tenants(session)
        lagging = find_connections_with_updates(session)
        unconnected = [tenant for tenant in waiting if tenant.state != CONNECTED]
        settled = settle_without_connection(session, unconnected) if unconnected else 0
    if returned:
        CLAIMS_EXPIRED.inc(returned)
        log.warning("claims_expired", calls=returned)
    for log_id in poisonous:
        OUTCOMES.labels(Status.ERROR, Reason.POISON).inc()
        log.error("call_poisonous", log_id=log_id)
    if settled:
        log.info("calls_settled_without_connection", calls=settled)
    if returned_updates or ended_updates:
        log.warning("updates_returned", expired=returned_updates, ended=ended_updates)
    connected = [
        tenant.connection_id
        for tenant in waiting
        if tenant.connection_id and tenant.state == CONNECTED and not tenant.is_paused
    ]
    _wake(resources, [*connected, *lagging], is_troubled=is_troubled)
    hand_over_calls(resources, deadline=time.monotonic() + HANDING_OVER_S)
    _merge_news(resources, unconnected)


def _merge_news(resources: Resources, unconnected: list[WaitingTenant]) -> None:
    """For tenants without a connection: no round does it, and what nobody merges adds up."""
    for tenant in [each for each in unconnected if each.has_news][:TENANTS_MERGED]:
        with resources.database.begin() as session:
            apply_news(
                session,
                user_id=tenant.user_id,
                workspace_id=tenant.workspace_id,
                most=CALLS_MERGED,
            )


def _wake(resources: Resources, connection_ids: Iterable[str], *, is_troubled: bool) -> None:
    for connection_id in dict.fromkeys(connection_ids):
        key = resources.redis.key("swept", connection_id)
        if is_troubled:
            # What a frozen Redis was asked and did not answer, it does when it thaws: then it looks
            # as if those wake-ups had been sent.
            resources.redis.delete(key)
            resources.wake_ups.heard(connection_id)
        if resources.redis.once(key, within_s=WAKE_AGAIN_S):
            resources.wake_ups.wake(connection_id)


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
