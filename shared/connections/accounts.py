"""What is known of a HubSpot account: pauses, asked for or earned, and how wide to work."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

FULL_WIDTH: Final = 4
RAW_SEARCH_DAYS: Final = 7
# A missing property is mostly a slip that somebody mends; to ask again costs a few searches.
REFUSED_PROPERTIES_HOURS: Final = 1


@dataclass(frozen=True, slots=True)
class AccountState:
    """The health of an account now.

    Attributes:
        hub_id: The account.
        paused_for: Seconds the account is to be left alone; 0 when it is not paused.
        turn_width: Rounds that may run side by side.
        failing_turns: Rounds in a row that failed for reasons of the account's.
        is_raw_search: Calculated phone properties are not to be used in searches.
        refused_properties: Phone properties of connections that HubSpot refuses to search, and
            properties of activities, or values of these, that it refuses to write.
        was_paused: There is a pause on record, over or not.
    """

    hub_id: int
    paused_for: float = 0
    turn_width: int = FULL_WIDTH
    failing_turns: int = 0
    is_raw_search: bool = False
    refused_properties: tuple[str, ...] = ()
    was_paused: bool = False

    @property
    def is_recovering(self) -> bool:
        """Whether a good round has something to restore."""
        return self.failing_turns > 0 or self.turn_width < FULL_WIDTH or self.was_paused


_LOAD = text("""
    SELECT greatest(coalesce(extract(epoch FROM paused_until - now()), 0), 0)::float8
               AS paused_for,
           turn_width, failing_turns,
           coalesce(raw_search_until > now(), false) AS is_raw_search,
           CASE WHEN refused_properties_until > now() THEN refused_properties ELSE '{}' END
               AS refused_properties,
           paused_until IS NOT NULL AS was_paused
    FROM hubspot_accounts WHERE hub_id = :hub_id
""")


def load_account(session: Session, hub_id: int) -> AccountState:
    """What is known of the account; the defaults when nothing is."""
    row = session.execute(_LOAD, {"hub_id": hub_id}).mappings().one_or_none()
    if row is None:
        return AccountState(hub_id)
    known = AccountState(hub_id, **row)
    return replace(known, refused_properties=tuple(known.refused_properties))


_PAUSE = text("""
    INSERT INTO hubspot_accounts AS a (hub_id, paused_until, pause_reason)
    VALUES (:hub_id, now() + make_interval(secs => :seconds), :reason)
    ON CONFLICT (hub_id) DO UPDATE
    SET paused_until = excluded.paused_until, pause_reason = excluded.pause_reason,
        updated_at = now()
    WHERE a.paused_until IS NULL OR a.paused_until < excluded.paused_until
""")


def pause_account(session: Session, hub_id: int, *, seconds: float, reason: str) -> None:
    """Leave the account alone for `seconds`; never shortens a pause."""
    session.execute(_PAUSE, {"hub_id": hub_id, "seconds": seconds, "reason": reason})


_TURN_FAILED = text("""
    INSERT INTO hubspot_accounts AS a (hub_id, failing_turns) VALUES (:hub_id, 1)
    ON CONFLICT (hub_id) DO UPDATE
    SET failing_turns = least(a.failing_turns + 1, 1000),
        turn_width = CASE WHEN a.failing_turns >= 1 THEN 1 ELSE a.turn_width END,
        updated_at = now()
    RETURNING failing_turns
""")


def count_failed_round(session: Session, hub_id: int) -> int:
    """Count a round that the account failed; from the second on the width is one round."""
    return int(session.execute(_TURN_FAILED, {"hub_id": hub_id}).scalar_one())


_TURN_SUCCEEDED = text("""
    UPDATE hubspot_accounts
    SET failing_turns = 0, turn_width = least(turn_width * 2, :full), updated_at = now(),
        pause_reason = CASE WHEN paused_until > now() THEN pause_reason END,
        paused_until = CASE WHEN paused_until > now() THEN paused_until END
    WHERE hub_id = :hub_id
      AND (failing_turns > 0 OR turn_width < :full OR paused_until <= now())
""")


def record_good_round(session: Session, hub_id: int) -> None:
    """Forget failures and widen: one round, then two, then four."""
    session.execute(_TURN_SUCCEEDED, {"hub_id": hub_id, "full": FULL_WIDTH})


_RAW_SEARCH = text("""
    INSERT INTO hubspot_accounts AS a (hub_id, raw_search_until)
    VALUES (:hub_id, now() + make_interval(days => :days))
    ON CONFLICT (hub_id) DO UPDATE
    SET raw_search_until = excluded.raw_search_until, updated_at = now()
""")


def remember_raw_search(session: Session, hub_id: int) -> None:
    """Leave calculated phone properties out of this account's searches for a while."""
    session.execute(_RAW_SEARCH, {"hub_id": hub_id, "days": RAW_SEARCH_DAYS})


_REFUSED_PROPERTIES = text("""
    INSERT INTO hubspot_accounts AS a (hub_id, refused_properties, refused_properties_until)
    VALUES (:hub_id, CAST(:names AS text[]), now() + make_interval(hours => :hours))
    ON CONFLICT (hub_id) DO UPDATE
    SET refused_properties = CASE
            WHEN a.refused_properties_until > now()
            THEN ARRAY(SELECT unnest(a.refused_properties)
                       UNION SELECT unnest(excluded.refused_properties))
            ELSE excluded.refused_properties END,
        refused_properties_until = excluded.refused_properties_until, updated_at = now()
""")


def remember_refused_properties(session: Session, hub_id: int, names: Collection[str]) -> None:
    """Leave these out of this account's searches and activities for a while."""
    session.execute(
        _REFUSED_PROPERTIES,
        {"hub_id": hub_id, "names": list(names), "hours": REFUSED_PROPERTIES_HOURS},
    )


_FORGET_REFUSED = text("""
    UPDATE hubspot_accounts
    SET refused_properties = NULL, refused_properties_until = NULL, updated_at = now()
    WHERE hub_id = :hub_id AND refused_properties IS NOT NULL
""")


def forget_refused_properties(session: Session, hub_id: int) -> None:
    """Ask HubSpot anew: somebody has changed which properties are searched."""
    session.execute(_FORGET_REFUSED, {"hub_id": hub_id})
