"""Finding strays and archiving them: what is found is adopted unless its call has another note."""

from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.orm import Session

from shared.activities.destination import (
    ActivityKind,
    ContactGone,
    Destination,
    DestinationError,
    Finding,
    Found,
    NoTokenError,
    OutOfBudgetError,
    Unknown,
)
from shared.activities.news import want_updates
from shared.queue.outcomes import Outcome, record_outcomes
from shared.queue.strays import (
    StrayToArchive,
    StrayToFind,
    count_look,
    forget_stray,
    move_stray,
    take_strays_to_archive,
    take_strays_to_find,
)
from shared.reasons import Status
from shared.telemetry.metrics import NOTES
from worker.resources import Resources
from worker.rounds.doubts import may_write_again
from worker.rounds.reading_back import read_back

log = structlog.get_logger(__name__)

MOST_AT_ONCE: Final = 100


def find_strays(resources: Resources, deadline: float) -> int:
    """Look once for every unanswered write that is due; returns how many are settled."""
    with resources.database.begin() as session:
        due = take_strays_to_find(session, most=MOST_AT_ONCE)
    settled = 0
    for stray in due:
        try:
            destination = _open_destination(resources, stray, deadline=deadline)
            finding = read_back(destination, [stray])[stray.id]
        except _NOT_NOW as error:
            log.warning("late_write_not_looked_for", log_id=stray.id, error=type(error).__name__)
            continue
        with resources.database.begin() as session:
            settled += act_on_finding(session, stray, finding)
        if isinstance(finding, Found):
            notes = [finding.activity_id, *finding.surplus]
            log.info("late_write_looked_for", log_id=stray.id, note_ids=notes)
    return settled


def act_on_finding(session: Session, stray: StrayToFind, finding: Finding) -> bool:
    """Store what one look has shown; returns whether it was the last.

    A note that is found need not be the late one: the call may have got another meanwhile.
    """
    if isinstance(finding, Found):
        for note_id in (finding.activity_id, *finding.surplus):
            _record_note(session, stray, note_id)
    if isinstance(finding, Unknown):
        if finding.contact_id is not None:
            move_stray(session, stray, finding.contact_id)
        return False
    if may_write_again(stray) or isinstance(finding, ContactGone):
        forget_stray(session, stray)
        return True
    count_look(session, stray)
    return False


def _record_note(session: Session, stray: StrayToFind, note_id: str) -> None:
    # One at a time: the first becomes the call's if it has none, the others are surplus then.
    note = Outcome(
        stray.id,
        0,  # a note is proof under any claim
        Status.SUCCESS,
        hub_id=stray.hub_id,
        contact_id=stray.contact_id,
        engagement_id=note_id,
    )
    if record_outcomes(session, [note], started_at=datetime.now(UTC)):
        want_updates(session, [stray.id])  # what it says is not known


def archive_strays(resources: Resources, deadline: float) -> int:
    """Archive every second note that is due; returns how many HubSpot has archived."""
    with resources.database.begin() as session:
        due = take_strays_to_archive(session, most=MOST_AT_ONCE)
    archived = 0
    for stray in due:
        try:
            _open_destination(resources, stray, deadline=deadline).archive(
                stray.activity_id, kind=ActivityKind(stray.activity)
            )
        except _NOT_NOW as error:
            log.warning("surplus_note_kept", note_id=stray.activity_id, error=type(error).__name__)
            continue
        with resources.database.begin() as session:
            forget_stray(session, stray)
        archived += 1
        NOTES.labels("archived").inc()
        log.info("surplus_note_archived", note_id=stray.activity_id, log_id=stray.log_id)
    return archived


# The stray comes again.
_NOT_NOW: Final = (DestinationError, OutOfBudgetError, NoTokenError)


def _open_destination(
    resources: Resources, stray: StrayToFind | StrayToArchive, *, deadline: float
) -> Destination:
    destination = resources.open_destination(stray.connection_id, stray.hub_id, deadline=deadline)
    destination.open()
    return destination
