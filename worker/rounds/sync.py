"""The round, from a wake-up to outcomes: claim, read back, judge, match, mark, write, record.

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

from shared.activities.destination import Destination, DestinationError, OutOfBudgetError
from shared.activities.news import apply_news, has_news
from shared.broker.waking import WakeUpError
from shared.connections import accounts
from shared.connections.access_tokens import ConnectionEndedError, TokenBusyError
from shared.connections.lifecycle import CONNECTED
from shared.database.engines import patiently
from shared.models import Connection
from shared.queue.claims import ClaimedCall, claim_due_calls, count_due_calls, take_back_claim
from shared.queue.handovers import is_parting
from shared.queue.suspects import find_connections_with_suspects
from shared.queue.updates import count_due_updates
from shared.telemetry.tracing import links_to, span
from worker.leases import ROUND_S
from worker.resources import Resources
from worker.rounds import transitions
from worker.rounds.health import AccountHealth
from worker.rounds.judging import judge_calls
from worker.rounds.lookups import match_calls
from worker.rounds.reading_back import settle_doubts
from worker.rounds.reports import RoundEnd, RoundReport, reported
from worker.rounds.round import Round
from worker.rounds.updating import MOST_UPDATES_CLAIMED, update_activities
from worker.rounds.writing import write_notes

log = structlog.get_logger(__name__)

MOST_CALLS: Final = 100
# The rest is left to the next round.
MOST_BATCHES_OF_NEWS: Final = 10
# A batch of at least so many says that calls come faster than rounds: gathering then pays.
BUSY_CALLS: Final = 8
PUT_OFF_S: Final = 1.0
MOST_TO_WAKE: Final = 16


def sync_connection(resources: Resources, connection_id: str) -> RoundReport:
    """Work on the due calls of one connection, as many as fit one search.

    Raises:
        RedisError, SQLAlchemyError: An engine is away; claimed calls come back by themselves.
    """
    with reported() as report:
        report.end = _begin_round(resources, connection_id, report)
    return report


def _begin_round(resources: Resources, connection_id: str, report: RoundReport) -> RoundEnd:
    resources.wake_ups.heard(connection_id)
    if resources.stopping.is_set():
        return RoundEnd.STOPPING
    due = _look_for_calls(resources, connection_id)
    if isinstance(due, RoundEnd):
        return due
    account = due.account
    round_id = uuid4().hex
    try:
        if not resources.limits.enter_round(account.hub_id, round_id, width=account.turn_width):
            return RoundEnd.PUT_OFF
        with (
            structlog.contextvars.bound_contextvars(
                connection_id=connection_id, hub_id=account.hub_id
            ),
            resources.leases.hold(round_id, account.hub_id),
        ):
            return _run(resources, due, round_id, report)
    finally:
        resources.limits.leave_round(account.hub_id, round_id)


class _Due(NamedTuple):
    connection: Connection
    account: accounts.AccountState
    calls: int  # or more
    has_updates: bool


def _look_for_calls(resources: Resources, connection_id: str) -> _Due | RoundEnd:
    with resources.database.read() as session:
        connection = session.get(Connection, connection_id)
        if connection is None or connection.state != CONNECTED or connection.hub_id is None:
            return RoundEnd.NOT_CONNECTED
        if has_news(session, **_tenant(connection)):
            _apply_news(resources, connection)
        account = accounts.load_account(session, connection.hub_id)
        if account.paused_for > 0:
            return RoundEnd.PAUSED
        calls = count_due_calls(session, **_tenant(connection), most=2 * MOST_CALLS)
        if calls and is_parting(session, connection_id):
            return RoundEnd.PUT_OFF
        updates = count_due_updates(
            session, **_tenant(connection), hub_id=connection.hub_id, most=1
        )
    if not calls and not updates:
        return RoundEnd.NOTHING_DUE
    return _Due(connection, account, calls, has_updates=updates > 0)


def _apply_news(resources: Resources, connection: Connection) -> None:
    for _ in range(MOST_BATCHES_OF_NEWS):
        with resources.database.begin() as session:
            applied = apply_news(session, **_tenant(connection), most=MOST_CALLS)
        if not applied.calls:
            return
        log.info("news_applied", connection_id=connection.id, **asdict(applied))


def _run(resources: Resources, due: _Due, round_id: str, report: RoundReport) -> RoundEnd:
    destination = resources.open_destination(
        due.connection.id, due.account.hub_id, deadline=time.monotonic() + ROUND_S
    )
    end = RoundEnd.WORKED
    if due.calls:
        end = _write_calls(resources, due, destination, round_id, report)
    if due.has_updates and resources.update_share.allows(
        due.account.hub_id, creates_wait=due.calls > MOST_CALLS
    ):
        _update(resources, due, destination, round_id)
    return end


def _update(resources: Resources, due: _Due, destination: Destination, round_id: str) -> None:
    health = AccountHealth(resources.database.begin, due.account.hub_id)
    claimed = update_activities(resources, due.connection, destination, health, claim_id=round_id)
    health.record(due.account, has_answered=destination.has_answered)
    if claimed == MOST_UPDATES_CLAIMED:
        _wake(resources, due.connection.id)


def _write_calls(
    resources: Resources,
    due: _Due,
    destination: Destination,
    round_id: str,
    report: RoundReport,
) -> RoundEnd:
    connection, account, waiting, _ = due
    with resources.limits.gathering(connection.id) as seconds:
        # Whoever is gathering takes a batch; what is beyond it is worth a round beside that.
        if seconds is None and waiting < 2 * MOST_CALLS:
            return RoundEnd.PUT_OFF
        if seconds and waiting < MOST_CALLS and resources.stopping.wait(seconds):
            return RoundEnd.PUT_OFF
        # The slot comes before the claim: while it is awaited, more calls gather for one search.
        if not destination.may_find():
            return RoundEnd.PUT_OFF
        calls = _claim(resources, connection, round_id)
        if len(calls) >= BUSY_CALLS:
            resources.limits.record_busy(connection.id)
    if not calls:
        return RoundEnd.NOTHING_DUE
    log.info("turn_started", calls=len(calls))
    if len(calls) == MOST_CALLS:
        _wake(resources, connection.id)  # at the tail: others are served in between
    round_ = Round(resources, connection, destination, calls)
    report.hub_id, report.calls, report.outcomes = account.hub_id, len(calls), round_.outcomes
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
        _work(round_, account)
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
    return RoundEnd.WORKED


def _tenant(connection: Connection) -> dict[str, str]:
    return {"user_id": connection.user_id, "workspace_id": connection.workspace_id}


def _claim(resources: Resources, connection: Connection, round_id: str) -> list[ClaimedCall]:
    try:
        with resources.database.begin() as session:
            return claim_due_calls(
                session, **_tenant(connection), claim_id=round_id, most=MOST_CALLS
            )
    except (OperationalError, InterfaceError):
        # It may have been committed: then these calls would wait for the end of a lease that nobody
        # knows of.
        patiently(_take_back, resources, round_id)
        _wake(resources, connection.id)
        raise


def _take_back(resources: Resources, round_id: str) -> None:
    with resources.database.begin() as session:
        take_back_claim(session, round_id)


def _wake(resources: Resources, *connection_ids: str) -> None:
    try:
        for connection_id in connection_ids:
            resources.wake_ups.wake(connection_id)
    except WakeUpError as error:  # each of the others would wait for a frozen Redis as long again
        log.warning("wake_up_lost", connection_id=connection_id, error=str(error))


def _work(round_: Round, account: accounts.AccountState) -> None:
    """Bring every claimed call to an outcome, or give it back."""
    try:
        round_.destination.open()
        matched = settle_doubts(round_)
        for found in match_calls(round_, judge_calls(round_, _certain(round_)), account):
            write_notes(round_, matched + found)
            matched = []
    except DestinationError as error:
        round_.fail(list(round_.open.values()), error)
    except (OutOfBudgetError, TokenBusyError):
        if round_.is_stuck:
            # Something in these calls takes all the time there is, and will the next time too.
            round_.abandon()
        else:
            round_.give_back(delay=PUT_OFF_S)
    except ConnectionEndedError:
        round_.give_back()
    except (RedisError, OperationalError, InterfaceError, ServerStateError, PoolTimeoutError):
        # An engine is away, which is no fault of the calls: nobody becomes a suspect for it.
        round_.give_back(delay=PUT_OFF_S)
        raise
    except Exception:
        # A defect of ours, or a call that brings one out; Celery logs what is raised on. As after a
        # crash the calls come back in smaller batches, until the one at fault is alone.
        round_.abandon()
        raise
    round_.give_back()
    round_.health.record(account, has_answered=round_.destination.has_answered)


def _certain(round_: Round) -> list[ClaimedCall]:
    """The calls of which no write is in doubt; without their content there is nothing to write."""
    gone = [call for call in round_.open.values() if call.is_content_gone]
    round_.record([transitions.payload_gone(call) for call in gone if call.marked_for is None])
    return [call for call in round_.open.values() if call.marked_for is None]
