"""Suspects: calls whose last claim ended without any result, one of which may have ended it."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

# Claims of suspects are decided one at a time.
_SUSPECTS_LOCK: Final = 4_825_302

_LARGEST_SUSPECT_SIZE = text("""
    SELECT max(suspect_size) FROM hubspot_sync_logs
    WHERE user_id = :user_id AND workspace_id = :workspace_id AND suspect_size IS NOT NULL
      AND claimed_by IS NULL AND next_attempt_at <= now()
""")


def largest_suspect_size(session: Session, *, user_id: str, workspace_id: str) -> int | None:
    """The largest batch in which due suspects of one connection may be claimed; None if none."""
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    size: int | None = session.execute(_LARGEST_SUSPECT_SIZE, tenant).scalar_one()
    return size


_TRY_SUSPECTS_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")

# A statement of its own: one that began before the lock was had may not see the last claim.
_SUSPECT_MAY_BE_HELD = text("""
    SELECT NOT EXISTS (
        SELECT FROM hubspot_sync_logs
        WHERE claimed_by IS NOT NULL AND claimed_until > now() AND suspect_size IS NOT NULL
          AND (:suspect_size = 1 OR suspect_size = 1))
""")


def may_claim_suspects(session: Session, suspect_size: int) -> bool:
    """Whether a call that is held alone would be alone: only its crash says anything of it."""
    is_locked = session.execute(_TRY_SUSPECTS_LOCK, {"key": _SUSPECTS_LOCK}).scalar_one()
    return bool(is_locked) and bool(
        session.execute(_SUSPECT_MAY_BE_HELD, {"suspect_size": suspect_size}).scalar_one()
    )


_CONNECTIONS_WITH_SUSPECTS = text("""
    SELECT c.id FROM hubspot_oauth_tokens c
    WHERE c.state = 'connected'
      AND (c.user_id, c.workspace_id) IN (
          SELECT user_id, workspace_id FROM hubspot_sync_logs
          WHERE suspect_size IS NOT NULL AND claimed_by IS NULL AND next_attempt_at <= now()
          LIMIT :most)
""")


def find_connections_with_suspects(session: Session, *, most: int) -> list[str]:
    """Ids of live connections with due suspects, found among the first `most` of these calls."""
    return list(session.execute(_CONNECTIONS_WITH_SUSPECTS, {"most": most}).scalars())
