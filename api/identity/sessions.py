"""Sessions that the platform has ended: their tokens are refused, though nothing else is wrong."""

import time
from typing import Final

from api.http.errors import UnauthorizedError
from api.identity.auth import Bearer, Tenant
from shared.connections.session_ends import find_session_end
from shared.database.engines import Database

# A dashboard asks every few seconds: most of its requests cost no statement more. What changes
# something is rare, and waits for the answer.
KEEP_S: Final = 5.0
MOST_KEPT: Final = 10_000


class EndedSessions:
    """Knows whose sessions were ended, and when."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[Tenant, tuple[float, float | None]] = {}

    def require_open(self, bearer: Bearer, *, may_be_late: bool) -> None:
        """Raise UnauthorizedError if the session of a token has been ended.

        Args:
            bearer: What the token says.
            may_be_late: Who only looks may do so for `KEEP_S` seconds more.
        """
        ended_at = self._find(bearer.tenant, may_be_late=may_be_late)
        if ended_at is None:
            return
        if bearer.issued_at is None:
            raise UnauthorizedError(
                "The sessions of this user were ended, and the token has no claim iat to show that"
                " it is a newer one. Issue tokens with iat, and sign in again.",
                code="revoked_token",
            )
        if bearer.issued_at < ended_at:
            raise UnauthorizedError("This session was ended. Sign in again.", code="revoked_token")

    def _find(self, tenant: Tenant, *, may_be_late: bool) -> float | None:
        now = time.monotonic()
        known = self._known.get(tenant)
        if may_be_late and known is not None and now - known[0] < KEEP_S:
            return known[1]
        with self._database.read() as session:
            ended_at = find_session_end(
                session, user_id=tenant.user_id, workspace_id=tenant.workspace_id
            )
        if len(self._known) >= MOST_KEPT:
            self._known.clear()
        self._known[tenant] = now, ended_at
        return ended_at
