"""The tables, as typed SQLAlchemy models; what each column is for, and what Postgres refuses."""

from shared.models.activities import Activity, ActivityUpdate
from shared.models.audit import AuditEntry
from shared.models.base import Base
from shared.models.connections import Account, Connection, Handover, Quota
from shared.models.deliveries import CallDelivery
from shared.models.doubts import LateWrite, SurplusNote
from shared.models.grants import DecidedGrant, OAuthState, PendingGrant, Revocation
from shared.models.pruning import PrunedCall, PruningKey
from shared.models.sessions import SessionEnd
from shared.models.sync_logs import Attempt, Call, SyncLog
from shared.models.tallies import DailyLatency, DailyTally, Latency, Tally

__all__ = [
    "Account",
    "Activity",
    "ActivityUpdate",
    "Attempt",
    "AuditEntry",
    "Base",
    "Call",
    "CallDelivery",
    "Connection",
    "DailyLatency",
    "DailyTally",
    "DecidedGrant",
    "Handover",
    "LateWrite",
    "Latency",
    "OAuthState",
    "PendingGrant",
    "PrunedCall",
    "PruningKey",
    "Quota",
    "Revocation",
    "SessionEnd",
    "SurplusNote",
    "SyncLog",
    "Tally",
]
