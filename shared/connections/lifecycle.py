"""Connections: finding them, connecting, disconnecting, and what HubSpot's refusals do to them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from shared.ids import new_connection_id
from shared.models import Connection
from shared.queue.claims import LEASE_S
from shared.queue.handovers import begin_parting, begin_requeueing, end_requeueing

CONNECTED: Final = "connected"
DISCONNECTED: Final = "disconnected"
RECONNECT_REQUIRED: Final = "reconnect_required"

# Encrypts a token for a row: (plaintext, row id, field name) -> ciphertext.
Encrypt = Callable[[str, str, str], str]


@dataclass(frozen=True, slots=True, repr=False)
class Grant:
    """Fresh tokens of one HubSpot account, in the clear; never shown."""

    access_token: str
    refresh_token: str
    expires_in: float
    hub_id: int
    ui_domain: str | None
    scopes: tuple[str, ...]
    # The HubSpot app that it was given to; None where nobody noted it.
    client_id: str | None = None


def find_connection(session: Session, *, user_id: str, workspace_id: str) -> Connection | None:
    """The connection of a user and workspace, live or not."""
    return session.scalars(
        select(Connection).filter_by(user_id=user_id, workspace_id=workspace_id)
    ).one_or_none()


def lock_hub(session: Session, hub_id: int) -> None:
    # Connects and disconnects of one account take turns: who is last must revoke.
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('hub:' || :hub_id, 0))"),
        {"hub_id": str(hub_id)},
    )


def _lock_connection(session: Session, user_id: str, workspace_id: str) -> Connection | None:
    return session.scalars(
        select(Connection)
        .filter_by(user_id=user_id, workspace_id=workspace_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


_ENSURE = text("""
    INSERT INTO hubspot_oauth_tokens (id, user_id, workspace_id, state)
    VALUES (:id, :user_id, :workspace_id, 'disconnected')
    ON CONFLICT (user_id, workspace_id) DO NOTHING
""")


def ensure_connection(session: Session, *, user_id: str, workspace_id: str) -> Connection:
    """The tenant's connection row, made disconnected if there is none; locked."""
    connection = None
    while connection is None:  # one that is being erased is there, and then is not
        session.execute(
            _ENSURE, {"id": new_connection_id(), "user_id": user_id, "workspace_id": workspace_id}
        )
        connection = _lock_connection(session, user_id, workspace_id)
    return connection


_STORE_GRANT = text("""
    UPDATE hubspot_oauth_tokens
    SET access_token = :access_token, refresh_token = :refresh_token,
        expires_at = now() + make_interval(secs => :expires_in), refreshed_at = now(),
        token_version = token_version + 1, generation = generation + 1,
        state = 'connected', state_reason = NULL, state_changed_at = now(),
        hub_id = :hub_id, ui_domain = :ui_domain, scopes = :scopes,
        client_id = :client_id, connected_at = now(), updated_at = now()
    WHERE id = :id
""")


def connect(
    session: Session, *, user_id: str, workspace_id: str, grant: Grant, encrypt: Encrypt
) -> str:
    """Store a grant as the tenant's connection; what waited for it is handed over page by page.

    However many calls wait, this touches none of them: see `shared.queue.handovers`.

    Connecting the same account again overwrites the tokens without revoking them: HubSpot hands
    out the same refresh token. Another account's tokens go to the revocation list.

    Returns:
        The connection's id.
    """
    known = find_connection(session, user_id=user_id, workspace_id=workspace_id)
    old_hub_id = known.hub_id if known is not None else None
    for hub_id in sorted({grant.hub_id, old_hub_id or grant.hub_id}):
        lock_hub(session, hub_id)
    connection = ensure_connection(session, user_id=user_id, workspace_id=workspace_id)
    if connection.hub_id is not None and connection.hub_id != grant.hub_id:
        _revoke_unless_shared(session, connection)
        # Calls that waited for the account that was connected before are that account's affair;
        # those that came since it was disconnected are nobody's yet.
        is_disconnected = connection.state == DISCONNECTED
        begin_parting(
            session,
            connection.id,
            hub_id=connection.hub_id,
            before=connection.state_changed_at if is_disconnected else None,
        )
    session.execute(
        _STORE_GRANT,
        {
            "id": connection.id,
            "access_token": encrypt(grant.access_token, connection.id, "access_token"),
            "refresh_token": encrypt(grant.refresh_token, connection.id, "refresh_token"),
            "expires_in": grant.expires_in,
            "hub_id": grant.hub_id,
            "ui_domain": grant.ui_domain,
            "scopes": list(grant.scopes),
            "client_id": grant.client_id,
        },
    )
    begin_requeueing(session, connection.id, hub_id=grant.hub_id)
    return connection.id


