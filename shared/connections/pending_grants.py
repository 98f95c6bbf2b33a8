"""Grants that are not a connection yet: encrypted, for a short while, taken once.

HubSpot's code is spent with the first answer to it, so a grant is kept here before anything else is
done: whatever fails then, housekeeping puts it on the revocation list when it expires. What was
decided about it is known for as long again: a person may have clicked twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.connections.lifecycle import Encrypt, Grant
from shared.connections.oauth_states import (
    LIFETIME_S,
    MOST_OPEN,
    Authorization,
    hash_secret,
    new_secret,
)
from shared.crypto import TokenCipher
from shared.hubspot.models import TokenGrant
from shared.ids import new_connection_id

_STORE = text("""
    INSERT INTO hubspot_pending_grants (grant_hash, id, user_id, workspace_id, access_token,
        refresh_token, expires_in, hub_id, ui_domain, scopes, return_to, expires_at)
    VALUES (:grant_hash, :id, :user_id, :workspace_id, :access_token, :refresh_token,
        :expires_in, :hub_id, NULL, :scopes, :return_to,
        now() + make_interval(secs => :lifetime))
""")

# Housekeeping gives back what has expired.
_EXPIRE_OLDEST = text("""
    UPDATE hubspot_pending_grants SET expires_at = now() WHERE grant_hash IN (
        SELECT grant_hash FROM hubspot_pending_grants
        WHERE user_id = :user_id AND workspace_id = :workspace_id AND expires_at > now()
        ORDER BY expires_at DESC OFFSET :kept)
""")


def store_pending_grant(
    session: Session,
    authorization: Authorization,
    token: TokenGrant,
    refresh_token: str,
    encrypt: Encrypt,
) -> str:
    """Keep a grant for `LIFETIME_S` seconds; returns the secret that takes it.

    Of each tenant the newest `MOST_OPEN` are kept.
    """
    session.execute(
        _EXPIRE_OLDEST,
        {
            "user_id": authorization.user_id,
            "workspace_id": authorization.workspace_id,
            "kept": MOST_OPEN - 1,
        },
    )
    secret, row_id = new_secret(), new_connection_id().replace("hc_", "hg_")
    session.execute(
        _STORE,
        {
            "grant_hash": hash_secret(secret),
            "id": row_id,
            "user_id": authorization.user_id,
            "workspace_id": authorization.workspace_id,
            "access_token": encrypt(token.access_token, row_id, "access_token"),
            "refresh_token": encrypt(refresh_token, row_id, "refresh_token"),
            "expires_in": token.expires_in,
            "hub_id": token.hub_id,
            "scopes": list(token.scopes),
            "return_to": authorization.return_to,
            "lifetime": LIFETIME_S,
        },
    )
    return secret


_COMPLETE = text("""
    UPDATE hubspot_pending_grants
    SET hub_id = :hub_id, ui_domain = :ui_domain, scopes = :scopes
    WHERE grant_hash = :grant_hash
""")


def complete_pending_grant(
    session: Session, secret: str, *, hub_id: int, ui_domain: str | None, scopes: Sequence[str]
) -> None:
    """Add what HubSpot said of the grant's account beside the tokens."""
    session.execute(
        _COMPLETE,
        {
            "grant_hash": hash_secret(secret),
            "hub_id": hub_id,
            "ui_domain": ui_domain,
            "scopes": list(scopes),
        },
    )


@dataclass(frozen=True, slots=True)
class ConfirmedGrant:
    """A grant that may be connected, and whose it is."""

    user_id: str
    workspace_id: str
    return_to: str
    grant: Grant


_DECIDED: Final = """
    INSERT INTO hubspot_decided_grants (grant_hash, return_to, is_connected, expires_at)
    SELECT grant_hash, return_to, {is_connected}, now() + make_interval(secs => :lifetime)
    FROM {grants}
    ON CONFLICT DO NOTHING
"""

# The access token has aged since it was stored.
_TAKE = text(f"""
    WITH taken AS (DELETE FROM hubspot_pending_grants
                   WHERE grant_hash = :grant_hash AND expires_at > now()
                     AND hub_id IS NOT NULL RETURNING *),
    decided AS ({_DECIDED.format(is_connected="true", grants="taken")})
    SELECT id, user_id, workspace_id, return_to, access_token, refresh_token, hub_id, ui_domain,
           scopes,
           greatest(expires_in - :lifetime + extract(epoch FROM expires_at - now()), 1)::float8
               AS expires_in
    FROM taken
""")  # noqa: S608 - constants of ours


def take_pending_grant(session: Session, secret: str, cipher: TokenCipher) -> ConfirmedGrant | None:
    """Use a pending grant up; None when it is unknown, used or expired.

    Raises:
        UndecryptableError: Its key is no longer there; the transaction should be rolled back.
    """
    row = session.execute(
        _TAKE, {"grant_hash": hash_secret(secret), "lifetime": LIFETIME_S}
    ).one_or_none()
    if row is None:
        return None
    grant = Grant(
        access_token=cipher.decrypt(row.access_token, row_id=row.id, field="access_token"),
        refresh_token=cipher.decrypt(row.refresh_token, row_id=row.id, field="refresh_token"),
        expires_in=row.expires_in,
        hub_id=row.hub_id,
        ui_domain=row.ui_domain,
        scopes=tuple(row.scopes),
    )
    return ConfirmedGrant(row.user_id, row.workspace_id, row.return_to, grant)


_GIVE_UP = text(f"""
    WITH given_up AS (
        UPDATE hubspot_pending_grants SET expires_at = now()
        WHERE grant_hash = :grant_hash AND expires_at > now() RETURNING grant_hash, return_to),
    decided AS ({_DECIDED.format(is_connected="false", grants="given_up")})
    SELECT return_to FROM given_up
""")  # noqa: S608 - constants of ours


def give_up_pending_grant(session: Session, secret: str) -> str | None:
    """Let a grant expire now; returns its `return_to`, None when it is unknown or expired."""
    grant = {"grant_hash": hash_secret(secret), "lifetime": LIFETIME_S}
    return session.execute(_GIVE_UP, grant).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class DecidedGrant:
    """A grant that was connected or given up, and where the browser went."""

    is_connected: bool
    return_to: str


_FIND_DECIDED = text("""
    SELECT is_connected, return_to FROM hubspot_decided_grants
    WHERE grant_hash = :grant_hash AND expires_at > now()
""")


def find_decided_grant(session: Session, secret: str) -> DecidedGrant | None:
    """What was decided about a grant within the last `LIFETIME_S` seconds; None if nothing."""
    found = session.execute(_FIND_DECIDED, {"grant_hash": hash_secret(secret)}).one_or_none()
    return None if found is None else DecidedGrant(found.is_connected, found.return_to)
