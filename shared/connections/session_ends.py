"""Ending the sessions of a user: dashboard tokens that were issued before are refused.

The user may have been robbed of a token. What was begun with it ends too: an authorization that
waits for HubSpot's consent would connect the robber's account minutes later.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

# No workspace has this id.
ALL_WORKSPACES: Final = ""

_END = text("""
    INSERT INTO hubspot_session_ends AS e (user_id, workspace_id, ended_at)
    VALUES (:user_id, :workspace_id, clock_timestamp())
    ON CONFLICT (user_id, workspace_id) DO UPDATE
    SET ended_at = greatest(e.ended_at, excluded.ended_at)
""")

_DROP_STATES = text("""
    DELETE FROM hubspot_oauth_states
    WHERE user_id = :user_id AND :workspace_id IN ('', workspace_id)
""")

# Housekeeping gives expired grants back to HubSpot.
_GIVE_UP_GRANTS = text("""
    UPDATE hubspot_pending_grants SET expires_at = now()
    WHERE user_id = :user_id AND :workspace_id IN ('', workspace_id) AND expires_at > now()
""")

_FIND_WORKSPACES = text("SELECT workspace_id FROM hubspot_oauth_tokens WHERE user_id = :user_id")

_FIND = text("""
    SELECT extract(epoch FROM max(ended_at))::float8 FROM hubspot_session_ends
    WHERE user_id = :user_id AND workspace_id IN ('', :workspace_id)
""")


def end_sessions(
    session: Session, *, user_id: str, workspace_id: str = ALL_WORKSPACES
) -> Sequence[str]:
    """End every session that a user has now, in one workspace or in all of them.

    Returns:
        The workspaces that are known here, or the one that was named.
    """
    whose = {"user_id": user_id, "workspace_id": workspace_id}
    for statement in (_END, _DROP_STATES, _GIVE_UP_GRANTS):
        session.execute(statement, whose)
    if workspace_id != ALL_WORKSPACES:
        return [workspace_id]
    return session.execute(_FIND_WORKSPACES, whose).scalars().all()


def find_session_end(session: Session, *, user_id: str, workspace_id: str) -> float | None:
    """When the sessions of a tenant were ended last, in seconds since 1970; None if never."""
    whose = {"user_id": user_id, "workspace_id": workspace_id}
    ended_at: float | None = session.execute(_FIND, whose).scalar_one()
    return ended_at
