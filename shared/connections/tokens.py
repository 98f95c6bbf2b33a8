"""The tokens of a connection as a worker needs them: read, refreshed one at a time, rotated."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, repr=False)
class StoredToken:
    """A connection's tokens as ciphertexts, with their age on Postgres's clock, in seconds."""

    access_token: str
    refresh_token: str
    expires_in: float
    lifetime: float
    version: int
    # The HubSpot app that it was given to; None when nobody noted it.
    client_id: str | None


_READ = text("""
    SELECT access_token, refresh_token,
           extract(epoch FROM expires_at - clock_timestamp())::float8 AS expires_in,
           extract(epoch FROM expires_at - refreshed_at)::float8 AS lifetime,
           token_version AS version, client_id
    FROM hubspot_oauth_tokens WHERE id = :id AND state = 'connected'
""")


def read_token(session: Session, connection_id: str) -> StoredToken | None:
    """The stored token, or None when the connection is not live."""
    row = session.execute(_READ, {"id": connection_id}).mappings().one_or_none()
    return StoredToken(**row) if row is not None else None


# An advisory lock instead of the row's: a disconnect must not wait while HubSpot is asked.
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended('token:' || :id, 0))")


def lock_token(session: Session, connection_id: str) -> bool:
    """Become the only one to refresh this token until the transaction ends; False if one is.

    Read the token after, not before: the last holder may have refreshed it.
    """
    return bool(session.execute(_LOCK, {"id": connection_id}).scalar_one())


_STORE = text("""
    UPDATE hubspot_oauth_tokens
    SET access_token = :access_token, refresh_token = :refresh_token,
        expires_at = now() + make_interval(secs => :expires_in), refreshed_at = now(),
        client_id = coalesce(:client_id, client_id), token_version = token_version + 1,
        updated_at = now()
    WHERE id = :id AND token_version = :version AND state = 'connected'
""")


def store_token(
    session: Session,
    connection_id: str,
    *,
    version: int,
    access_token: str,
    refresh_token: str,
    expires_in: float,
    client_id: str | None = None,
) -> bool:
    """Store refreshed tokens (ciphertexts) of the app `client_id` in place of `version`.

    False when the connection was ended or connected anew while HubSpot was asked.
    """
    result = session.execute(
        _STORE,
        {
            "id": connection_id,
            "version": version,
            "access_token": access_token,
            "refresh_token": refresh_token,
            "expires_in": expires_in,
            "client_id": client_id,
        },
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]
