"""The turn, from a wake-up to recorded outcomes: claim, read back, match, mark, write, record.

Knows no Celery. Everything in here may run twice, die anywhere, or run beside itself: the claim
keeps others off, the mark says what may have been written, and the fence decides who may record.
"""

import time
from dataclasses import asdict
from typing import Final, NamedTuple
from uuid import uuid4

import structlog
from opentelemetry.trace import SpanKind
from redis import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import InternalError as ServerStateError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.broker.celery_app import WakeUpError
from shared.calls.news import apply_news, has_news
from shared.connections import accounts
from shared.connections.access_tokens import ConnectionEndedError, TokenBusyError
from shared.connections.lifecycle import CONNECTED
from shared.database.engines import patiently
from shared.hubspot.errors import HubSpotError
from shared.models import Connection
from shared.queue.claims import ClaimedCall, claim_due_calls, count_due_calls, take_back_claim
from shared.queue.handovers import is_parting
from shared.queue.suspects import find_connections_with_suspects
from shared.telemetry.tracing import links_to, span
from worker.leases import TURN_S
from worker.resources import Resources
from worker.rounds import transitions
from worker.rounds.doubts import settle_doubts
from worker.rounds.lookups import match_calls
from worker.rounds.pacing import OutOfBudgetError, PacedHubSpot
from worker.rounds.reports import TurnEnd, TurnReport, reported
from worker.rounds.turn import Turn
from worker.rounds.writing import write_notes

log = structlog.get_logger(__name__)

MOST_CALLS: Final = 100
# The rest is left to the next round.
MOST_BATCHES_OF_NEWS: Final = 10
# A batch of at least so many says that calls come faster than turns: gathering then pays.
BUSY_CALLS: Final = 8
PUT_OFF_S: Final = 1.0
MOST_TO_WAKE: Final = 16


def sync_connection(resources: Resources, connection_id: str) -> TurnReport:
    """Work on the due calls of one connection, as many as fit one search.

    Raises:
        RedisError, SQLAlchemyError: An engine is away; claimed calls come back by themselves.
    """
    with reported() as report:
        report.end = _take_turn(resources, connection_id, report)
    return report


def _take_turn(resources: Resources, connection_id: str, report: TurnReport) -> TurnEnd:
    resources.wake_ups.heard(connection_id)
    if resources.stopping.is_set():
        return TurnEnd.STOPPING
    due = _look_for_calls(resources, connection_id)
    if isinstance(due, TurnEnd):
        return due
    account = due.account
    turn_id = uuid4().hex
    try:
        if not resources.limits.enter_turn(account.hub_id, turn_id, width=account.turn_width):
            return TurnEnd.PUT_OFF
        with (
            structlog.contextvars.bound_contextvars(
                connection_id=connection_id, hub_id=account.hub_id
            ),
            resources.leases.hold(turn_id, account.hub_id),
        ):
            return _run(resources, due, turn_id, report)
    finally:
        resources.limits.leave_turn(account.hub_id, turn_id)


class _Due(NamedTuple):
    connection: Connection
    account: accounts.AccountState
    calls: int  # or more


def _look_for_calls(resources: Resources, connection_id: str) -> _Due | TurnEnd:
    with resources.database.read() as session:
        connection = session.get(Connection, connection_id)
        if connection is None or connection.state != CONNECTED or connection.hub_id is None:
            return TurnEnd.NOT_CONNECTED
        if has_news(session, **_tenant(connection)):
            _apply_news(resources, connection)
        account = accounts.load_account(session, connection.hub_id)
        if account.paused_for > 0:
            return TurnEnd.PAUSED
        calls = count_due_calls(session, **_tenant(connection), most=2 * MOST_CALLS)
        if calls and is_parting(session, connection_id):
            return TurnEnd.PUT_OFF
    return _Due(connection, account, calls) if calls else TurnEnd.NOTHING_DUE


def _apply_news(resources: Resources, connection: Connection) -> None:
    for _ in range(MOST_BATCHES_OF_NEWS):
        with resources.database.begin() as session:
            applied = apply_news(session, **_tenant(connection), most=MOST_CALLS)
        if not applied.calls:
            return
        log.info("news_applied", connection_id=connection.id, **asdict(applied))


