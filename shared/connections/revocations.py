"""Grants that HubSpot must be told to forget."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, repr=False)
class RevocationDue:
    """A grant to revoke: a ciphertext bound to the row `bound_to`, its age in seconds.

    `hub_id` is None while HubSpot has not said whose grant it is.
    """

    id: str
    bound_to: str
    hub_id: int | None
    refresh_token: str
    age: float
    attempts: int


_TAKE = text("""
    WITH due AS (
        SELECT id FROM hubspot_revocations WHERE next_attempt_at <= now()
        ORDER BY next_attempt_at LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    UPDATE hubspot_revocations r
    SET attempts = r.attempts + 1,
        next_attempt_at = now() + make_interval(secs => least(60 * 2.0 ^ r.attempts, 3600))
    FROM due WHERE r.id = due.id
    RETURNING r.id, r.bound_to, r.hub_id, r.refresh_token, r.attempts,
              extract(epoch FROM now() - r.created_at)::float8 AS age
""")


def take_revocation(session: Session) -> RevocationDue | None:
    """One grant to revoke now; it comes again, ever later, until `forget_revocation`."""
    row = session.execute(_TAKE).mappings().one_or_none()
    return RevocationDue(**row) if row is not None else None


_HUB_IN_USE = text("""
    SELECT EXISTS (SELECT FROM hubspot_oauth_tokens
                   WHERE hub_id = :hub_id AND state <> 'disconnected')
""")


def is_hub_in_use(session: Session, hub_id: int) -> bool:
    """Whether a connection has the account: revoking or uninstalling would end it too."""
    return bool(session.execute(_HUB_IN_USE, {"hub_id": hub_id}).scalar_one())


def forget_revocation(session: Session, revocation_id: str) -> None:
    """Erase the tokens: HubSpot has been told, or need not be."""
    session.execute(text("DELETE FROM hubspot_revocations WHERE id = :id"), {"id": revocation_id})
