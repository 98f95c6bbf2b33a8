"""The tables, as typed SQLAlchemy models; what each column is for, and what Postgres refuses."""

from shared.models.base import Base
from shared.models.connections import Account, AuditEntry, Connection, Handover, Quota, SessionEnd
from shared.models.grants import DecidedGrant, OAuthState, PendingGrant, Revocation
from shared.models.strays import PrunedCall, PruningKey, Stray
from shared.models.sync_logs import Attempt, Call, SyncLog
from shared.models.tallies import DailyLatency, DailyTally, Latency, Tally

__all__ = [
    "Account",
    "Attempt",
    "AuditEntry",
    "Base",
    "Call",
    "Connection",
    "DailyLatency",
    "DailyTally",
    "DecidedGrant",
    "Handover",
    "Latency",
    "OAuthState",
    "PendingGrant",
    "PrunedCall",
    "PruningKey",
    "Quota",
    "Revocation",
    "SessionEnd",
    "Stray",
    "SyncLog",
    "Tally",
]
