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


_READ = """
    SELECT access_token, refresh_token,
           extract(epoch FROM expires_at - clock_timestamp())::float8 AS expires_in,
           extract(epoch FROM expires_at - refreshed_at)::float8 AS lifetime,
           token_version AS version
    FROM hubspot_oauth_tokens WHERE id = :id AND state = 'connected'
"""
_READ_TOKEN = text(_READ)
# NO KEY: a plain FOR UPDATE blocks inserts elsewhere. SKIP: losers put their calls back.
_LOCK_TOKEN = text(_READ + " FOR NO KEY UPDATE SKIP LOCKED")


def read_token(session: Session, connection_id: str) -> StoredToken | None:
    """The stored token, or None when the connection is not live."""
    row = session.execute(_READ_TOKEN, {"id": connection_id}).mappings().one_or_none()
    return StoredToken(**row) if row is not None else None


def lock_token(session: Session, connection_id: str) -> StoredToken | None:
    """The same under a row lock; None also when somebody else holds it."""
    row = session.execute(_LOCK_TOKEN, {"id": connection_id}).mappings().one_or_none()
    return StoredToken(**row) if row is not None else None


_STORE = text("""
    UPDATE hubspot_oauth_tokens
    SET access_token = :access_token, refresh_token = :refresh_token,
        expires_at = now() + make_interval(secs => :expires_in), refreshed_at = now(),
        token_version = token_version + 1, updated_at = now()
    WHERE id = :id
""")


def store_token(
    session: Session,
    connection_id: str,
    *,
    access_token: str,
    refresh_token: str,
    expires_in: float,
) -> None:
    """Store refreshed tokens (ciphertexts); the caller holds the row's lock."""
    session.execute(
        _STORE,
        {
            "id": connection_id,
            "access_token": access_token,
            "refresh_token": refresh_token,
            "expires_in": expires_in,
        },
    )
