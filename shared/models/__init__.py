"""The tables, as typed SQLAlchemy models; what each column is for, and what Postgres refuses."""

from shared.models.activities import Activity, ActivityUpdate
from shared.models.base import Base
from shared.models.connections import Account, AuditEntry, Connection, Handover, Quota, SessionEnd
from shared.models.deliveries import CallDelivery
from shared.models.grants import DecidedGrant, OAuthState, PendingGrant, Revocation
from shared.models.sources import (
    CallSource,
    SourceCount,
    SourceDelivery,
    SourceSecret,
    UnassignedCall,
)
from shared.models.strays import PrunedCall, PruningKey, Stray
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
    "CallSource",
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
    "SourceCount",
    "SourceDelivery",
    "SourceSecret",
    "Stray",
    "SyncLog",
    "Tally",
    "UnassignedCall",
]
