"""Looking for the notes of late writes: each is adopted, or archived when its call has another."""

from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.orm import Session

from shared.activities.destination import (
    ContactGone,
    DestinationError,
    Finding,
    Found,
    NoTokenError,
    OutOfBudgetError,
    Unknown,
)
from shared.queue.late_writes import (
    LateWriteDue,
    count_look,
    forget_late_write,
    move_late_write,
    take_late_writes,
)
from shared.queue.outcomes import Outcome, record_outcomes
from shared.reasons import Status
from worker.resources import Resources
from worker.rounds.doubts import may_write_again
from worker.rounds.reading_back import read_back

log = structlog.get_logger(__name__)

MOST_LOOKS: Final = 100


def look_for_late_writes(resources: Resources, *, deadline: float) -> int:
    """Look once for every late write that is due; returns how many are settled."""
    with resources.database.begin() as session:
        due = take_late_writes(session, most=MOST_LOOKS)
    settled = 0
    for write in due:
        destination = resources.open_destination(
            write.connection_id, write.hub_id, deadline=deadline
        )
        try:
            destination.open()
            finding = read_back(destination, [write])[write.id]
        except (DestinationError, OutOfBudgetError, NoTokenError) as error:
            log.warning("late_write_not_looked_for", log_id=write.id, error=type(error).__name__)
            continue
        with resources.database.begin() as session:
            settled += act_on_finding(session, write, finding)
        if isinstance(finding, Found):
            notes = [finding.activity_id, *finding.surplus]
            log.info("late_write_looked_for", log_id=write.id, note_ids=notes)
    return settled


def act_on_finding(session: Session, write: LateWriteDue, finding: Finding) -> bool:
    """Store what one look has shown; returns whether it was the last.

    A note that is found need not be the late one: the call may have got another meanwhile.
    """
    if isinstance(finding, Found):
        for note_id in (finding.activity_id, *finding.surplus):
            _record_note(session, write, note_id)
    if isinstance(finding, Unknown):
        if finding.contact_id is not None:
            move_late_write(session, write, finding.contact_id)
        return False
    if may_write_again(write) or isinstance(finding, ContactGone):
        forget_late_write(session, write)
        return True
    count_look(session, write)
    return False


def _record_note(session: Session, write: LateWriteDue, note_id: str) -> None:
    # One at a time: the first becomes the call's if it has none, the others are surplus then.
    note = Outcome(
        write.id,
        0,  # a note is proof under any claim
        Status.SUCCESS,
        hub_id=write.hub_id,
        contact_id=write.contact_id,
        engagement_id=note_id,
    )
    record_outcomes(session, [note], started_at=datetime.now(UTC))
