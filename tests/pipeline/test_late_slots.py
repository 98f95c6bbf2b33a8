"""A worker that stalls between its slot and its request waits for another slot: no late bunches."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import pytest
from sqlalchemy import event

from shared.activities.hubspot import HubSpotDestination
from shared.hubspot.models import ContactFilter, ContactSearch
from shared.pacing.client import (
    LATEST_REQUEST_S,
    LATEST_SEARCH_S,
    HubSpotAccess,
    OutOfBudgetError,
    PacedHubSpot,
)
from shared.queue.claims import claim_due_calls
from tests.pipeline.workspaces import Workspace
from worker.resources import PATIENCE
from worker.rounds.round import Round
from worker.rounds.writing import MatchedCall, write_notes

ROUND_S: Final = 60.0
SEARCH: Final = ContactSearch((ContactFilter("phone", ("1",)),), ("phone",), "createdate", False)


class Stalls(threading.Event):
    """A clock that only waits move, and what waits on it: each may last longer than it should.

    Attributes:
        now: What it shows.
        slots: How many slots were waited for.
        late_by: By how much the next waits last longer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.slots = 0
        self.late_by: list[float] = []

    def clock(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        self.slots += 1
        self.now += (timeout or 0) + (self.late_by.pop(0) if self.late_by else 0)
        return False


@pytest.fixture
def stalls() -> Stalls:
    return Stalls()


@pytest.fixture
def hubspot(workspace: Workspace, stalls: Stalls) -> PacedHubSpot:
    worker = workspace.worker
    hubspot = PacedHubSpot(
        HubSpotAccess(worker.tokens, worker.limits, worker.http, worker.settings.hubspot_api_url),
        connection_id=workspace.connection_id,
        hub_id=workspace.hub_id,
        patience=replace(PATIENCE, deadline=ROUND_S, stopping=stalls),
        clock=stalls.clock,
    )
    hubspot.open()
    return hubspot


@pytest.mark.parametrize(("late_by", "slots"), [(LATEST_SEARCH_S, 1), (LATEST_SEARCH_S + 0.1, 2)])
def test_search_whose_wait_lasted_too_long_takes_another_slot(
    hubspot: PacedHubSpot, stalls: Stalls, late_by: float, slots: int
) -> None:
    stalls.late_by = [late_by - 0.01]
    hubspot.search_contacts(SEARCH)
    assert stalls.slots == slots


def test_search_slot_that_was_held_for_too_long_is_given_up(
    hubspot: PacedHubSpot, stalls: Stalls
) -> None:
    assert hubspot.may_search()
    stalls.now += LATEST_SEARCH_S / 2
    assert hubspot.may_search()
    assert stalls.slots == 1

    stalls.now += LATEST_SEARCH_S
    hubspot.search_contacts(SEARCH)
    assert stalls.slots == 2


def test_read_whose_wait_lasted_too_long_takes_another_slot(
    hubspot: PacedHubSpot, stalls: Stalls
) -> None:
    stalls.late_by = [LATEST_REQUEST_S + 0.1]
    assert hubspot.read_contact("1") is None
    assert stalls.slots == 2


def test_worker_that_always_comes_too_late_gives_up(hubspot: PacedHubSpot, stalls: Stalls) -> None:
    stalls.late_by = [2.0] * 100
    with pytest.raises(OutOfBudgetError):
        hubspot.wait_for_request_slot()
    assert stalls.slots < 100


@contextmanager
def slow_commits(workspace: Workspace, stalls: Stalls, seconds: float) -> Iterator[None]:
    def stall(_connection: object) -> None:
        stalls.now += seconds

    engine = workspace.worker.database.engine
    event.listen(engine, "commit", stall)
    yield
    event.remove(engine, "commit", stall)


def write(workspace: Workspace, hubspot: PacedHubSpot) -> Round:
    contact_id = workspace.add_contact()
    workspace.accept()
    connection = workspace.connection()
    with workspace.worker.database.begin() as session:
        calls = claim_due_calls(
            session,
            user_id=connection.user_id,
            workspace_id=connection.workspace_id,
            claim_id="turn_1",
            most=1,
        )
    round_ = Round(workspace.worker, connection, HubSpotDestination(hubspot), calls)
    try:
        write_notes(round_, [MatchedCall(calls[0], contact_id, None)])
    finally:
        round_.give_back()
    return round_


@pytest.mark.parametrize(("seconds", "slots"), [(LATEST_REQUEST_S / 4, 1), (LATEST_REQUEST_S, 2)])
def test_create_whose_mark_took_too_long_takes_another_slot(
    workspace: Workspace, hubspot: PacedHubSpot, stalls: Stalls, seconds: float, slots: int
) -> None:
    with slow_commits(workspace, stalls, seconds + 0.1):
        write(workspace, hubspot)
    assert stalls.slots == slots
    assert workspace.outcomes() == [("success", None)]


def test_mark_is_withdrawn_when_there_is_no_other_slot_in_time(
    workspace: Workspace, hubspot: PacedHubSpot, stalls: Stalls
) -> None:
    with (
        slow_commits(workspace, stalls, ROUND_S - PATIENCE.least_time_s),
        pytest.raises(OutOfBudgetError),
    ):
        write(workspace, hubspot)
    (log,) = workspace.logs()
    assert (log.status, log.last_write_at, log.claimed_by) == ("pending", None, None)
    assert workspace.notes() == []
