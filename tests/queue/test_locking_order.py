"""Whoever locks several rows of the log does so in the order of their ids, so nobody in a circle.

A lock on the lowest id is held, and each statement is given, and finds, the rows in the opposite
order: while it waits for the lowest, it may hold no other.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.log.replays import requeue_calls
from shared.models import Connection
from shared.privacy.erasure import erase_calls
from shared.queue.claims import (
    ClaimedCall,
    abandon_calls,
    release_calls,
    renew_claims,
    take_back_claim,
)
from shared.queue.marks import Mark, mark_calls
from shared.queue.outcomes import Outcome, record_outcomes
from shared.queue.strays import UnansweredWrite, add_unanswered_writes
from tests.queue.tenants import HUB, STARTED_AT, Tenant, skipped
from tests.queue.waiting import wait_until_blocked

Change = Callable[[Session, Tenant, Sequence[ClaimedCall]], None]

TURN: Final = "turn_1"
_LOCK = text("SELECT FROM hubspot_sync_logs WHERE id = :id FOR UPDATE")
_LOCK_AT_ONCE = text("""
    SELECT id FROM hubspot_sync_logs WHERE id = ANY(:ids) FOR NO KEY UPDATE SKIP LOCKED
""")


def record(session: Session, _: Tenant, calls: Sequence[ClaimedCall]) -> None:
    record_outcomes(session, [skipped(call) for call in calls], started_at=STARTED_AT)


def record_what_is_dropped(session: Session, _: Tenant, calls: Sequence[ClaimedCall]) -> None:
    """The lowest alone is not taken, and is looked at again for the write that it may have had."""
    *taken, lost = calls
    doubted = Outcome(
        lost.id, lost.fence - 1, "pending", keeps_mark=True, hub_id=HUB, contact_id="7"
    )
    outcomes = [*map(skipped, taken), doubted]
    record_outcomes(session, outcomes, started_at=STARTED_AT)


def mark(session: Session, tenant: Tenant, calls: Sequence[ClaimedCall]) -> None:
    connection: Connection = tenant.connection()
    mark_calls(
        session,
        [Mark(call, "7", None) for call in calls],
        connection_id=connection.id,
        generation=connection.generation,
        hub_id=HUB,
    )


def release(session: Session, _: Tenant, calls: Sequence[ClaimedCall]) -> None:
    release_calls(session, calls)


def abandon(session: Session, _: Tenant, calls: Sequence[ClaimedCall]) -> None:
    abandon_calls(session, calls)


def renew(session: Session, *_: object) -> None:
    renew_claims(session, [TURN])


def take_back(session: Session, *_: object) -> None:
    take_back_claim(session, TURN)


def remember(session: Session, _: Tenant, calls: Sequence[ClaimedCall]) -> None:
    add_unanswered_writes(session, [UnansweredWrite(call.id, HUB, "7") for call in calls])


def erase(session: Session, _: Tenant, calls: Sequence[ClaimedCall]) -> None:
    erase_calls(session, [call.id for call in calls])


def replay(session: Session, tenant: Tenant, calls: Sequence[ClaimedCall]) -> None:
    requeue_calls(session, [call.id for call in calls], **tenant.identity)


CHANGES: Final = (
    record,
    record_what_is_dropped,
    mark,
    release,
    abandon,
    renew,
    take_back,
    remember,
    erase,
    replay,
)


@contextmanager
def _locked(tenant: Tenant, log_id: str) -> Iterator[None]:
    with tenant.database.begin() as session:
        session.execute(_LOCK, {"id": log_id})
        yield


def _free(tenant: Tenant, ids: Sequence[str]) -> set[str]:
    with tenant.database.begin() as session:
        return set(session.execute(_LOCK_AT_ONCE, {"ids": list(ids)}).scalars())


@pytest.mark.parametrize("change", CHANGES)
def test_lowest_id_is_waited_for_before_another_row_is_locked(
    change: Change, tenant: Tenant
) -> None:
    tenant.connect()
    ids = tenant.store(12)
    # Where the rows lie, and how they are found, is the order of the ids backwards.
    for log_id in sorted(ids, reverse=True):
        tenant.change([log_id], next_attempt_at=text("now()"))
    calls = sorted(tenant.claim(claim_id=TURN), key=lambda call: call.id, reverse=True)
    if change is replay:
        tenant.record(*map(skipped, calls))
    lowest = calls[-1].id

    def run() -> None:
        with tenant.database.begin() as session:
            change(session, tenant, calls)

    with ThreadPoolExecutor(1) as pool:
        with _locked(tenant, lowest):
            running = pool.submit(run)
            wait_until_blocked(tenant.database)
            free = _free(tenant, ids)
        running.result()
    assert free == {*ids} - {lowest}
