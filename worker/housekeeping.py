"""What nobody waits for: revoking grants, late and surplus notes, deleting old content."""

import time
from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy.orm import Session

from shared import retention
from shared.access_tokens import ConnectionEndedError, TokenBusyError
from shared.hubspot.errors import HubSpotError
from shared.metrics import HOUSEKEEPING_SECONDS, LAST_HOUSEKEEPING, NOTES
from shared.surplus import forget_surplus_note, take_surplus_notes
from shared.tallies import roll_up_tallies
from worker.late_writes import look_for_late_writes
from worker.pacing import OutOfBudgetError, PacedHubSpot
from worker.resources import Resources
from worker.revoking import revoke_due_grants

log = structlog.get_logger(__name__)

TIME_S: Final = 50.0
MOST_NOTES: Final = 100


def keep_house(resources: Resources) -> dict[str, int]:
    """One round; returns how many of each were dealt with."""
    with HOUSEKEEPING_SECONDS.time():
        done = {
            "revoked": revoke_due_grants(resources),
            "late_writes_settled": look_for_late_writes(
                resources, deadline=time.monotonic() + TIME_S
            ),
            "surplus_notes_archived": _archive_surplus_notes(resources),
            **_delete_what_is_old(resources),
        }
    LAST_HOUSEKEEPING.set_to_current_time()
    return done


def _archive_surplus_notes(resources: Resources) -> int:
    with resources.database.begin() as session:
        due = take_surplus_notes(session, most=MOST_NOTES)
    archived = 0
    deadline = time.monotonic() + TIME_S
    for note in due:
        hubspot = PacedHubSpot(
            resources, connection_id=note.connection_id, hub_id=note.hub_id, deadline=deadline
        )
        try:
            hubspot.open()
            hubspot.archive_note(note.note_id)
        except (HubSpotError, OutOfBudgetError, TokenBusyError, ConnectionEndedError) as error:
            log.warning("surplus_note_kept", note_id=note.note_id, error=type(error).__name__)
            continue
        with resources.database.begin() as session:
            forget_surplus_note(session, note)
        archived += 1
        NOTES.labels("archived").inc()
        log.info("surplus_note_archived", note_id=note.note_id, log_id=note.log_id)
    return archived


def _delete_what_is_old(resources: Resources) -> dict[str, int]:
    settings, deadline = resources.settings, time.monotonic() + TIME_S
    payload_days, log_days = settings.payload_retention_days, settings.log_retention_days
    chores: dict[str, Callable[[Session], int]] = {
        "payloads_deleted": lambda session: retention.delete_old_payloads(
            session, days=payload_days
        ),
        "tallies_rolled_up": roll_up_tallies,
        "attempts_pruned": retention.prune_attempts,
        "pruned_calls_forgotten": retention.forget_pruned_calls,
    }
    if log_days is not None:
        chores["logs_pruned"] = lambda session: retention.prune_logs(session, days=log_days)
    done = {name: _repeat(resources, chore, deadline=deadline) for name, chore in chores.items()}
    with resources.database.begin() as session:
        states = retention.delete_expired_states(session)
        grants = retention.give_up_pending_grants(session)
    return {**done, "states_expired": states, "grants_given_up": grants}


def _repeat(resources: Resources, chore: Callable[[Session], int], *, deadline: float) -> int:
    """Do it a batch at a time until nothing is left, once at least; returns how many there were."""
    total = 0
    while True:
        with resources.database.begin() as session:
            dealt_with = chore(session)
        total += dealt_with
        if dealt_with < retention.MOST_AT_ONCE or time.monotonic() > deadline:
            return total
