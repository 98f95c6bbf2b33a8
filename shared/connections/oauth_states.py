"""Authorizations on their way: the states that HubSpot echoes, stored hashed and taken once.

Who reads the database can finish none of them: the state is hashed, the verifier encrypted for it.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

import requests
from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.configuration.settings import ServiceSettings
from shared.crypto import TokenCipher, UndecryptableError
from shared.hubspot.oauth import HubSpotOAuth

LIFETIME_S: Final = 600
_FIELD: Final = "code_verifier"
# Of one tenant at a time. A person has as many as tabs.
MOST_OPEN: Final = 20
_SECRET: Final = re.compile(r"[\w-]{43}", re.ASCII)


def open_oauth(settings: ServiceSettings, session: requests.Session) -> HubSpotOAuth:
    """HubSpot's OAuth endpoints, as our app uses them."""
    return HubSpotOAuth(
        client_id=settings.hubspot_client_id,
        client_secret=settings.hubspot_client_secret.get_secret_value(),
        api_url=settings.hubspot_api_url,
        app_url=settings.hubspot_app_url,
        redirect_uri=settings.redirect_uri,
        scopes=settings.hubspot_scopes,
        session=session,
    )


def new_secret() -> str:
    """256 random bits as text that fits a URL, a cookie and a form."""
    return secrets.token_urlsafe(32)


def may_be_secret(text: str) -> bool:
    """Whether `new_secret` may have made it. What it has not is told apart without any work."""
    return _SECRET.fullmatch(text) is not None


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


def store_state(
    session: Session, state: str, authorization: Authorization, cipher: TokenCipher
) -> None:
    """Remember an authorization under its state for `LIFETIME_S` seconds.

    Of each tenant the newest `MOST_OPEN` are kept.
    """
    tenant = {"user_id": authorization.user_id, "workspace_id": authorization.workspace_id}
    session.execute(_LOCK_TENANT, tenant)
    session.execute(_END_OLDEST, {**tenant, "kept": MOST_OPEN - 1})
    state_hash = hash_secret(state)
    session.execute(
        _STORE_STATE,
        {
            "state_hash": state_hash,
            "user_id": authorization.user_id,
            "workspace_id": authorization.workspace_id,
            "code_verifier": cipher.encrypt(
                authorization.code_verifier, row_id=state_hash.hex(), field=_FIELD
            ),
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


def take_state(session: Session, state: str, cipher: TokenCipher) -> Authorization | None:
    """Use a state up; None when it is unknown, used, expired, or not to be decrypted.

    The last is so for minutes after its key was dropped, or after verifiers were stored plainly.
    """
    state_hash = hash_secret(state)
    row = session.execute(_TAKE_STATE, {"state_hash": state_hash}).mappings().one_or_none()
    if row is None:
        return None
    try:
        verifier = cipher.decrypt(row["code_verifier"], row_id=state_hash.hex(), field=_FIELD)
    except UndecryptableError:
        return None
    return Authorization(**{**row, "code_verifier": verifier})
