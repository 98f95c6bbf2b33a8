"""What does not mend itself, or has not yet: all that an operator may have to act on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from shared.queue.lanes import EVERY_LANE
from shared.queue.waiting import find_waiting_tenants
from shared.reasons import Lane

# Due for longer than this, a live call is stuck; backfill may wait behind live calls.
STUCK_AFTER_S: Final = 300.0
BACKFILL_STUCK_AFTER_S: Final = 3600.0
# A doubt ends after about two minutes if HubSpot answers at all.
DOUBT_LASTS_S: Final = 300.0
# Housekeeping tries every minute.
CHORE_LASTS_S: Final = 600.0
# Beyond this a number is simply large; counting further would cost what it is about.
MOST_COUNTED: Final = 100_000
MOST_STUCK_COUNTED: Final = 10_000


@dataclass(frozen=True, slots=True)
class PausedAccount:
    """A HubSpot account that is being left alone, why, and until when."""

    hub_id: int
    reason: str
    until: datetime


@dataclass(frozen=True, slots=True)
class LostConnection:
    """A connection whose person has to connect again, since when, and what HubSpot said."""

    user_id: str
    workspace_id: str
    hub_id: int | None
    since: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class StuckCalls:
    """Calls of one user and workspace that are due and that no worker takes up.

    `since` is when the oldest was due; at most `MOST_STUCK_COUNTED` are counted.
    """

    user_id: str
    workspace_id: str
    calls: int
    since: datetime


@dataclass(frozen=True, slots=True)
class FailedCalls:
    """Calls that ended as errors of one code and can be replayed; `since` dates the oldest."""

    error_code: str
    calls: int
    since: datetime


@dataclass(frozen=True, slots=True)
class FailedUpdates:
    """Notes of a user and workspace that could not be completed; `since` dates the oldest news."""

    user_id: str
    workspace_id: str
    updates: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Pile:
    """How many of a kind, and since when the oldest; None when there are none."""

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Everything at once; counts of calls stop at `most` of `read_trouble`.

    Attributes:
        paused_accounts: Soonest end first.
        lost_connections: Oldest first.
        stuck_calls: Oldest first. Calls of a paused account are waiting, not stuck.
        suspects: Calls whose last claim ended without any result.
        in_doubt: Calls of which HubSpot could not say for minutes whether it has the note.
        misconfigured: Calls that wait because HubSpot refuses our own credentials, or because no
            key opens a token.
        failed_calls: Largest first.
        failed_updates: Largest first, without those that are held until a person retries.
        surplus_notes: Second notes that are not archived yet.
        revocations: Grants of disconnected accounts that HubSpot was not told of yet.
    """

    paused_accounts: Sequence[PausedAccount]
    lost_connections: Sequence[LostConnection]
    stuck_calls: Sequence[StuckCalls]
    suspects: Pile
    in_doubt: Pile
    misconfigured: Pile
    failed_calls: Sequence[FailedCalls]
    failed_updates: Sequence[FailedUpdates]
    surplus_notes: Pile
    revocations: Pile

    @property
    def is_any(self) -> bool:
        """Whether there is anything to look at."""
        piles = (
            self.suspects,
            self.in_doubt,
            self.misconfigured,
            self.surplus_notes,
            self.revocations,
        )
        lists = (
            self.paused_accounts,
            self.lost_connections,
            self.stuck_calls,
            self.failed_calls,
            self.failed_updates,
        )
        return any(lists) or any(pile.count for pile in piles)


