"""Grants that await a person's confirmation: encrypted, for a short while, taken once.

Housekeeping puts those that expire on the revocation list.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.connections import Encrypt, Grant
from shared.crypto import TokenCipher
from shared.ids import new_connection_id
from shared.oauth_states import LIFETIME_S, Authorization, hash_secret, new_secret

_STORE = text("""
    INSERT INTO hubspot_pending_grants (grant_hash, id, user_id, workspace_id, access_token,
        refresh_token, expires_in, hub_id, ui_domain, scopes, return_to, expires_at)
    VALUES (:grant_hash, :id, :user_id, :workspace_id, :access_token, :refresh_token,
        :expires_in, :hub_id, :ui_domain, :scopes, :return_to,
        now() + make_interval(secs => :lifetime))
""")


def store_pending_grant(
    session: Session, authorization: Authorization, grant: Grant, encrypt: Encrypt
) -> str:
    """Keep a grant for `LIFETIME_S` seconds, until it is confirmed; returns its secret."""
    secret, row_id = new_secret(), new_connection_id().replace("hc_", "hg_")
    session.execute(
        _STORE,
        {
            "grant_hash": hash_secret(secret),
            "id": row_id,
            "user_id": authorization.user_id,
            "workspace_id": authorization.workspace_id,
            "access_token": encrypt(grant.access_token, row_id, "access_token"),
            "refresh_token": encrypt(grant.refresh_token, row_id, "refresh_token"),
            "expires_in": grant.expires_in,
            "hub_id": grant.hub_id,
            "ui_domain": grant.ui_domain,
            "scopes": list(grant.scopes),
            "return_to": authorization.return_to,
            "lifetime": LIFETIME_S,
        },
    )
    return secret


@dataclass(frozen=True, slots=True)
class ConfirmedGrant:
    """A grant that a person has confirmed, and whose it is."""

    user_id: str
    workspace_id: str
    return_to: str
    grant: Grant


# The access token has aged since it was stored.
_TAKE = text("""
    WITH taken AS (DELETE FROM hubspot_pending_grants
                   WHERE grant_hash = :grant_hash AND expires_at > now() RETURNING *)
    SELECT id, user_id, workspace_id, return_to, access_token, refresh_token, hub_id, ui_domain,
           scopes,
           greatest(expires_in - :lifetime + extract(epoch FROM expires_at - now()), 1)::float8
               AS expires_in
    FROM taken
""")


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


_GIVE_UP = text("""
    UPDATE hubspot_pending_grants SET expires_at = now()
    WHERE grant_hash = :grant_hash AND expires_at > now() RETURNING return_to
""")


def give_up_pending_grant(session: Session, secret: str) -> str | None:
    """Let a grant expire now; returns its `return_to`, None when it is unknown or expired."""
    return session.execute(_GIVE_UP, {"grant_hash": hash_secret(secret)}).scalar_one_or_none()
