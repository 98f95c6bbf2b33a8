"""Suspects: calls whose last claim ended without any result, one of which may have ended it.

Each is claimed in a batch of fewer than its `suspect_size`, which is about halved whenever that
ends without a result too; these are held beside others. At `ALONE` a call is the only suspect held
in the whole system: then, and only then, a crash says that it is at fault.
"""

from typing import Final

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

# The size of a suspect that was lost in a batch of its own, beside others that may be at fault. To
# the release before, 1 says the same: it works beside this one, and may be gone back to.
ALONE: Final = 1

# Shared by claims of suspects that may be held beside each other.
_SUSPECTS_LOCK: Final = 4_825_302

_LARGEST_SUSPECT_SIZE = text("""
    SELECT max(suspect_size) FROM hubspot_sync_logs
    WHERE user_id = :user_id AND workspace_id = :workspace_id AND suspect_size IS NOT NULL
      AND claimed_by IS NULL AND next_attempt_at <= now()
""")


def largest_suspect_size(session: Session, *, user_id: str, workspace_id: str) -> int | None:
    """The size of the due suspects of one connection that come first; None if there are none."""
    tenant = {"user_id": user_id, "workspace_id": workspace_id}
    size: int | None = session.execute(_LARGEST_SUSPECT_SIZE, tenant).scalar_one()
    return size


def largest_batch(suspect_size: int) -> int:
    """How many suspects of a size may be claimed together."""
    return max(suspect_size - 1, 1)


_LOCK_TO_BE_ALONE = text("SELECT pg_try_advisory_xact_lock(:key)")
_LOCK_BESIDE_OTHERS = text("SELECT pg_try_advisory_xact_lock_shared(:key)")

# Statements of their own: one that began before the lock was had may not see the last claim.
_NO_SUSPECT_IS_HELD = text("""
    SELECT NOT EXISTS (
        SELECT FROM hubspot_sync_logs
        WHERE claimed_by IS NOT NULL AND claimed_until > now() AND suspect_size IS NOT NULL)
""")
_NONE_IS_HELD_ALONE = text("""
    SELECT NOT EXISTS (
        SELECT FROM hubspot_sync_logs
        WHERE claimed_by IS NOT NULL AND claimed_until > now() AND suspect_size = :alone)
""")


def may_claim_suspects(session: Session, suspect_size: int) -> bool:
    """Whether a suspect that is to be held alone would be, and would be left so by the others."""
    if suspect_size == ALONE:
        return _is_so(session, _LOCK_TO_BE_ALONE, key=_SUSPECTS_LOCK) and _is_so(
            session, _NO_SUSPECT_IS_HELD
        )
    return _is_so(session, _LOCK_BESIDE_OTHERS, key=_SUSPECTS_LOCK) and _is_so(
        session, _NONE_IS_HELD_ALONE, alone=ALONE
    )


def _is_so(session: Session, question: TextClause, **values: int) -> bool:
    return bool(session.execute(question, values).scalar_one())


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
