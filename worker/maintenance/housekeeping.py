"""What nobody waits for: one list of chores, gone through once a minute by one of the workers."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import structlog
from sqlalchemy.orm import Session

from shared.configuration.settings import WorkerSettings
from shared.database.engines import allow_idling
from shared.log.tallies import roll_up_tallies
from shared.privacy import retention
from shared.privacy.audit import delete_old_deeds
from shared.sources.deliveries import forget_counts
from shared.sources.unassigned import forget_unassigned
from shared.telemetry.metrics import HOUSEKEEPING_SECONDS, LAST_HOUSEKEEPING
from worker.maintenance.recurring import Recurring, lock_duty
from worker.maintenance.revoking import LONGEST_S, revoke_due_grants
from worker.maintenance.strays import archive_strays, find_strays
from worker.resources import Resources

log = structlog.get_logger(__name__)

EVERY_S: Final = 60.0
# For each chore that asks HubSpot: requests are begun until then, and none takes `LONGEST_S`.
TIME_S: Final = 50.0
# For each chore that only changes rows: batches are begun until then.
BATCHES_S: Final = 10.0

Chore = Callable[[Resources, float], int]
"""Does what is due, beginning nothing after a deadline (monotonic); returns how much that was."""


def housekeeping(resources: Resources) -> Recurring:
    """The housekeeping as a duty of all workers, beside the sweep and never in its way."""
    return Recurring(
        resources,
        name="housekeeping",
        every_s=EVERY_S,
        do=lambda resources, _is_troubled: keep_house(resources),
    )


def keep_house(resources: Resources) -> dict[str, int]:
    """Do each chore that nobody else is at; returns how much each had to do.

    One that fails leaves the others to be done, and is tried again in the next round.
    """
    done: dict[str, int] = {}
    has_failed = False
    with HOUSEKEEPING_SECONDS.time():
        for name, chore in CHORES.items():
            if resources.stopping.is_set():
                break
            try:
                with _held_alone(resources, name) as is_alone:
                    if is_alone:
                        done[name] = chore(resources, time.monotonic() + TIME_S)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the others are no worse
                has_failed = True
                log.warning("chore_failed", chore=name, error=type(error).__name__)
    if done and not has_failed:
        LAST_HOUSEKEEPING.set_to_current_time()
    return done


@contextmanager
def _held_alone(resources: Resources, name: str) -> Iterator[bool]:
    """Keep other workers off a chore inside the block; yields whether they were not at it.

    The transaction is open while HubSpot is asked, but holds this lock and not a row.
    """
    with resources.database.begin() as session:
        allow_idling(session, seconds=TIME_S + LONGEST_S)
        yield lock_duty(session, name)


def in_batches(change: Callable[[Session, WorkerSettings], int]) -> Chore:
    """A chore that changes rows, batch by batch, each in a transaction of its own.

    Args:
        change: Does one batch in an open transaction and returns the number of its rows; fewer
            than `retention.MOST_AT_ONCE` say that nothing is left to be done in this round.
    """

    def work(resources: Resources, deadline: float) -> int:
        changed = 0
        deadline = min(deadline, time.monotonic() + BATCHES_S)
        while True:
            with resources.database.begin() as session:
                rows = change(session, resources.settings)
            changed += rows
            is_over = time.monotonic() > deadline or resources.stopping.is_set()
            if rows < retention.MOST_AT_ONCE or is_over:
                return changed

    return work


def _prune_logs(session: Session, settings: WorkerSettings) -> int:
    days = settings.log_retention_days
    return 0 if days is None else retention.prune_logs(session, days=days)


def _forget_numbers(session: Session, settings: WorkerSettings) -> int:
    days = settings.log_number_retention_days
    return 0 if days is None else retention.forget_numbers(session, days=days)


# In their order. What only changes rows comes first: it is over soon.
CHORES: Final[Mapping[str, Chore]] = {
    "payloads_deleted": in_batches(
        lambda session, settings: retention.delete_old_payloads(
            session, days=settings.payload_retention_days
        )
    ),
    "tallies_rolled_up": in_batches(lambda session, _: roll_up_tallies(session)),
    "attempts_pruned": in_batches(lambda session, _: retention.prune_attempts(session)),
    "logs_pruned": in_batches(_prune_logs),
    "numbers_forgotten": in_batches(_forget_numbers),
    "deeds_forgotten": in_batches(
        lambda session, settings: delete_old_deeds(session, days=settings.audit_retention_days)
    ),
    "pruned_calls_forgotten": in_batches(lambda session, _: retention.forget_pruned_calls(session)),
    "source_counts_forgotten": in_batches(
        lambda session, _: forget_counts(session, most=retention.MOST_AT_ONCE)
    ),
    "unassigned_forgotten": in_batches(
        lambda session, _: forget_unassigned(session, most=retention.MOST_AT_ONCE)
    ),
    "states_expired": in_batches(lambda session, _: retention.delete_expired_states(session)),
    "grants_given_up": in_batches(lambda session, _: retention.give_up_pending_grants(session)),
    "revoked": revoke_due_grants,
    "strays_settled": find_strays,
    "strays_archived": archive_strays,
}
