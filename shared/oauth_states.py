"""Authorizations on their way: the states that HubSpot echoes, stored hashed and taken once."""

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

LIFETIME_S: Final = 600
# Of one tenant at a time. A person has as many as tabs.
MOST_OPEN: Final = 20


def new_secret() -> str:
    """256 random bits as text that fits a URL, a cookie and a form."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """What is stored in place of a secret."""
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a state stands for.

    Attributes:
        browser_hash: The hash of the browser's cookie; None if no cookie counts.
        asks: A person has to confirm it, whatever the browser proves.
    """

    user_id: str
    workspace_id: str
    code_verifier: str = field(repr=False)
    browser_hash: bytes | None
    return_to: str
    asks: bool = False


_STORE_STATE = text("""
    INSERT INTO hubspot_oauth_states (state_hash, user_id, workspace_id, code_verifier,
                                      browser_hash, return_to, asks, expires_at)
    VALUES (:state_hash, :user_id, :workspace_id, :code_verifier,
            :browser_hash, :return_to, :asks, now() + make_interval(secs => :lifetime))
""")


# Side by side, two would not see each other's.
_LOCK_TENANT = text("""
    SELECT pg_advisory_xact_lock(
        hashtextextended('states:' || :user_id || ' ' || :workspace_id, 0))
""")
_END_OLDEST = text("""
    DELETE FROM hubspot_oauth_states WHERE state_hash IN (
        SELECT state_hash FROM hubspot_oauth_states
        WHERE user_id = :user_id AND workspace_id = :workspace_id
        ORDER BY expires_at DESC OFFSET :kept)
""")


def store_state(session: Session, state: str, authorization: Authorization) -> None:
    """Remember an authorization under its state for `LIFETIME_S` seconds.

    Of each tenant the newest `MOST_OPEN` are kept.
    """
    tenant = {"user_id": authorization.user_id, "workspace_id": authorization.workspace_id}
    session.execute(_LOCK_TENANT, tenant)
    session.execute(_END_OLDEST, {**tenant, "kept": MOST_OPEN - 1})
    session.execute(
        _STORE_STATE,
        {
            "state_hash": hash_secret(state),
            "user_id": authorization.user_id,
            "workspace_id": authorization.workspace_id,
            "code_verifier": authorization.code_verifier,
            "browser_hash": authorization.browser_hash,
            "return_to": authorization.return_to,
            "asks": authorization.asks,
            "lifetime": LIFETIME_S,
        },
    )


# Deleting decides who of two callers gets it; an expired one is deleted too and not returned.
_TAKE_STATE = text("""
    WITH taken AS (DELETE FROM hubspot_oauth_states WHERE state_hash = :state_hash RETURNING *)
    SELECT user_id, workspace_id, code_verifier, browser_hash, return_to, asks
    FROM taken WHERE expires_at > now()
""")


def take_state(session: Session, state: str) -> Authorization | None:
    """Use a state up; None when it is unknown, used or expired."""
    row = session.execute(_TAKE_STATE, {"state_hash": hash_secret(state)}).mappings().one_or_none()
    return Authorization(**row) if row is not None else None
