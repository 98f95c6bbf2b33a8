"""The sweep behind the queue: whatever a lost message or a dead worker left, is found here.

It runs inside every worker process, about once a second in all of them together, so that no
single process is a point of failure.
"""

import threading
import time
from typing import Final

import structlog
from redis import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from shared.claims import return_expired_claims
from shared.connections import CONNECTED
from shared.metrics import CLAIMS_EXPIRED, LAST_SWEEP, OUTCOMES, SWEEP_SECONDS
from shared.queue import WakeUpError
from shared.reasons import Reason, Status
from shared.tenants import WaitingTenant, find_waiting_tenants, settle_without_connection
from worker.handovers import hand_over_calls
from worker.resources import Resources

log = structlog.get_logger(__name__)

EVERY_S: Final = 1.0
# A connection that was woken lately is left to that wake-up.
WAKE_AGAIN_S: Final = 3
# Connections that wait are woken again in between.
HANDING_OVER_S: Final = 1.0
_SWEEP_LOCK: Final = 4_825_303
_TICK_KEY: Final = "callsync:sweep"


class Sweep:
    """The thread that sweeps once a second until it is stopped."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)
        self._is_troubled = False

    def start(self) -> None:
        """Begin sweeping."""
        self._thread.start()

    def stop(self) -> None:
        """Sweep no more; a sweep under way ends first."""
        self._stopping.set()
        self._thread.join(EVERY_S * 5)

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            try:
                if self._is_my_turn():
                    with SWEEP_SECONDS.time():
                        sweep(self._resources, is_troubled=self._is_troubled)
                    LAST_SWEEP.set_to_current_time()
                    self._is_troubled = False
            except (SQLAlchemyError, RedisError, WakeUpError) as error:
                if not self._is_troubled:
                    log.warning("sweep_failed", error=type(error).__name__)
                self._is_troubled = True

    def _is_my_turn(self) -> bool:
        """Share the second among the processes; without Redis each sweeps for itself."""
        try:
            return bool(self._resources.redis.set(_TICK_KEY, b"", nx=True, px=int(EVERY_S * 900)))
        except RedisError:
            return True


def sweep(resources: Resources, *, is_troubled: bool = False) -> None:
    """Return expired claims, wake connections with due calls, give reasons to the unconnected.

    `is_troubled` says that the last one failed: then no wake-up counts that was sent before.

    Raises:
        SQLAlchemyError, RedisError, WakeUpError: Tried again a second later.
    """
    with resources.database.begin() as session:
        is_alone = session.execute(
            text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _SWEEP_LOCK}
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


def _wake(resources: Resources, waiting: list[WaitingTenant], *, is_troubled: bool) -> None:
    for tenant in waiting:
        if tenant.connection_id is None or tenant.state != CONNECTED or tenant.is_paused:
            continue
        key = f"callsync:swept:{tenant.connection_id}"
        if is_troubled:
            # What a frozen Redis was asked and did not answer, it does when it thaws: then it looks
            # as if those wake-ups had been sent.
            resources.redis.delete(key)
            resources.wake_ups.heard(tenant.connection_id)
        if resources.redis.set(key, b"", nx=True, ex=WAKE_AGAIN_S):
            resources.wake_ups.wake(tenant.connection_id)