_REVOKE = text("""
    INSERT INTO hubspot_revocations (id, bound_to, hub_id, access_token, refresh_token,
                                     token_expires_at, next_attempt_at)
    SELECT :revocation_id, c.id, c.hub_id, c.access_token, c.refresh_token, c.expires_at,
           now() + make_interval(secs => :delay)
    FROM hubspot_oauth_tokens c
    WHERE c.id = :id AND c.refresh_token IS NOT NULL
      AND NOT EXISTS (SELECT FROM hubspot_oauth_tokens other
                      WHERE other.hub_id = c.hub_id AND other.id <> c.id
                        AND other.state <> 'disconnected')
""")


def _revoke_unless_shared(session: Session, connection: Connection) -> None:
    # An uninstall ends the app for the whole account, so the last connection alone may ask for it.
    # It also ends the access token of a create that is under way: that has ended by then.
    revocation_id = new_connection_id().replace("hc_", "hr_")
    session.execute(
        _REVOKE, {"revocation_id": revocation_id, "id": connection.id, "delay": LEASE_S}
    )


_DISCONNECT = text("""
    UPDATE hubspot_oauth_tokens
    SET access_token = NULL, refresh_token = NULL, expires_at = NULL, refreshed_at = NULL,
        generation = generation + 1, token_version = token_version + 1,
        state = 'disconnected', state_reason = NULL, state_changed_at = now(), updated_at = now()
    WHERE id = :id
""")


def disconnect(session: Session, *, user_id: str, workspace_id: str) -> bool:
    """End the tenant's connection; HubSpot is told in the background. False if there was none."""
    known = find_connection(session, user_id=user_id, workspace_id=workspace_id)
    if known is None or known.state == DISCONNECTED:
        return False
    if known.hub_id is not None:
        lock_hub(session, known.hub_id)
    connection = _lock_connection(session, user_id, workspace_id)
    if connection is None or connection.state == DISCONNECTED:
        return False
    _revoke_unless_shared(session, connection)
    session.execute(_DISCONNECT, {"id": connection.id})
    end_requeueing(session, connection.id)
    return True


_REQUIRE_RECONNECT = text("""
    UPDATE hubspot_oauth_tokens
    SET state = 'reconnect_required', state_reason = :reason, state_changed_at = now(),
        updated_at = now()
    WHERE id = :id AND token_version = :token_version AND state = 'connected'
""")


def require_reconnect(
    session: Session, connection_id: str, *, token_version: int, reason: str
) -> bool:
    """Say that HubSpot refused this very token; a token stored since then is not affected."""
    result = session.execute(
        _REQUIRE_RECONNECT, {"id": connection_id, "token_version": token_version, "reason": reason}
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]


_RESTORE = text("""
    WITH refused AS MATERIALIZED (
        SELECT id FROM hubspot_oauth_tokens WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE
    )
    UPDATE hubspot_oauth_tokens c
    SET state = 'connected', state_reason = NULL, state_changed_at = now(), updated_at = now()
    FROM refused
    WHERE c.id = refused.id AND c.state = 'reconnect_required' AND c.refresh_token IS NOT NULL
    RETURNING c.id, c.hub_id
""")


def restore(session: Session, connection_ids: Collection[str]) -> None:
    """Take back `require_reconnect`: the refusals turned out to be our configuration's fault."""
    for restored in session.execute(_RESTORE, {"ids": list(connection_ids)}).all():
        begin_requeueing(session, restored.id, hub_id=restored.hub_id)


_COUNT_LIVE = text("""
    SELECT count(*) FROM hubspot_oauth_tokens
    WHERE state = 'connected' OR (state = 'reconnect_required' AND id = ANY(:among))
""")


def count_live(session: Session, *, among: Collection[str]) -> int:
    """How many connections are live, those `among` that HubSpot refused lately included."""
    return int(session.execute(_COUNT_LIVE, {"among": list(among)}).scalar_one())