_PAUSED = text("""
    SELECT hub_id, coalesce(pause_reason, '') AS reason, paused_until AS until
    FROM hubspot_accounts WHERE paused_until > now() ORDER BY until
""")
_LOST = text("""
    SELECT user_id, workspace_id, hub_id, state_changed_at AS since, state_reason AS reason
    FROM hubspot_oauth_tokens WHERE state = 'reconnect_required' ORDER BY since
""")
# Lane by lane, so that calls scheduled for later are not looked at.
_STUCK = text(f"""
    SELECT t.user_id, t.workspace_id, count(*) AS calls, min(late.next_attempt_at) AS since
    FROM unnest(CAST(:user_ids AS text[]), CAST(:workspace_ids AS text[]))
             AS t (user_id, workspace_id)
    CROSS JOIN {EVERY_LANE}
    CROSS JOIN LATERAL (
        SELECT l.next_attempt_at FROM hubspot_sync_logs l
        WHERE l.user_id = t.user_id AND l.workspace_id = t.workspace_id
          AND l.lane = lanes.lane AND l.claimed_by IS NULL
          AND l.next_attempt_at <= now() - make_interval(
                  secs => CASE WHEN lanes.lane = :backfill THEN :backfill_after ELSE :after END)
        ORDER BY l.next_attempt_at
        LIMIT :most
    ) AS late
    GROUP BY t.user_id, t.workspace_id
    ORDER BY since
""")  # noqa: S608 - our own text
_SUSPECTS = text("""
    SELECT count(*), min(next_attempt_at)
    FROM (SELECT next_attempt_at FROM hubspot_sync_logs WHERE suspect_size IS NOT NULL
          LIMIT :most) AS suspects
""")
_IN_DOUBT = text("""
    SELECT count(*), min(last_write_at)
    FROM (SELECT last_write_at FROM hubspot_sync_logs
          WHERE last_write_at IS NOT NULL AND next_attempt_at IS NOT NULL AND claimed_by IS NULL
            AND last_write_at < now() - make_interval(secs => :lasts)
          LIMIT :most) AS doubts
""")
# Without its content a call cannot be replayed. The first condition of each part, in the words of
# its index, spares looking at the errors of all time, whose contents are long deleted; OFFSET keeps
# the planner from reading all of `calls` where it expects many errors.
_FAILED = text("""
    SELECT error_code, count(*) AS calls, min(created_at) AS since
    FROM (
        (SELECT l.error_code, l.created_at FROM hubspot_sync_logs l
         WHERE l.created_at AT TIME ZONE 'UTC'
               >= (SELECT min(received_at) AT TIME ZONE 'UTC' FROM calls)
           AND l.status = 'error'
           AND EXISTS (SELECT FROM calls WHERE calls.log_id = l.id OFFSET 0)
         LIMIT :most)
        UNION ALL
        (SELECT l.error_code, l.created_at FROM hubspot_sync_logs l
         WHERE l.created_at AT TIME ZONE 'UTC'
               >= (SELECT min(received_at) AT TIME ZONE 'UTC' FROM calls)
           AND l.error_code = 'configuration_error' AND l.status <> 'error'
           AND EXISTS (SELECT FROM calls WHERE calls.log_id = l.id OFFSET 0)
         LIMIT :most)
    ) AS failed
    GROUP BY error_code ORDER BY calls DESC, error_code
""")
# They go with the contents of their calls.
_FAILED_UPDATES = text("""
    SELECT user_id, workspace_id, count(*) AS updates, min(first_news_at) AS since
    FROM (SELECT user_id, workspace_id, first_news_at FROM activity_updates
          WHERE state = 'failed' LIMIT :most) AS failed
    GROUP BY user_id, workspace_id ORDER BY updates DESC, user_id, workspace_id
""")
_COUNT_UPDATES = text("""
    SELECT states.state,
           (SELECT count(*) FROM (SELECT FROM activity_updates u
                                  WHERE u.state = states.state LIMIT :most) AS counted) AS updates
    FROM unnest(CAST(:states AS text[])) AS states (state)
""")
UPDATE_STATES: Final = ("waiting", "held", "failed", "deleted")
_SURPLUS = text("""
    SELECT count(*), min(written_at) FROM hubspot_strays
    WHERE activity_id IS NOT NULL AND written_at < now() - make_interval(secs => :lasts)
""")
_REVOCATIONS = text("""
    SELECT count(*), min(created_at) FROM hubspot_revocations
    WHERE created_at < now() - make_interval(secs => :lasts)
""")
MISCONFIGURED: Final = "configuration_error"