def _run(resources: Resources, due: _Due, turn_id: str, report: TurnReport) -> TurnEnd:
    connection, account, waiting = due
    hubspot = PacedHubSpot(
        resources,
        connection_id=connection.id,
        hub_id=account.hub_id,
        deadline=time.monotonic() + TURN_S,
    )
    with resources.limits.gathering(connection.id) as seconds:
        # Whoever is gathering takes a batch; what is beyond it is worth a turn beside that.
        if seconds is None and waiting < 2 * MOST_CALLS:
            return TurnEnd.PUT_OFF
        if seconds and waiting < MOST_CALLS and resources.stopping.wait(seconds):
            return TurnEnd.PUT_OFF
        # The slot comes before the claim: while it is awaited, more calls gather for one search.
        if not hubspot.may_search():
            return TurnEnd.PUT_OFF
        calls = _claim(resources, connection, turn_id)
        if len(calls) >= BUSY_CALLS:
            resources.limits.note_busy(connection.id)
    if not calls:
        return TurnEnd.NOTHING_DUE
    log.info("turn_started", calls=len(calls))
    if len(calls) == MOST_CALLS:
        _wake(resources, connection.id)  # at the tail: others are served in between
    turn = Turn(resources, connection, hubspot, calls)
    report.hub_id, report.calls, report.outcomes = account.hub_id, len(calls), turn.outcomes
    with span(
        "turn",
        SpanKind.CONSUMER,
        {
            "callsync.connection_id": connection.id,
            "callsync.hub_id": account.hub_id,
            "callsync.calls": len(calls),
        },
        links=links_to(call.payload for call in calls),
    ):
        _work(turn, account)
    with resources.database.read() as session:
        is_more_due = count_due_calls(session, **_tenant(connection), most=1) > 0
        # Suspects wait for each other; whoever was turned away meanwhile may come again.
        others = (
            find_connections_with_suspects(session, most=MOST_TO_WAKE)
            if any(call.is_suspect for call in calls)
            else []
        )
    if is_more_due:
        others.append(connection.id)  # a successor may have found no place beside us
    _wake(resources, *others)
    return TurnEnd.WORKED


def _tenant(connection: Connection) -> dict[str, str]:
    return {"user_id": connection.user_id, "workspace_id": connection.workspace_id}


def _claim(resources: Resources, connection: Connection, turn_id: str) -> list[ClaimedCall]:
    try:
        with resources.database.begin() as session:
            return claim_due_calls(
                session, **_tenant(connection), claim_id=turn_id, most=MOST_CALLS
            )
    except (OperationalError, InterfaceError):
        # It may have been committed: then these calls would wait for the end of a lease that nobody
        # knows of.
        patiently(_take_back, resources, turn_id)
        _wake(resources, connection.id)
        raise


def _take_back(resources: Resources, turn_id: str) -> None:
    with resources.database.begin() as session:
        take_back_claim(session, turn_id)


def _wake(resources: Resources, *connection_ids: str) -> None:
    try:
        for connection_id in connection_ids:
            resources.wake_ups.wake(connection_id)
    except WakeUpError as error:  # each of the others would wait for a frozen Redis as long again
        log.warning("wake_up_lost", connection_id=connection_id, error=str(error))


def _work(turn: Turn, account: accounts.AccountState) -> None:
    """Bring every claimed call to an outcome, or give it back."""
    try:
        turn.hubspot.open()
        matched = settle_doubts(turn)
        for found in match_calls(turn, _certain(turn), account):
            write_notes(turn, matched + found)
            matched = []
    except HubSpotError as error:
        turn.fail(list(turn.open.values()), error)
    except (OutOfBudgetError, TokenBusyError):
        if turn.is_stuck:
            # Something in these calls takes all the time there is, and will the next time too.
            turn.abandon()
        else:
            turn.give_back(delay=PUT_OFF_S)
    except ConnectionEndedError:
        turn.give_back()
    except (RedisError, OperationalError, InterfaceError, ServerStateError, PoolTimeoutError):
        # An engine is away, which is no fault of the calls: nobody becomes a suspect for it.
        turn.give_back(delay=PUT_OFF_S)
        raise
    except Exception:
        # A defect of ours, or a call that brings one out; Celery logs what is raised on. As after a
        # crash the calls come back in smaller batches, until the one at fault is alone.
        turn.abandon()
        raise
    turn.give_back()
    turn.note_standing(account)


def _certain(turn: Turn) -> list[ClaimedCall]:
    """The calls of which no write is in doubt; without their content there is nothing to write."""
    gone = [call for call in turn.open.values() if call.is_content_gone]
    turn.record([transitions.payload_gone(call) for call in gone if call.marked_for is None])
    return [call for call in turn.open.values() if call.marked_for is None]
