"""The sweep behind the queue: whatever a lost message or a dead worker left, is found here.

About once a second, in one of the worker processes.
"""

import time
from typing import Final

import structlog
from sqlalchemy import text

from shared.calls.news import apply_news
from shared.connections.lifecycle import CONNECTED
from shared.queue.claims import return_expired_claims
from shared.queue.waiting import WaitingTenant, find_waiting_tenants, settle_without_connection
from shared.reasons import Reason, Status
from shared.telemetry.metrics import CLAIMS_EXPIRED, LAST_SWEEP, OUTCOMES, SWEEP_SECONDS
from worker.maintenance.handovers import hand_over_calls
from worker.maintenance.recurring import Recurring
from worker.resources import Resources

log = structlog.get_logger(__name__)

EVERY_S: Final = 1.0
# A connection that was woken lately is left to that wake-up.
WAKE_AGAIN_S: Final = 3
# Connections that wait are woken again in between.
HANDING_OVER_S: Final = 1.0
# News of tenants without a connection that one sweep merges.
TENANTS_MERGED: Final = 5
CALLS_MERGED: Final = 20
SWEEP_LOCK: Final = 4_825_303


def sweeping(resources: Resources) -> Recurring:
    """The sweep as a duty of all workers."""
    return Recurring(resources, name="sweep", every_s=EVERY_S, do=_sweep_and_say)


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
        is_alone = session.execute(
            text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": SWEEP_LOCK}
        ).scalar_one()
        if not is_alone:
            return
        returned, poisonous = return_expired_claims(session)
        waiting = find_waiting_tenants(session)
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
    _wake(resources, waiting, is_troubled=is_troubled)
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


def _wake(resources: Resources, waiting: list[WaitingTenant], *, is_troubled: bool) -> None:
    for tenant in waiting:
        if tenant.connection_id is None or tenant.state != CONNECTED or tenant.is_paused:
            continue
        key = resources.redis.key("swept", tenant.connection_id)
        if is_troubled:
            # What a frozen Redis was asked and did not answer, it does when it thaws: then it looks
            # as if those wake-ups had been sent.
            resources.redis.delete(key)
            resources.wake_ups.heard(tenant.connection_id)
        if resources.redis.once(key, within_s=WAKE_AGAIN_S):
            resources.wake_ups.wake(tenant.connection_id)