def read_trouble(session: Session, *, most: int = MOST_COUNTED) -> Trouble:
    """Read all of it; costs about as much as there is trouble, whatever the length of the log.

    Counts of calls stop at `most`.
    """
    failed = find_failed_calls(session, most=most)
    misconfigured = [each for each in failed if each.error_code == MISCONFIGURED]
    return Trouble(
        paused_accounts=find_paused_accounts(session),
        lost_connections=[LostConnection(**row) for row in session.execute(_LOST).mappings()],
        stuck_calls=find_stuck_calls(session),
        suspects=count_suspects(session, most=most),
        in_doubt=count_doubts(session, most=most),
        misconfigured=(
            Pile(misconfigured[0].calls, misconfigured[0].since) if misconfigured else Pile(0, None)
        ),
        failed_calls=[each for each in failed if each.error_code != MISCONFIGURED],
        failed_updates=find_failed_updates(session, most=most),
        surplus_notes=count_surplus_notes(session),
        revocations=count_revocations(session),
    )


def find_paused_accounts(session: Session) -> list[PausedAccount]:
    """As in `Trouble`."""
    return [PausedAccount(**row) for row in session.execute(_PAUSED).mappings()]


def find_failed_calls(session: Session, *, most: int = MOST_COUNTED) -> list[FailedCalls]:
    """As in `Trouble`, and those of code `MISCONFIGURED`, which wait."""
    return [FailedCalls(**row) for row in session.execute(_FAILED, {"most": most}).mappings()]


def find_failed_updates(session: Session, *, most: int = MOST_COUNTED) -> list[FailedUpdates]:
    """As in `Trouble`."""
    rows = session.execute(_FAILED_UPDATES, {"most": most})
    return [FailedUpdates(**row) for row in rows.mappings()]


def count_updates(session: Session, *, most: int = MOST_COUNTED) -> dict[str, int]:
    """Updates by state, each counted up to `most`."""
    rows = session.execute(_COUNT_UPDATES, {"states": list(UPDATE_STATES), "most": most})
    return {row.state: row.updates for row in rows}


def find_stuck_calls(session: Session) -> list[StuckCalls]:
    """As in `Trouble`."""
    tenants = [tenant for tenant in find_waiting_tenants(session) if not tenant.is_paused]
    rows = session.execute(
        _STUCK,
        {
            "user_ids": [tenant.user_id for tenant in tenants],
            "workspace_ids": [tenant.workspace_id for tenant in tenants],
            "backfill": Lane.BACKFILL,
            "backfill_after": BACKFILL_STUCK_AFTER_S,
            "after": STUCK_AFTER_S,
            "most": MOST_STUCK_COUNTED,
        },
    )
    return [StuckCalls(**row) for row in rows.mappings()]


def count_suspects(session: Session, *, most: int = MOST_COUNTED) -> Pile:
    """As in `Trouble`."""
    return _read_pile(session, _SUSPECTS, {"most": most})


def count_doubts(session: Session, *, most: int = MOST_COUNTED) -> Pile:
    """Calls in doubt, as in `Trouble`."""
    return _read_pile(session, _IN_DOUBT, {"lasts": DOUBT_LASTS_S, "most": most})


def count_surplus_notes(session: Session) -> Pile:
    """As in `Trouble`."""
    return _read_pile(session, _SURPLUS, {"lasts": CHORE_LASTS_S})


def count_revocations(session: Session) -> Pile:
    """As in `Trouble`."""
    return _read_pile(session, _REVOCATIONS, {"lasts": CHORE_LASTS_S})


def _read_pile(session: Session, query: TextClause, parameters: dict[str, Any]) -> Pile:
    count, since = session.execute(query, parameters).one()
    return Pile(count, since)
